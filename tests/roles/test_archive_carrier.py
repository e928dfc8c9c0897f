from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from tests.core.test_archive_rows import all_rows
from tests.roles.archive_rig import MemoryArchive
from tests.roles.test_archive_lane import note, records

from swapstats.adapters.embedded.journal import EmbeddedArchiveJournal
from swapstats.core.archive_rows import read_rows
from swapstats.errors import Fenced, StoreError, Transient
from swapstats.ports.archive import ArchiveBatch, SilentArchive
from swapstats.roles.archive_carrier import REFUSED_RETRY_MS, BatchCarrier
from swapstats.testing.manual_clock import ManualClock

SPAN_MS = 60_000


class Refusing(MemoryArchive):
    """An archive that refuses everything."""

    def insert(self, batch: ArchiveBatch) -> None:
        raise StoreError("no such table")

    def end_offset(self, partition: int) -> int:
        raise StoreError("no such table")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[EmbeddedArchiveJournal]:
    with closing(EmbeddedArchiveJournal(tmp_path / "journal.db")) as opened:
        yield opened


def carrier(
    archive: MemoryArchive, journal: EmbeddedArchiveJournal, clock: ManualClock
) -> BatchCarrier:
    return BatchCarrier(archive, journal, clock, SilentArchive(), SPAN_MS, lambda _: None)


def batch(*, doubtful: bool = False, noted_ms: int = 7) -> ArchiveBatch:
    found = note(0, 5, inserted=False)
    found = type(found)(
        **{name: getattr(found, name) for name in found.__struct_fields__}
        | {"doubtful": doubtful, "noted_ms": noted_ms}
    )
    return ArchiveBatch(found, read_rows(records(0, 5), all_rows(5)))


def test_a_batch_is_noted_inserted_and_marked(journal: EmbeddedArchiveJournal) -> None:
    archive, clock = MemoryArchive(Random(1)), ManualClock(1_000)
    journal.acquire(0, 1)
    for _ in range(2):
        carrier(archive, journal, clock).carry(batch(noted_ms=clock.wall_ms()))
    assert len(archive.raw) == 5
    assert archive.verified == 0
    assert [held.inserted for held in journal.notes(0)] == [True]


@pytest.mark.parametrize(("doubtful", "age_ms"), [(True, 0), (False, SPAN_MS + 1), (False, -1)])
def test_what_may_be_there_under_another_name_is_verified(
    journal: EmbeddedArchiveJournal, doubtful: bool, age_ms: int
) -> None:
    archive, clock = MemoryArchive(Random(1)), ManualClock(1_000_000)
    journal.acquire(0, 1)
    noted_ms = clock.wall_ms() - age_ms
    carrier(archive, journal, clock).carry(batch(doubtful=doubtful, noted_ms=noted_ms))
    assert (archive.verified, len(archive.raw)) == (1, 5)


def test_in_a_journal_that_was_emptied_its_owner_notes_again(
    journal: EmbeddedArchiveJournal,
) -> None:
    archive, clock = MemoryArchive(Random(1)), ManualClock(1_000)
    carrier(archive, journal, clock).carry(batch(noted_ms=clock.wall_ms()))
    assert len(archive.raw) == 5
    journal.acquire(0, 9)
    with pytest.raises(Fenced):
        carrier(archive, journal, clock).carry(batch(noted_ms=clock.wall_ms()))


def test_a_refusal_is_told_as_something_to_try_again(journal: EmbeddedArchiveJournal) -> None:
    refusing = carrier(Refusing(Random(1)), journal, ManualClock(1_000))
    journal.acquire(0, 1)
    for call in (lambda: refusing.carry(batch(noted_ms=1_000)), lambda: refusing.end_offset(0)):
        with pytest.raises(Transient, match="no such table") as told:
            call()
        assert told.value.retry_after_ms == REFUSED_RETRY_MS
