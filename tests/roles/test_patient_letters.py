"""Letters that wait for their store: nothing waits for them, nothing is saved beyond them."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.roles.aggregator.group_rig import Member, group_rig, shown
from tests.roles.aggregator.rig import START_MS, Rig, swap

from swapstats.adapters.embedded.checkpoints import EmbeddedCheckpointStore
from swapstats.core.shard import Shard
from swapstats.errors import StoreFull, SwapstatsError, Transient
from swapstats.model.effects import DeadLetter
from swapstats.roles.patient_letters import LETTER_BYTES, PatientLetters, SavedAfterLetters
from swapstats.testing.eventually import eventually

WAIT_MS = 60_000


def letter(offset: int, partition: int = 0, size: int = 10) -> DeadLetter:
    return DeadLetter(partition, offset, START_MS, "json", "Expected JSON", b"x" * size)


class Kept:
    """A store that may fail, and keeps each letter once."""

    def __init__(self) -> None:
        self.places: dict[tuple[int, int], DeadLetter] = {}
        self.error: SwapstatsError | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.inside = threading.Event()
        self.calls = 0

    def put(self, letters: Sequence[DeadLetter]) -> None:
        self.calls += 1
        self.inside.set()
        assert self.gate.wait(WAIT_MS / 1_000)
        for one in letters[: len(letters) // 2 if self.error else None]:
            self.places.setdefault((one.partition, one.offset), one)
        if self.error is not None:
            raise self.error


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def letters(kept: Kept) -> Iterator[PatientLetters]:
    made = PatientLetters(kept, bytes_max=4 * (LETTER_BYTES + 10))
    made.start()
    yield made
    kept.error = None
    kept.gate.set()
    made.close()


def test_letters_are_stored_and_told_so(kept: Kept, letters: PatientLetters) -> None:
    letters.put([letter(1), letter(5), letter(2, partition=1)])
    assert letters.wait_stored(0, 6, WAIT_MS)
    assert letters.wait_stored(1, 3, WAIT_MS)
    assert set(kept.places) == {(0, 1), (0, 5), (1, 2)}
    assert letters.oldest(0) is None
    assert letters.waiting == 0
    assert letters.stored == 3


def test_while_the_store_is_away_they_wait_and_come_in_the_end(
    kept: Kept, letters: PatientLetters
) -> None:
    kept.error = Transient("the broker is away", 1)
    letters.put([letter(3), letter(7)])
    eventually(lambda: letters.problem, WAIT_MS, "the store to fail")
    assert letters.problem == "the broker is away"
    assert letters.oldest(0) == 3
    assert letters.stored_below(0, 3)
    assert not letters.stored_below(0, 4)
    assert letters.stored_below(1, 99)
    assert not letters.wait_stored(0, 8, WAIT_MS), "it does not wait for what is away"
    letters.put([letter(9)])
    kept.error = None
    eventually(lambda: letters.stored_below(0, 10), WAIT_MS, "the letters to be stored")
    assert [offset for _, offset in kept.places] == [3, 7, 9]
    assert letters.problem == ""


def test_there_is_room_until_too_much_waits(kept: Kept, letters: PatientLetters) -> None:
    kept.error = Transient("away", 1)
    letters.put([letter(1), letter(2), letter(3)])
    assert letters.has_room
    letters.put([letter(4), letter(5)])
    assert not letters.has_room
    assert letters.waiting == 5, "what was decided is taken all the same"
    kept.error = None
    eventually(lambda: letters.has_room, WAIT_MS, "room")


def test_what_was_given_up_is_forgotten_and_may_come_again(
    kept: Kept, letters: PatientLetters
) -> None:
    kept.gate.clear()
    letters.put([letter(4), letter(8), letter(1, partition=1)])
    assert kept.inside.wait(WAIT_MS / 1_000)
    letters.forget([0, 7])
    assert letters.oldest(0) is None
    letters.put([letter(4)])
    kept.gate.set()
    assert letters.wait_stored(0, 9, WAIT_MS)
    assert letters.wait_stored(1, 9, WAIT_MS)
    assert kept.calls >= 2, "the second life's letter was stored by itself"
    assert letters.waiting == 0
    assert letters.has_room


def test_records_that_are_read_again_take_the_place_of_what_waited(
    kept: Kept, letters: PatientLetters
) -> None:
    """A partition that was lost and came back begins below what still waits of it."""
    kept.error = Transient("away", 1)
    letters.put([letter(4), letter(8), letter(12)])
    letters.put([letter(6)])
    assert letters.waiting == 2
    assert not letters.stored_below(0, 5)
    letters.put([letter(2)])
    assert letters.oldest(0) == 2
    assert not letters.stored_below(0, 3), "an older life's letter above hides nothing"
    kept.error = None
    letters.put([letter(4), letter(6), letter(8)])
    eventually(lambda: letters.stored_below(0, 9), WAIT_MS, "all to be stored")
    assert {(0, offset) for offset in (2, 4, 6, 8)} <= set(kept.places)
    assert letters.has_room


def test_a_store_that_refuses_for_good_is_told_to_whoever_puts(
    kept: Kept, letters: PatientLetters
) -> None:
    kept.error = StoreFull("no space")
    letters.put([letter(1), letter(2)])
    eventually(lambda: letters.failure, WAIT_MS, "the failure")
    with pytest.raises(StoreFull, match="no space"):
        letters.put([letter(3)])
    with pytest.raises(StoreFull, match="no space"):
        letters.wait_stored(0, 3, WAIT_MS)
    assert not letters.stored_below(0, 3)


def test_an_end_does_not_wait_for_ever(kept: Kept) -> None:
    kept.error = Transient("away", 1_000_000)
    made = PatientLetters(kept)
    made.start()
    made.put([letter(1)])
    made.close(timeout_ms=1)
    assert made.waiting == 1


def test_a_checkpoint_is_written_after_the_letters_below_it(
    rig: Rig, kept: Kept, letters: PatientLetters
) -> None:
    store = SavedAfterLetters(rig.checkpoints, letters, wait_ms=50)
    shard = Shard(rig.config, store.acquire(0), 0)
    rig.append(swap(0, START_MS), b"nonsense", swap(1, START_MS))
    batch = rig.log.read(0, 0, 1 << 20)
    assert batch is not None
    kept.error = Transient("the broker is away", 1)
    letters.put(shard.apply(batch, START_MS).dead_letters)
    delta = shard.snapshot().encode()
    with pytest.raises(Transient, match="from offset 1 on"):
        store.save(delta)
    assert store.load(0) is None
    kept.error = None
    assert eventually(lambda: letters.stored_below(0, 3), WAIT_MS, "the letter to be stored")
    store.save(delta)
    saved = store.load(0)
    assert saved is not None
    assert saved.header.next_offset == 3
    store.close()


@pytest.mark.parametrize("seed", range(3))
def test_no_letter_is_lost_by_a_crash_while_the_store_is_away(tmp_path: Path, seed: int) -> None:
    """A group's member dies with letters in memory; the next one makes them again."""
    with contextlib.ExitStack() as closing:
        rig, hot = group_rig(tmp_path, 2)
        closing.callback(rig.close)
        kept = Kept()
        fed = 0
        for life in range(4):
            with contextlib.ExitStack() as alive:
                kept.error = Transient("away", 1) if (life + seed) % 2 and life < 3 else None
                letters = PatientLetters(kept)
                letters.start()
                alive.callback(letters.close, 0)
                store = SavedAfterLetters(rig.checkpoints, letters, wait_ms=50)
                member = Member(rig, hot, alive, checkpoints=store, letters=letters)
                member.given.give(0, 1)
                for _ in range(5):
                    rig.append(
                        *(
                            b"bad %d" % number if number % 3 == 0 else swap(number, START_MS)
                            for number in range(fed, fed + 20)
                        )
                    )
                    fed += 20
                    member.work()
                if life == 3:
                    assert all(letters.wait_stored(p, fed, WAIT_MS) for p in range(2))
                # no goodbye: what was not saved is gone with the member
        bad = set()
        for partition in range(2):
            batch = rig.log.read(partition, 0, 1 << 20)
            assert batch is not None
            bad |= {
                (partition, int(offset))
                for row, offset in enumerate(batch.offsets)
                if batch.message(row).startswith(b"bad")
            }
        assert len(bad) > 100
        assert set(kept.places) == bad
        assert shown(rig, hot.store) == rig.recounted(rig.clock.wall_ms())


def test_the_store_behind_is_a_checkpoint_store(tmp_path: Path, letters: PatientLetters) -> None:
    with contextlib.closing(
        SavedAfterLetters(EmbeddedCheckpointStore(tmp_path / "c.db"), letters)
    ) as store:
        assert [store.acquire(3), store.acquire(3)] == [1, 2]
        assert store.load(3, previous=True) is None
