import contextlib
from collections.abc import Iterator

import msgspec
import pytest

from swapstats.adapters.redis.connection import RedisLine
from swapstats.adapters.redis.journal import RedisArchiveJournal
from swapstats.errors import (
    Fenced,
    InvariantBroken,
    SettingsMismatch,
    StoreCorrupt,
    Transient,
)
from swapstats.ports.archive import BatchNote, JournalState
from swapstats.stack.redis import RedisServer


def note(first: int, end: int, *, epoch: int = 1, inserted: bool = False) -> BatchNote:
    return BatchNote(
        partition=3,
        epoch=epoch,
        first_offset=first,
        next_offset=end,
        rows=end - first,
        late_rows=1,
        digest=f"{first:032x}",
        steps=((first + 1, 1_763_700_000_000), (end, 1_763_700_000_100)),
        noted_ms=1_763_700_000_200,
        inserted=inserted,
    )


@pytest.fixture
def journal(redis_url: str, prefix: str) -> Iterator[RedisArchiveJournal]:
    with contextlib.closing(RedisArchiveJournal(redis_url, prefix, notes_max=2_500)) as opened:
        yield opened


def test_notes_come_back_whole_by_offset(journal: RedisArchiveJournal) -> None:
    assert journal.acquire(3, 1) == JournalState(0, ())
    kept = [note(0, 5), note(5, 9), note(9, 100)]
    for one in (kept[1], kept[2], kept[0]):
        journal.note(one)
    assert journal.notes(3) == kept
    assert journal.acquire(3, 1) == JournalState(0, tuple(kept))
    assert journal.notes(4) == []


def test_the_same_range_replaces_its_note(journal: RedisArchiveJournal) -> None:
    journal.acquire(3, 1)
    journal.note(note(0, 5))
    journal.note(note(0, 5, inserted=True))
    assert journal.notes(3) == [note(0, 5, inserted=True)]
    with pytest.raises(SettingsMismatch, match="offsets 0 to 5"):
        journal.note(msgspec.structs.replace(note(0, 5), digest="another"))
    with pytest.raises(SettingsMismatch, match="offsets 0 to 5"):
        journal.note(msgspec.structs.replace(note(0, 5), rows=4))
    assert journal.notes(3) == [note(0, 5, inserted=True)]


@pytest.mark.parametrize("bounds", [(0, 4), (0, 6), (1, 5), (4, 8), (2, 3), (6, 21), (0, 30)])
def test_a_range_that_overlaps_another_is_refused(
    journal: RedisArchiveJournal, bounds: tuple[int, int]
) -> None:
    journal.acquire(3, 1)
    kept = [note(0, 5), note(5, 10), note(20, 30)]
    for one in kept:
        journal.note(one)
    with pytest.raises(InvariantBroken, match="as it was noted"):
        journal.note(note(*bounds))
    assert journal.notes(3) == kept
    journal.note(note(10, 20))


def test_a_lower_epoch_is_fenced(journal: RedisArchiveJournal) -> None:
    journal.acquire(3, 1)
    journal.note(note(0, 5))
    assert journal.acquire(3, 4).notes == (note(0, 5),)
    for attempt in (note(5, 9), note(0, 5, inserted=True)):
        with pytest.raises(Fenced, match="epoch 4"):
            journal.note(attempt)
    with pytest.raises(Fenced, match="epoch 4"):
        journal.acquire(3, 3)
    assert journal.notes(3) == [note(0, 5)]
    journal.note(note(5, 9, epoch=4))


def test_an_epoch_must_be_acquired(journal: RedisArchiveJournal) -> None:
    with pytest.raises(InvariantBroken, match="acquire"):
        journal.note(note(0, 5))
    journal.acquire(3, 1)
    with pytest.raises(InvariantBroken, match="acquire"):
        journal.note(note(0, 5, epoch=2))


def test_only_inserted_ranges_are_forgotten_without_a_hole(journal: RedisArchiveJournal) -> None:
    journal.acquire(3, 1)
    kept = [note(0, 5, inserted=True), note(5, 9), note(9, 12, inserted=True), note(12, 20)]
    for one in kept:
        journal.note(one)
    journal.forget(3, 4)
    assert journal.acquire(3, 1) == JournalState(0, tuple(kept))
    journal.forget(3, 1_000)
    assert journal.acquire(3, 1) == JournalState(5, tuple(kept[1:]))
    journal.note(note(5, 9, inserted=True))
    journal.forget(3, 11)
    assert journal.acquire(3, 1) == JournalState(9, tuple(kept[2:]))
    journal.forget(4, 1_000)


def test_many_notes_are_forgotten_in_parts(journal: RedisArchiveJournal) -> None:
    journal.acquire(3, 1)
    for at in range(2_400):
        journal.note(note(at, at + 1, inserted=True))
    journal.forget(3, 2_395)
    state = journal.acquire(3, 1)
    assert (state.floor, len(state.notes)) == (2_395, 5)


def test_notes_are_bounded(redis_url: str, prefix: str) -> None:
    with contextlib.closing(RedisArchiveJournal(redis_url, prefix, notes_max=2)) as journal:
        journal.acquire(3, 1)
        journal.note(note(0, 5))
        journal.note(note(5, 9))
        with pytest.raises(Transient, match="checkpoint"):
            journal.note(note(9, 12))
        journal.note(note(5, 9, inserted=True))


def test_a_damaged_note_is_found(
    journal: RedisArchiveJournal, line: RedisLine, prefix: str
) -> None:
    journal.acquire(3, 1)
    journal.note(note(0, 5))
    (key,) = line.call("KEYS", f"*{prefix}*:notes")
    line.call("HSET", key, "0", b"5 0 x\n\x93")
    with pytest.raises(StoreCorrupt, match="archive"):
        journal.notes(3)
    line.call("DEL", key)
    with pytest.raises(StoreCorrupt, match="offset 0"):
        journal.note(note(5, 9))


def test_notes_survive_a_kill(own_redis: RedisServer, prefix: str) -> None:
    with contextlib.closing(RedisArchiveJournal(own_redis.url, prefix)) as journal:
        journal.acquire(3, 1)
        journal.note(note(0, 5))
        own_redis.kill()
        own_redis.start()
        assert journal.notes(3) == [note(0, 5)]


def test_keys_of_a_partition_lie_in_one_slot(cluster_url: str, prefix: str) -> None:
    with contextlib.closing(RedisArchiveJournal(cluster_url, prefix)) as journal:
        journal.acquire(3, 1)
        journal.note(note(0, 5, inserted=True))
        journal.forget(3, 5)
        assert journal.acquire(3, 2) == JournalState(5, ())
