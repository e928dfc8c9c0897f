"""The loop and the archive: lives that end anywhere, an archive that is away, a lost journal."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.roles.aggregator.rig import KEY, START_MS, Rig, drain, held, swap
from tests.roles.aggregator.test_owned import owned
from tests.roles.archive_rig import MemoryArchive
from tests.roles.test_archive_lane import records

from swapstats.adapters.embedded.journal import EmbeddedArchiveJournal
from swapstats.adapters.system_clock import SystemClock
from swapstats.core.archive_batcher import BatchLimits
from swapstats.core.plain_decode import Swap, decode_message
from swapstats.core.shard_config import ShardConfig
from swapstats.errors import OffsetGone, StoreCorrupt, Transient
from swapstats.model.window import WindowSpec
from swapstats.ports.archive import ArchiveBatch
from swapstats.roles.aggregator.archiving import Archiving, pieces
from swapstats.roles.aggregator.run import Aggregator
from swapstats.roles.archive_lane import ReplayStep
from swapstats.roles.archiver import Archiver
from swapstats.testing.eventually import eventually
from swapstats.testing.wire_streams import StreamShape, random_stream, shuffled

LIMITS = BatchLimits(delay_ms=1, rows_due=8, rows_max=12, steps_max=5, inserts_per_s_max=100_000)
WIDE = ShardConfig(0, WindowSpec(1_000, (3_600_000,)), KEY)
WAIT_MS = 60_000


class Absent(MemoryArchive):
    """An archive that can be away."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(chance)
        self.is_away = False

    def insert(self, batch: ArchiveBatch) -> None:
        self._expect_there()
        super().insert(batch)

    def end_offset(self, partition: int) -> int:
        self._expect_there()
        return super().end_offset(partition)

    def _expect_there(self) -> None:
        if self.is_away:
            raise Transient("the archive is away", 1)


class Life:
    """An aggregator with an archiver at work, until it is broken off."""

    def __init__(
        self,
        rig: Rig,
        archive: MemoryArchive,
        journal: Path,
        *,
        queue_bytes_max: int = 1 << 20,
        decision_bytes_max: int = 1 << 20,
    ) -> None:
        self.journal = EmbeddedArchiveJournal(journal)
        self.archiver = Archiver(
            archive,
            self.journal,
            SystemClock(),
            LIMITS,
            log=rig.log,
            queue_bytes_max=queue_bytes_max,
            decision_bytes_max=decision_bytes_max,
        )
        self.archiver.start()
        self.aggregator: Aggregator
        self.aggregator, _ = rig.aggregator(
            config=WIDE, archiver=self.archiver, chunk_bytes_max=900
        )
        self.aggregator.restore()

    def break_off(self) -> None:
        """End as a kill does: no last checkpoint, whatever waits is gone."""
        self.archiver.stop()
        self.aggregator.close()
        self.journal.close()


def signed_trades(archive: MemoryArchive) -> Counter[str]:
    found: Counter[str] = Counter()
    for _, _, sign, message in archive.raw:
        decoded = decode_message(message, START_MS, None)
        assert isinstance(decoded, Swap)
        found[decoded.token_key] += sign
    return +found


def expect_equal(archive: MemoryArchive, aggregator: Aggregator) -> None:
    assert len(set(archive.raw)) == len(archive.raw), "a row is there twice"
    view: Counter[tuple[int, bytes]] = Counter()
    for partition, _, sign, message in archive.raw:
        view[partition, message] += sign
    assert +archive.view == +view
    assert signed_trades(archive) == {key: one[0].trades for key, one in held(aggregator).items()}


@pytest.mark.parametrize("seed", range(6))
def test_whenever_a_life_ends_the_archive_holds_what_the_windows_hold(
    tmp_path: Path, seed: int
) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    rig = Rig(tmp_path, 2)
    archive = Absent(random.Random(seed + 1))
    shape = StreamShape(swaps=150, start_ms=START_MS - 50_000, span_ms=50_000, step_ms=1_000)
    messages = shuffled(rng, random_stream(rng, shape))
    # Every second seed keeps decisions only: records are read again from the log.
    limits = {"queue_bytes_max": 0} if seed % 2 else {}
    life = Life(rig, archive, tmp_path / "journal.db", **limits)
    while messages:
        count = rng.randint(1, 40)
        rig.append(*messages[:count])
        del messages[:count]
        archive.is_away = rng.random() < 0.3
        for _ in range(rng.randint(1, 4)):
            life.aggregator.turn()
            life.aggregator._saved_at = 0.0
            life.aggregator.checkpoint_if_due()
        rig.clock.advance(rng.choice((1, 500, 5_000)))
        if rng.random() < 0.4:
            life.break_off()
            life = Life(rig, archive, tmp_path / "journal.db", **limits)
    archive.is_away = False
    drain(life.aggregator)
    life.aggregator.checkpoint()
    ends = rig.log.end_offsets()
    saved = [rig.checkpoints.load(partition) for partition in range(2)]
    assert [one.header.next_offset for one in saved if one] == ends
    expect_equal(archive, life.aggregator)
    life.break_off()
    rig.close()


def test_while_the_archive_is_away_windows_go_on_and_checkpoints_wait(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    archive = Absent(random.Random(1))
    archive.is_away = True
    life = Life(rig, archive, tmp_path / "journal.db", queue_bytes_max=2_000)
    for number in range(400):
        rig.append(swap(number, START_MS, f"T{number % 7}"))
    drain(life.aggregator)
    assert sum(one[0].trades for one in held(life.aggregator).values()) == 400
    assert life.archiver.waiting_bytes() < 10_000, "records wait in the log, not in memory"
    life.aggregator.checkpoint_if_due()
    life.aggregator._owned[0].archive_mark = 400
    life.aggregator.checkpoint()
    assert rig.checkpoints.load(0) is None
    archive.is_away = False
    eventually(lambda: life.archiver.flushed_offset(0) == 400, WAIT_MS, "the archive to follow")
    life.aggregator.checkpoint()
    assert rig.checkpoints.load(0) is not None
    expect_equal(archive, life.aggregator)
    life.break_off()
    rig.close()


def test_too_many_decisions_hold_the_log_back_until_the_archive_follows(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    archive = Absent(random.Random(1))
    archive.is_away = True
    life = Life(rig, archive, tmp_path / "journal.db", queue_bytes_max=0, decision_bytes_max=1_500)
    for number in range(100):
        rig.append(swap(number, START_MS))
    for _ in range(50):
        life.aggregator.turn()
    offset = life.aggregator.shards[0].next_offset
    assert 0 < offset < 100
    assert "too far behind" in life.aggregator.problem
    archive.is_away = False

    def gone_on() -> bool:
        life.aggregator.turn()
        return life.aggregator.caught_up()

    eventually(gone_on, WAIT_MS, "the rest to be applied")
    life.aggregator.checkpoint()
    expect_equal(archive, life.aggregator)
    life.break_off()
    rig.close()


@pytest.mark.parametrize("seed", range(4))
def test_a_lost_journal_and_lost_checkpoints_double_nothing(tmp_path: Path, seed: int) -> None:
    """The state is made again from the whole log; the archive's newest rows say what it has."""
    print("seed", seed)
    rng = random.Random(seed)
    rig = Rig(tmp_path)
    archive = Absent(random.Random(seed))
    shape = StreamShape(swaps=120, start_ms=START_MS - 50_000, span_ms=50_000, step_ms=1_000)
    messages = shuffled(rng, random_stream(rng, shape))
    half = len(messages) // 2
    life = Life(rig, archive, tmp_path / "journal.db")
    rig.append(*messages[:half])
    drain(life.aggregator)
    life.archiver.ask_flush(0, rng.randrange(half))
    eventually(lambda: len(archive.raw) > 10, WAIT_MS, "some rows")
    life.break_off()
    # As after a kill between the raw table and its view.
    newest = archive.raw[-1]
    archive.view[newest[0], newest[3]] -= newest[2]
    rig.append(*messages[half:])
    (tmp_path / "again").mkdir()
    again = Rig(tmp_path / "again", 1)
    again.log.close()
    again.log = rig.log
    life = Life(again, archive, tmp_path / "another-journal.db")
    drain(life.aggregator)
    life.aggregator.checkpoint()
    assert archive.verified > 0
    expect_equal(archive, life.aggregator)
    life.break_off()
    for one in (again, rig):
        one.close()


def test_what_somebody_else_archived_is_left_out(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.append(*(swap(number, START_MS) for number in range(10)))
    archive = Absent(random.Random(1))
    life = Life(rig, archive, tmp_path / "journal.db")
    life.break_off()
    journal = EmbeddedArchiveJournal(tmp_path / "fresh.db")
    archiver = Archiver(archive, journal, SystemClock(), LIMITS, log=rig.log, floor_of=lambda _: 6)
    archiver.start()
    aggregator, _ = rig.aggregator(config=WIDE, archiver=archiver)
    aggregator.restore()
    drain(aggregator)
    aggregator.checkpoint()
    assert [row[1] for row in archive.raw] == [6, 7, 8, 9]
    assert held(aggregator)["BTC"][0].trades == 10
    archiver.stop()
    journal.close()
    rig.close()


def test_records_are_cut_where_an_earlier_life_cut_them() -> None:
    one = owned()
    one.steps.extend([ReplayStep(4, 100, exact=True), ReplayStep(9, 200, exact=True)])
    cut = [
        (piece.batch.offsets.tolist(), piece.moment_ms)
        for piece in pieces(one, records(0, 7), lambda: 900)
    ]
    assert cut == [([0, 1, 2, 3], 100), ([4, 5, 6], 200)]
    # What the log has lost ends a step as well.
    cut = [
        (piece.batch.offsets.tolist(), piece.moment_ms)
        for piece in pieces(one, records(12, 14), lambda: 900)
    ]
    assert cut == [([12, 13], 900)]
    assert not one.steps


def test_without_an_archive_nothing_is_waited_for() -> None:
    nothing = Archiving(None, accept_gap=False)
    one = owned()
    assert nothing.has_room
    assert nothing.follows(one)
    assert nothing.take_fenced() == set()
    nothing.take_over(one)
    nothing.release(3)
    assert not one.steps


def test_a_start_does_not_wait_for_an_archive_that_is_away(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    archive = Absent(random.Random(1))
    archive.is_away = True
    rig.append(*(swap(number, START_MS) for number in range(10)))
    life = Life(rig, archive, tmp_path / "journal.db")
    drain(life.aggregator)
    assert held(life.aggregator)["BTC"][0].trades == 10
    assert life.aggregator.status.ready
    archive.is_away = False
    life.aggregator.checkpoint()
    eventually(lambda: len(archive.raw) == 10, WAIT_MS, "the rows")
    life.break_off()
    rig.close()


def test_a_log_made_anew_under_an_old_name_is_found_out(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    archive = Absent(random.Random(1))
    old = Rig(tmp_path / "old")
    old.append(*(swap(number, START_MS) for number in range(50)))
    life = Life(old, archive, tmp_path / "old.journal")
    drain(life.aggregator)
    life.aggregator.checkpoint()
    life.break_off()
    old.close()
    new = Rig(tmp_path / "new")
    new.append(*(swap(number, START_MS) for number in range(5)))
    # With the old journal it is refused at once, without one when the archive is asked.
    with pytest.raises(OffsetGone, match="made anew"):
        Life(new, archive, tmp_path / "old.journal")
    life = Life(new, archive, tmp_path / "new.journal")
    eventually(lambda: life.archiver.failure is not None, WAIT_MS, "the archiver to give up")
    with pytest.raises(StoreCorrupt, match="another log of this name"):
        life.archiver.stop()
    life.aggregator.close()
    life.journal.close()
    new.close()


def test_a_take_over_that_fails_half_way_owns_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path, 3)
    archive = Absent(random.Random(1))
    life = Life(rig, archive, tmp_path / "journal.db")
    resume = life.archiver.resume

    def fails(partition: int, *arguments: Any, **options: Any) -> Any:
        if partition == 2:
            raise Transient("the journal is away")
        return resume(partition, *arguments, **options)

    monkeypatch.setattr(life.archiver, "resume", fails)
    with pytest.raises(Transient):
        life.aggregator.assigned([0, 1, 2])
    assert life.aggregator.shards == {}
    life.break_off()
    rig.close()
