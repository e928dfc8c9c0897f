"""kill -9 at random moments between a source of raw events and the swap log."""

import contextlib
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.roles.preprocess.kill_process import PARTITIONS

from swapstats.adapters.embedded.dead_letters import EmbeddedDeadLetterReader
from swapstats.adapters.embedded.log_reader import EmbeddedSwapLogReader
from swapstats.errors import StoreError
from swapstats.testing.eventually import eventually

ROOT = Path(__file__).parents[3]
KILLS = 12
COUNT = 8_000


def start(path: Path, seed: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.roles.preprocess.kill_process"]
    given = [str(path), str(seed), str(COUNT)]
    return subprocess.Popen([*command, *given], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def finish(path: Path, seed: int) -> None:
    process = start(path, seed)
    with contextlib.ExitStack() as opened:
        opened.callback(process.kill)
        said, _ = process.communicate(timeout=300)
    assert (process.returncode, said) == (0, "done\n")


def reached(path: Path, target: int) -> bool:
    """Whether the raw log holds so many events."""
    try:
        with contextlib.closing(EmbeddedSwapLogReader(path / "raw.db")) as log:
            return log.end_offsets()[0] >= target
    except StoreError:
        return False


def swaps(path: Path) -> list[list[bytes]]:
    log = EmbeddedSwapLogReader(path / "log.db")
    found = []
    for partition in range(PARTITIONS):
        batch = log.read(partition, 0, 1 << 30)
        found.append([batch.message(row) for row in range(len(batch))] if batch else [])
    log.close()
    return found


def letters(path: Path) -> list[tuple[int, str, bytes]]:
    reader = EmbeddedDeadLetterReader(path / "letters.db")
    found = [(letter.offset, letter.reason, letter.message) for letter in reader.scan(limit=COUNT)]
    reader.close()
    return sorted(found)


def candles(path: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(path / "candles.db") as connection:
        return connection.execute("SELECT * FROM candles ORDER BY token, minute_ms").fetchall()


def test_a_dozen_kills_change_nothing_of_what_was_made(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish(whole, seed)
    for target in sorted(chance.randrange(COUNT) for _ in range(KILLS)):
        process = start(killed, seed)

        def is_there(process: subprocess.Popen[str] = process, target: int = target) -> bool:
            return process.poll() is not None or reached(killed, target)

        eventually(is_there, 300_000, f"{target} raw events")
        # Somewhere in what follows: an append, a saved state, the end.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0, 0.2))
        process.kill()
        process.communicate()
    finish(killed, seed)
    assert swaps(killed) == swaps(whole)
    assert sum(map(len, swaps(whole))) > COUNT // 2
    assert letters(killed) == letters(whole) != []
    assert candles(killed) == candles(whole) != []
