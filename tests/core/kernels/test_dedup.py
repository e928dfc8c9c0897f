"""The add and remove sets against their twins, bit for bit, and against two sets of Python."""

from dataclasses import dataclass, field
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.core.kernels.heaps import Ground, Sight, edges_of
from tests.core.kernels.twins import agree

from swapstats.core.kernels import dedup as compiled
from swapstats.core.kernels.records import (
    CAPACITY,
    ENTRIES,
    FROZEN_USED,
    INDEX,
    INDEX_SIZE,
    STALE,
    USED,
)
from swapstats.core.kernels.reference import dedup as plain

Message = tuple[int, int, int]
"""Fingerprint, content check, 1 = removal."""


@dataclass
class Sets:
    """What is added and what is removed, by bucket."""

    content: dict[tuple[int, int], int] = field(default_factory=dict)
    added: set[tuple[int, int]] = field(default_factory=set)
    removed: set[tuple[int, int]] = field(default_factory=set)

    def take(self, slot: int, message: Message) -> int:
        code, check, is_removal = message
        pair = (slot, code)
        if self.content.setdefault(pair, check) != check:
            return compiled.CONFLICT
        mine, other = (self.removed, self.added) if is_removal else (self.added, self.removed)
        if pair in mine:
            return compiled.DUPLICATE
        mine.add(pair)
        if is_removal:
            return compiled.REMOVED if pair in other else compiled.CANCELLED
        return compiled.CANCELLED if pair in other else compiled.NEW

    def states(self, slot: int) -> dict[int, int]:
        return {
            pair[1]: check * 4 + (pair in self.added) + 2 * (pair in self.removed)
            for pair, check in self.content.items()
            if pair[0] == slot
        }


def codes_for(rng: Random, count: int) -> list[int]:
    """Distinct fingerprints with few homes, some of them the last place of every index."""
    homes = [(1 << 32) - 1, *(rng.randrange(1 << 32) for _ in range(5))]
    codes: set[int] = set()
    while len(codes) < count:
        codes.add(rng.choice(homes) << 32 | rng.randrange(1, 1 << 32))
    return sorted(codes)


def decide(
    ground: Ground,
    groups: dict[int, list[Message]],
    settled: int = 0,
    room: object = lambda: 0,
) -> list[list[int]]:
    """Put messages into the sets of buckets by both forms; returns what was said by group."""
    messages = [message for group in groups.values() for message in group]
    order = list(range(len(messages)))
    Random(len(messages)).shuffle(order)
    row_of = np.array(order, dtype=np.int32)
    by_row = [messages[order.index(row)] for row in range(len(messages))]
    outcome = np.zeros(len(messages), dtype=np.uint8)
    ground.run(
        compiled.decide, plain.decide, ground.words, ground.records,
        np.array(list(groups), dtype=np.int32), edges_of([len(group) for group in groups.values()]),
        row_of, np.array([code for code, _, _ in by_row], dtype=np.uint64),
        np.array([check for _, check, _ in by_row], dtype=np.uint32),
        np.array([removal for _, _, removal in by_row], dtype=np.uint8),
        settled, *ground.memory, np.zeros(2, dtype=np.int64), outcome, room=room,
    )  # fmt: skip
    said = iter(outcome[row_of].tolist())
    return [[next(said) for _ in group] for group in groups.values()]


def expect_found(ground: Ground, record: NDArray[np.int64], others: list[int]) -> None:
    """Expect every fingerprint to be found where the last entry of it is."""
    last = {code: entry for entry, (code, _) in enumerate(ground.entries(record))}
    for code in (*last, *others):
        found = compiled._find(ground.words, ground.halves, record, np.uint64(code))
        assert found == last.get(code, -1)


def random_groups(rng: Random, codes: list[int], most: int) -> dict[int, list[Message]]:
    groups = {}
    for slot in rng.sample(range(3), rng.randint(1, 3)):
        chosen = [rng.choice(codes) for _ in range(rng.choice((0, 1, 2, 3, 20, most)))]
        groups[slot] = [
            (
                code,
                code * 1_000_003 % (1 << 30) ^ (rng.random() < 0.1),
                int(rng.random() < 0.4),
            )
            for code in chosen
        ]
    return groups


@pytest.mark.parametrize("seed", range(30))
def test_random_messages_room_given_a_little_at_a_time(seed: int) -> None:
    """Snapshots come and go; every block is refused at first, or every second, or few."""
    print("seed", seed)
    rng = Random(seed)
    ground, sets = Ground(seed), Sets()
    codes = codes_for(rng, rng.choice((5, 40, 200)))
    sights: list[Sight] = []
    stale = [0, 0, 0]
    settled = 0
    slack = rng.choice(((0,), (0, 30), (0, 3_000)))
    for _ in range(rng.randint(1, 8)):
        groups = random_groups(rng, codes, rng.choice((20, 90)))
        wanted = [[sets.take(slot, one) for one in group] for slot, group in groups.items()]
        assert decide(ground, groups, settled, lambda: rng.choice(slack)) == wanted
        for slot, record in enumerate(ground.records):
            assert ground.pairs(record) == sets.states(slot)
            stale[slot] = int(record[USED]) - len(sets.states(slot))
            assert record[STALE] == stale[slot]
            expect_found(ground, record, codes[:20])
        for seen in sights:
            ground.expect_seen(seen)
        if rng.random() < 0.5:
            sights.append(ground.freeze(rng.randrange(3)))
        if rng.random() < 0.2:
            settled = ground.snapshot
            sights.clear()
    assert ground.refusals


@pytest.mark.parametrize("seed", range(12))
def test_one_call_with_ample_room_comes_to_the_same(seed: int) -> None:
    print("seed", seed)
    rng = Random(seed)
    cramped, ample = Ground(1), Ground(2)
    ample.make_room(8_000)
    codes = codes_for(rng, 120)
    for _ in range(3):
        groups = random_groups(rng, codes, 200)
        assert decide(cramped, groups) == decide(ample, groups)
        for one, other in zip(cramped.records, ample.records, strict=True):
            assert cramped.entries(one) == ample.entries(other)
        slot = rng.randrange(3)
        cramped.freeze(slot)
        ample.freeze(slot)
    assert cramped.refusals
    assert not ample.refusals


def test_a_refusal_leaves_everything_before_it_done_and_nothing_after_it() -> None:
    """Two entries fit; the third needs a larger block, which is not to be had."""
    ground = Ground()
    ground.put_entries(0, [(7 << 32, 1), (8 << 32, 1)])
    codes = np.array([7 << 32, 9 << 32, 8 << 32], dtype=np.uint64)
    outcome, cursor = np.zeros(3, dtype=np.uint8), np.zeros(2, dtype=np.int64)
    arguments = (
        ground.words, ground.records, np.array([0], dtype=np.int32), edges_of([3]),
        np.arange(3, dtype=np.int32), codes, np.zeros(3, dtype=np.uint32),
        np.array([1, 0, 0], dtype=np.uint8), 0, *ground.memory, cursor, outcome,
    )  # fmt: skip
    assert agree(compiled.decide, plain.decide, *arguments) is False
    assert cursor.tolist() == [0, 1]
    assert outcome.tolist() == [compiled.REMOVED, compiled.NOT_LOOKED, compiled.NOT_LOOKED]
    assert ground.entries(ground.records[0]) == [(7 << 32, 3), (8 << 32, 1)]
    ground.make_room()
    assert agree(compiled.decide, plain.decide, *arguments) is True
    assert outcome.tolist() == [compiled.REMOVED, compiled.NEW, compiled.DUPLICATE]
    assert ground.entries(ground.records[0]) == [(7 << 32, 3), (8 << 32, 1), (9 << 32, 1)]


def test_what_a_snapshot_has_seen_is_superseded_until_nobody_holds_it() -> None:
    ground = Ground()
    add, take_back = (5 << 32, 9, 0), (5 << 32, 9, 1)
    assert decide(ground, {1: [add, (6 << 32, 9, 0)]}) == [[compiled.NEW, compiled.NEW]]
    seen = ground.freeze(1)
    assert decide(ground, {1: [add, take_back, take_back]}) == [
        [compiled.DUPLICATE, compiled.REMOVED, compiled.DUPLICATE]
    ]
    ground.expect_seen(seen)
    record = ground.records[1]
    assert ground.entries(record)[-1] == (5 << 32, 9 << 2 | 3)
    assert (record[USED], record[STALE], record[FROZEN_USED]) == (3, 1, 2)
    other = (6 << 32, 9, 1)
    assert decide(ground, {1: [other]}, settled=ground.snapshot) == [[compiled.REMOVED]]
    assert (record[USED], record[STALE]) == (3, 1)
    assert ground.entries(record)[1] == (6 << 32, 9 << 2 | 3)


def test_an_entry_added_after_the_snapshot_is_changed_where_it_lies() -> None:
    ground = Ground()
    decide(ground, {0: [(5 << 32, 1, 0)]})
    ground.freeze(0)
    said = decide(ground, {0: [(6 << 32, 1, 1), (6 << 32, 1, 0)]})
    assert said == [[compiled.CANCELLED, compiled.CANCELLED]]
    assert ground.records[0, [USED, STALE]].tolist() == [2, 0]


@pytest.mark.parametrize(
    ("used", "more", "is_made"),
    [
        (0, 16, False),
        (0, 17, True),
        (30, 2, False),
        (30, 3, True),
        (4_096, 2, False),
        (4_097, 1, True),
    ],
)
def test_an_index_is_made_where_it_pays(used: int, more: int, is_made: bool) -> None:
    ground = Ground()
    if used:
        ground.put_entries(0, [(code << 32 | 1, 4) for code in range(1, used + 1)])
    messages = [(code << 32 | 1, 1, 0) for code in range(used, used + more)]
    said = decide(ground, {0: messages})[0]
    assert said[1:] == [compiled.NEW] * (more - 1)
    assert bool(ground.records[0, INDEX]) == is_made
    size = int(ground.records[0, INDEX_SIZE])
    assert not is_made or size >= 2 * (used + more) > size // 2 or size == 32
    expect_found(ground, ground.records[0], [99 << 40])


@pytest.mark.parametrize("check", [0, 1, (1 << 30) - 1])
def test_all_bits_of_a_check_are_kept(check: int) -> None:
    ground = Ground()
    code = 1 << 63
    messages = [(code, check, 0), *((code, check ^ 1 << bit, 0) for bit in range(30))]
    assert decide(ground, {0: messages}) == [[compiled.NEW, *[compiled.CONFLICT] * 30]]
    assert ground.entries(ground.records[0]) == [(code, check << 2 | 1)]


@pytest.mark.parametrize("seed", range(10))
def test_blocks_and_indexes_of_any_size(seed: int) -> None:
    """An index finds the newest of equal fingerprints; a larger block holds the same."""
    print("seed", seed)
    rng = Random(seed)
    ground = Ground(seed)
    codes = codes_for(rng, 40)
    chosen = [rng.choice(codes[:30]) for _ in range(rng.randint(1, 60))]
    entries = [(code, rng.randrange(1 << 32)) for code in chosen]
    ground.put_entries(1, entries)
    record = ground.records[1]
    for _ in range(4):
        if rng.random() < 0.5:
            size = 32 << rng.randint(1, 3)
            ground.run(
                compiled.make_index, plain.make_index, ground.words, record, size, *ground.memory
            )
            assert record[INDEX_SIZE] == size
        else:
            capacity = len(entries) + rng.choice((0, 1, 30))
            capacity += capacity % 2
            old = int(record[ENTRIES])
            ground.run(
                compiled.grow_entries, plain.grow_entries, ground.words, record, capacity,
                *ground.memory,
            )  # fmt: skip
            assert record[CAPACITY] == capacity
            assert record[ENTRIES] != old
        assert ground.entries(record) == entries
        expect_found(ground, record, codes)
