"""Kills are aimed at open batches, and what they leave open is counted."""

import contextlib
import threading
from pathlib import Path

import msgspec
from tests.adapters.redis.conftest import started
from tests.adapters.redis.test_journal import note
from tests.end_to_end.chaos.open_batches import OpenBatches

from swapstats.adapters.redis.journal import RedisArchiveJournal


def test_a_kill_waits_for_an_open_batch_and_counts_it(tmp_path: Path) -> None:
    server = started(tmp_path)
    try:
        with contextlib.closing(RedisArchiveJournal(server.url, "t", timeout_ms=200)) as journal:
            journal.acquire(3, 1)
            journal.note(note(0, 5, inserted=True))
            batches = OpenBatches(journal)
            killed: list[int] = []

            def kill() -> None:
                killed.append(sum(not one.inserted for one in journal.notes(3)))

            batches.kill("idle", kill, [3])
            assert killed == [0], "killed although nothing is open: it waits for so long only"
            threading.Timer(0.1, journal.note, [note(5, 9)]).start()
            batches.kill("busy", kill, [2, 3])
            assert killed == [0, 1]
            batches.kill("other", kill, [2])
            journal.note(msgspec.structs.replace(note(5, 9), inserted=True))
            server.pause()
            batches.kill("unseen", kill=lambda: killed.append(9), partitions=[3])
            server.resume()
            assert killed[-1] == 9
            assert batches.kills == {"idle": 1, "busy": 1, "other": 1, "unseen": 1}
            assert +batches.hits == {"busy": 1}
            assert +batches.left_open == {"busy": 1}
            assert batches.unknown == {"unseen": 1}
            assert "1 of 1 kills of busy within a batch, 1 batches left open" in str(batches)
    finally:
        server.stop()
