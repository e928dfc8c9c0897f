from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec
import pytest

from swapstats.adapters.embedded.journal import EmbeddedArchiveJournal
from swapstats.errors import Fenced, InvariantBroken, SettingsMismatch, StoreCorrupt, Transient
from swapstats.ports.archive import BatchNote, JournalState

Open = Callable[..., EmbeddedArchiveJournal]


@pytest.fixture
def open_journal(tmp_path: Path) -> Iterator[Open]:
    with ExitStack() as stack:
        yield lambda **more: stack.enter_context(
            closing(EmbeddedArchiveJournal(tmp_path / "journal.db", **more))
        )


def note(first: int, end: int, **fields: object) -> BatchNote:
    plain = BatchNote(
        partition=0,
        epoch=1,
        first_offset=first,
        next_offset=end,
        rows=end - first,
        late_rows=0,
        digest="d",
        steps=((end, 1_000),),
        noted_ms=5,
    )
    return msgspec.structs.replace(plain, **fields)


def test_notes_come_back_by_offset_after_a_restart(open_journal: Open) -> None:
    journal = open_journal()
    assert journal.acquire(0, 1) == JournalState(0, ())
    journal.note(note(0, 10))
    journal.note(note(0, 10, inserted=True))
    journal.note(note(10, 30))
    journal.close()
    again = open_journal()
    assert again.notes(0) == [note(0, 10, inserted=True), note(10, 30)]
    assert again.notes(1) == []
    assert again.acquire(0, 2).notes == tuple(again.notes(0))


def test_an_owner_is_fenced_as_soon_as_the_next_one_acquired(open_journal: Open) -> None:
    old, new = open_journal(), open_journal()
    old.acquire(0, 1)
    new.acquire(0, 2)
    with pytest.raises(Fenced, match="under epoch 2"):
        old.note(note(0, 10))
    with pytest.raises(Fenced):
        old.acquire(0, 1)
    new.note(note(0, 10, epoch=2))


def test_an_epoch_must_be_acquired(open_journal: Open) -> None:
    with pytest.raises(InvariantBroken, match="acquire the partition"):
        open_journal().note(note(0, 10))


def test_other_rows_for_the_same_range_are_fatal(open_journal: Open) -> None:
    journal = open_journal()
    journal.acquire(0, 1)
    journal.note(note(0, 10))
    with pytest.raises(SettingsMismatch, match="offsets 0 to 10"):
        journal.note(note(0, 10, digest="other"))
    assert journal.notes(0) == [note(0, 10)]


@pytest.mark.parametrize(("first", "end"), [(0, 9), (5, 15), (9, 10), (0, 11)])
def test_ranges_do_not_overlap(open_journal: Open, first: int, end: int) -> None:
    journal = open_journal()
    journal.acquire(0, 1)
    journal.note(note(0, 10))
    with pytest.raises(InvariantBroken, match="0 to 10"):
        journal.note(note(first, end))


def test_forgetting_raises_the_floor_and_keeps_what_is_not_inserted(open_journal: Open) -> None:
    journal = open_journal()
    journal.acquire(0, 1)
    for first in (0, 10, 20):
        journal.note(note(first, first + 10, inserted=True))
    journal.note(note(30, 40))
    journal.forget(0, 25)
    assert journal.acquire(0, 2).floor == 20
    assert [kept.first_offset for kept in journal.notes(0)] == [20, 30]
    journal.forget(0, 1_000)
    assert journal.acquire(0, 3) == JournalState(30, (note(30, 40),))
    journal.forget(7, 1_000)


def test_notes_have_a_bound(open_journal: Open) -> None:
    journal = open_journal(notes_max=2)
    journal.acquire(0, 1)
    journal.note(note(0, 10))
    journal.note(note(10, 20))
    with pytest.raises(Transient, match="no checkpoint"):
        journal.note(note(20, 30))
    journal.note(note(10, 20, inserted=True))


def test_a_damaged_note_is_told(open_journal: Open) -> None:
    journal = open_journal()
    journal.acquire(0, 1)
    journal.note(note(0, 10))
    journal._connection.execute("UPDATE notes SET data = x'00ff'")
    with pytest.raises(StoreCorrupt, match="damaged"):
        journal.notes(0)
