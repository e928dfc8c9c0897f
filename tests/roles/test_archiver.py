from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from tests.core.test_archive_rows import all_rows
from tests.roles.archive_rig import MemoryArchive
from tests.roles.test_archive_lane import records

from swapstats.adapters.embedded.journal import EmbeddedArchiveJournal
from swapstats.adapters.system_clock import SystemClock
from swapstats.core.archive_batcher import BatchLimits
from swapstats.errors import InvariantBroken, StoreError, Transient
from swapstats.ports.archive import ArchiveBatch
from swapstats.roles.archiver import Archiver
from swapstats.testing.eventually import eventually
from swapstats.testing.manual_clock import ManualClock

WAIT_MS = 60_000


class Watched:
    """An ArchiveObserver that keeps everything it is told."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.failures: list[str] = []
        self.waiting_bytes: list[int] = []

    def flushed(self, partition: int, rows: int, took_ms: float) -> None:
        self.rows.append(rows)

    def failed(self, partition: int, reason: str) -> None:
        self.failures.append(reason)

    def waiting(self, size_bytes: int) -> None:
        self.waiting_bytes.append(size_bytes)


class Refusing(MemoryArchive):
    """An archive that fails in a given way until it is told otherwise."""

    def __init__(self) -> None:
        super().__init__(Random(1))
        self.error: Exception | None = None

    def insert(self, batch: ArchiveBatch) -> None:
        if self.error is not None:
            raise self.error
        super().insert(batch)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[EmbeddedArchiveJournal]:
    with closing(EmbeddedArchiveJournal(tmp_path / "journal.db")) as opened:
        yield opened


def test_offered_rows_arrive_in_the_archive_and_a_flush_waits_for_them(
    journal: EmbeddedArchiveJournal,
) -> None:
    archive, watched = Refusing(), Watched()
    archiver = Archiver(archive, journal, SystemClock(), observer=watched)
    assert archiver.resume(0, 1, 0) == []
    archiver.start()
    try:
        archiver.offer(0, records(0, 50), all_rows(50), 1_000)
        assert archiver.flush(0, 50, WAIT_MS)
        assert archiver.flushed_offset(0) == 50
        assert len(archive.raw) == 50
        archiver.forget(0, 50)
        eventually(lambda: journal.notes(0) == [], WAIT_MS, "the note to be dropped")
        eventually(archiver.has_room, WAIT_MS, "room")
    finally:
        archiver.stop()
    assert sum(watched.rows) == 50


def test_an_archive_that_is_away_makes_the_offering_wait_and_loses_nothing(
    journal: EmbeddedArchiveJournal,
) -> None:
    archive, watched = Refusing(), Watched()
    archive.error = Transient("no answer", 5)
    archiver = Archiver(archive, journal, SystemClock(), observer=watched, queue_bytes_max=20_000)
    archiver.resume(0, 1, 0)
    archiver.start()
    try:
        offset = 0
        while archiver.has_room():
            archiver.offer(0, records(offset, offset + 20), all_rows(20), 1_000)
            offset += 20
        assert 0 < archiver.waiting_bytes() < 25_000
        eventually(lambda: len(watched.failures) > 2, WAIT_MS, "tries")
        assert not archiver.flush(0, offset, 20)
        archive.error = None
        assert archiver.flush(0, offset, WAIT_MS)
    finally:
        archiver.stop()
    assert [row[1] for row in archive.raw] == list(range(offset))


def test_what_the_archive_refuses_waits_until_it_is_mended(
    journal: EmbeddedArchiveJournal,
) -> None:
    archive, clock = Refusing(), ManualClock(1_000_000)
    archive.error = StoreError("no such table")
    archiver = Archiver(archive, journal, clock)
    archiver.resume(0, 1, 0)
    archiver.offer(0, records(0, 5), all_rows(5), 1_000)
    archiver.ask_flush(0, 5)
    archiver.step()
    assert archiver.problem == "no such table"
    assert archiver.has_room()
    assert archiver.flushed_offset(0) == 0
    archive.error = None
    while archiver.flushed_offset(0) < 5:
        clock.advance(archiver.step())
    assert archiver.problem == ""
    assert len(archive.raw) == 5


def test_what_ends_the_work_is_raised_from_every_call(journal: EmbeddedArchiveJournal) -> None:
    archive = Refusing()
    archive.error = InvariantBroken("no such table")
    archiver = Archiver(archive, journal, SystemClock())
    archiver.resume(0, 1, 0)
    archiver.start()
    archiver.offer(0, records(0, 5), all_rows(5), 1_000)
    with pytest.raises(InvariantBroken):
        archiver.flush(0, 5, WAIT_MS)
    with pytest.raises(InvariantBroken):
        archiver.has_room()
    with pytest.raises(InvariantBroken):
        archiver.stop()


def test_a_batch_whose_name_may_be_forgotten_is_verified(journal: EmbeddedArchiveJournal) -> None:
    archive, clock = Refusing(), ManualClock(1_000_000)
    archive.error = Transient("no answer", 5)
    archiver = Archiver(archive, journal, clock, name_span_ms=60_000)
    archiver.resume(0, 1, 0)
    archiver.offer(0, records(0, 5), all_rows(5), 1_000)
    archiver.ask_flush(0, 5)
    archiver.step()
    clock.advance(60_001)
    while archiver.flushed_offset(0) < 5:
        clock.advance(archiver.step())
    assert archive.verified == 1
    assert len(archive.raw) == 5


def test_a_paused_owner_finds_itself_fenced_before_it_inserts(
    journal: EmbeddedArchiveJournal,
) -> None:
    archive = Refusing()
    old, new = (Archiver(archive, journal, ManualClock()) for _ in range(2))
    old.resume(0, 1, 0)
    old.offer(0, records(0, 5), all_rows(5), 1_000)
    old.ask_flush(0, 5)
    new.resume(0, 2, 0)
    assert old.take_fenced() == set()
    old.step()
    assert archive.raw == []
    assert old.take_fenced() == {(0, 1)}
    assert old.take_fenced() == set()
    assert old.stale_notes == 1
    old.offer(0, records(5, 9), all_rows(4), 1_000)
    old.ask_flush(0, 9)
    old.forget(0, 9)
    assert old.flushed_offset(0) == 0
    assert old.waiting_bytes() == 0


def test_a_released_partition_is_left_to_its_next_owner(journal: EmbeddedArchiveJournal) -> None:
    archive = Refusing()
    archiver = Archiver(archive, journal, ManualClock(), BatchLimits(rows_due=1))
    archiver.resume(0, 1, 0)
    archiver.offer(0, records(0, 5), all_rows(5), 1_000)
    archiver.release(0)
    archiver.step()
    assert archive.raw == []
    assert archiver.waiting_bytes() == 0
    assert not archiver.flush(0, 5, 1)
