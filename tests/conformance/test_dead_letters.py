"""What every dead-letter store must do: the port's promises, on each adapter."""

import random
from collections import Counter
from collections.abc import Callable

from swapstats.model.effects import DeadLetter
from swapstats.ports.dead_letters import DeadLetterReader, DeadLetterStore

OpenStore = Callable[[], DeadLetterStore]
OpenReader = Callable[[], DeadLetterReader]


def letter(offset: int, *, partition: int = 0, reason: str = "bad_side", **more: int) -> DeadLetter:
    return DeadLetter(
        partition=partition,
        offset=offset,
        append_ms=more.get("append_ms", 1_000 + offset),
        reason=reason,
        detail="Expected buy or sell, was 'ü'",
        message=b"\x00\xff not utf-8 \n%d" % offset,
    )


def test_new_store_is_empty(open_dead_letters: OpenStore) -> None:
    store = open_dead_letters()
    assert store.counts() == {}
    assert list(store.scan()) == []
    assert store.trim(0) == 0
    store.put([])
    assert store.counts() == {}


def test_letters_come_back_whole_newest_first(open_dead_letters: OpenStore) -> None:
    store = open_dead_letters()
    letters = [letter(at) for at in range(5)]
    store.put([letters[3], letters[0]])
    store.put([letters[4], letters[1], letters[2]])
    assert list(store.scan()) == letters[::-1]
    assert list(store.scan(limit=2)) == [letters[4], letters[3]]
    assert list(store.scan(limit=0)) == []


def test_what_is_kept_is_left_as_it_is(open_dead_letters: OpenStore) -> None:
    store = open_dead_letters()
    first = letter(1, reason="bad_side")
    store.put([first])
    store.put([letter(1, reason="conflict"), letter(1, partition=1), letter(2)])
    assert store.counts() == {"bad_side": 3}
    assert first in list(store.scan())
    assert store.trim(2) == 1
    assert sum(store.counts().values()) == 2


def test_counts_and_scan_by_reason(open_dead_letters: OpenStore) -> None:
    store = open_dead_letters()
    store.put([letter(at, reason=("conflict", "bad_side", "bad_side")[at % 3]) for at in range(9)])
    assert store.counts() == {"bad_side": 6, "conflict": 3}
    assert [found.offset for found in store.scan(reason="conflict")] == [6, 3, 0]
    assert [found.offset for found in store.scan(reason="bad_side", limit=2)] == [8, 7]
    assert list(store.scan(reason="unheard of")) == []


def test_trim_drops_the_oldest(open_dead_letters: OpenStore) -> None:
    store = open_dead_letters()
    store.put([letter(at) for at in range(10)])
    assert store.trim(10) == 0
    assert store.trim(4) == 6
    assert [found.offset for found in store.scan()] == [9, 8, 7, 6]
    store.put([letter(20)])
    assert store.trim(4) == 1


def test_everything_is_there_after_opening_again(open_dead_letters: OpenStore) -> None:
    store = open_dead_letters()
    store.put([letter(at) for at in range(3)])
    store.close()
    store = open_dead_letters()
    assert store.counts() == {"bad_side": 3}
    assert store.trim(1) == 2


def test_long_scan_is_not_disturbed_by_new_letters(open_dead_letters: OpenStore) -> None:
    store = open_dead_letters()
    store.put([letter(at) for at in range(1_000)])
    found = []
    for kept in store.scan(limit=900):
        found.append(kept.offset)
        store.put([letter(2_000 + kept.offset)])
    assert found == list(range(999, 99, -1))


def test_reader_beside_the_writer_sees_letters(
    open_dead_letters: OpenStore, open_dead_letter_reader: OpenReader
) -> None:
    store = open_dead_letters()
    reader = open_dead_letter_reader()
    assert reader.counts() == {}
    store.put([letter(1)])
    assert list(reader.scan()) == [letter(1)]


def test_random_use_equals_a_dictionary(open_dead_letters: OpenStore) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    store = open_dead_letters()
    kept: dict[tuple[int, int], DeadLetter] = {}
    for _ in range(60):
        letters = [
            letter(
                chance.randrange(200),
                partition=chance.randrange(3),
                reason=chance.choice(("conflict", "bad_side", "too_large")),
                append_ms=chance.randrange(50),
            )
            for _ in range(chance.randrange(12))
        ]
        store.put(letters)
        for put in letters:
            kept.setdefault((put.partition, put.offset), put)
        newest = sorted(
            kept.values(), key=lambda k: (k.append_ms, k.partition, k.offset), reverse=True
        )
        if chance.random() < 0.2:
            bound = chance.randrange(60)
            assert store.trim(bound) == max(0, len(newest) - bound)
            newest = newest[:bound]
            kept = {(k.partition, k.offset): k for k in newest}
        assert [found.append_ms for found in store.scan(limit=1_000)] == [
            k.append_ms for k in newest
        ]
        assert {(k.partition, k.offset): k for k in store.scan(limit=1_000)} == kept
        assert store.counts() == Counter(k.reason for k in newest)
