"""Buckets packed tight, against their twins: nothing lost, nothing kept that is superseded."""

from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.core.kernels.heaps import Cell, Ground, Sight, blocks_of, edges_of
from tests.core.kernels.sums import Board, Trade
from tests.core.kernels.twins import agree

from swapstats.core.kernels import cells, dedup
from swapstats.core.kernels import seal as compiled
from swapstats.core.kernels.records import (
    CAPACITY,
    CELL_CAPACITY,
    CELL_COUNT,
    CELL_INDEX,
    FROZEN_CELLS,
    FROZEN_USED,
    INDEX,
    IS_ROOMY,
    PARTIALS,
    STALE,
    TOUCHED,
    USED,
)
from swapstats.core.kernels.reference import cells as plain_cells
from swapstats.core.kernels.reference import dedup as plain_dedup
from swapstats.core.kernels.reference import seal as plain

KEEP: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
TOKENS = 12


def decide(ground: Ground, slot: int, messages: list[tuple[int, int]]) -> None:
    """Put (fingerprint, 1 = removal) into a bucket."""
    count = len(messages)
    ground.run(
        dedup.decide, plain_dedup.decide, ground.words, ground.records,
        np.array([slot], dtype=np.int32), edges_of([count]), np.arange(count, dtype=np.int32),
        np.array([code for code, _ in messages], dtype=np.uint64),
        np.array([code % 1_000 for code, _ in messages], dtype=np.uint32),
        np.array([removal for _, removal in messages], dtype=np.uint8), 0, *ground.memory,
        np.zeros(2, dtype=np.int64), np.zeros(count, dtype=np.uint8),
    )  # fmt: skip


def add(ground: Ground, slot: int, trades: list[Trade]) -> None:
    """Add trades to a bucket."""
    arguments = Board(ground, tokens=TOKENS).arguments({slot: trades})
    ground.run(cells.add, plain_cells.add, *arguments)


def seal(ground: Ground, slot: int, numbers: NDArray[np.int64] = KEEP) -> None:
    """Seal a bucket by both forms, with room whenever there is none."""
    cell_of = np.zeros(TOKENS, dtype=np.int32)
    ground.run(
        compiled.seal, plain.seal, ground.words, ground.records[slot], numbers, cell_of,
        *ground.memory,
    )  # fmt: skip
    assert not cell_of.any()


def histories(ground: Ground, rng: Random, slot: int) -> list[Sight]:
    """Let a bucket live through messages, trades and snapshots."""
    codes = [rng.randrange(1, 1 << 64) for _ in range(rng.choice((2, 30)))]
    sights = []
    for _ in range(rng.randint(1, 5)):
        if rng.random() < 0.8:
            decide(
                ground,
                slot,
                [(rng.choice(codes), rng.randrange(2)) for _ in range(rng.choice((1, 3, 25)))],
            )
        if rng.random() < 0.8:
            add(
                ground,
                slot,
                [
                    Trade(
                        rng.randrange(TOKENS),
                        rng.randrange(10**30),
                        rng.choice((None, rng.randrange(10**12))),
                        rng.random() < 0.5,
                        rng.choice((1, 1, -1)),
                    )
                    for _ in range(rng.choice((1, 3, 25)))
                ],
            )
        if rng.random() < 0.7:
            sights.append(ground.freeze(slot))
    return sights


def expect_tight(record: NDArray[np.int64]) -> None:
    """Expect no more room than a few latecomers need, and nothing that one can do without."""
    spare = min(4, record[USED] // 16)
    assert record[USED] + spare <= record[CAPACITY] <= record[USED] + spare + 1
    assert record[CELL_COUNT] <= record[CELL_CAPACITY] <= record[CELL_COUNT] + 4
    gone = [STALE, PARTIALS, INDEX, CELL_INDEX, FROZEN_USED, FROZEN_CELLS, IS_ROOMY]
    assert not record[gone].any()


@pytest.mark.parametrize("seed", range(40))
def test_any_history(seed: int) -> None:
    """Pairs and sums are what they were; every token and every pair is there once."""
    print("seed", seed)
    rng = Random(seed)
    ground = Ground(seed)
    for slot in range(3):
        record = ground.records[slot]
        record[IS_ROOMY] = 1
        sights = histories(ground, rng, slot)
        pairs, sums = ground.pairs(record), ground.sums(record)
        numbers = KEEP
        if rng.random() < 0.5:
            numbers = np.array(rng.sample(range(TOKENS), TOKENS), dtype=np.int64)
        seal(ground, slot, numbers)
        expect_tight(record)
        assert sorted(ground.entries(record)) == sorted(pairs.items())
        found = ground.sums(record)
        assert found == {
            int(numbers[token]) if len(numbers) else token: each for token, each in sums.items()
        }
        assert record[CELL_COUNT] == len(found)
        for seen in sights:
            ground.expect_seen(seen)
    for slot in range(3):
        before = [ground.pairs(record) for record in ground.records]
        decide(ground, slot, [(code, 1) for code in list(before[slot])[:20]] or [(1, 0)])
        add(ground, slot, [Trade(token) for token in range(TOKENS)])
        assert set(before[slot]) <= set(ground.pairs(ground.records[slot]))
    assert ground.refusals


def test_entries_keep_the_order_of_their_last_states() -> None:
    ground = Ground()
    decide(ground, 0, [(1, 0), (2, 0), (3, 0)])
    ground.freeze(0)
    decide(ground, 0, [(2, 1)])
    record = ground.records[0]
    assert (record[USED], record[STALE], record[INDEX]) == (4, 1, 0)
    seal(ground, 0)
    assert ground.entries(record) == [(1, 5), (3, 13), (2, 11)]
    assert record[CAPACITY] == 4


def test_a_bucket_read_back_with_superseded_entries() -> None:
    """Entries as a checkpoint holds them, the superseded ones counted; then more of them."""
    ground = Ground(seed=9)
    ground.put_entries(0, [(1, 5), (2, 9), (3, 13), (1, 7), (2, 11)])
    record = ground.records[0]
    record[STALE] = 2
    ground.freeze(0)
    decide(ground, 0, [(3, 1), (1, 1)])
    assert record[[USED, STALE]].tolist() == [6, 3]
    seal(ground, 0)
    assert ground.entries(record) == [(1, 7), (2, 11), (3, 15)]
    decide(ground, 0, [(4, 0)])
    assert ground.entries(record) == [(1, 7), (2, 11), (3, 15), (4, 17)]


@pytest.mark.parametrize(("count", "spare"), [(15, 0), (16, 1), (32, 2), (64, 4), (200, 4)])
def test_a_packed_bucket_has_room_for_few_latecomers(count: int, spare: int) -> None:
    ground = Ground()
    ground.put_entries(0, [(code, 5) for code in range(1, count + 1)])
    ground.put_cells(0, [[0, 0, 0, 0, 0, 0]] * count)
    record = ground.records[0]
    seal(ground, 0)
    assert record[CAPACITY] == count + spare + (count + spare) % 2
    assert record[CELL_CAPACITY] == count + spare
    before = blocks_of(record)
    for late in range(spare):
        decide(ground, 0, [(1_000 + late, 0)])
        add(ground, 0, [Trade(1 + late)])
    assert blocks_of(record) == before


def test_cells_that_no_snapshot_parted_are_not_joined() -> None:
    """They were begun because a word was full: there is nothing to gain."""
    ground = Ground()
    laid = [[5, 1, 1, 1, 1, 0], [6, 1, 1, 1, 1, 0], [5, 2, 2, 2, 2, 0]]
    ground.put_cells(0, laid)
    seal(ground, 0)
    assert ground.cells(ground.records[0]) == laid
    ground.records[0, PARTIALS] = 1
    seal(ground, 0)
    assert ground.cells(ground.records[0]) == [[5, 3, 3, 3, 3, 0], laid[1]]


TOP = (1 << 31) - 2
USD = 1 << 62
HIGH = 3 << 59


@pytest.mark.parametrize(
    ("one", "other", "is_joined"),
    [
        ((1, 1, 0, 0, 0, 0), (TOP - 1, 0, 0, 0, 0, 0), True),
        ((1, 1, 0, 0, 0, 0), (TOP, 0, 0, 0, 0, 0), False),
        ((-1, -1, 0, 0, 0, 0), (TOP, 0, 0, 0, 0, 0), False),
        ((-1, -1, 0, 0, 0, 0), (1 - TOP, 0, 0, 0, 0, 0), True),
        ((0, TOP, 0, 0, 0, 0), (0, 1, 0, 0, 0, 0), False),
        ((0, -TOP, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0), True),
        ((0, 0, TOP - 5, 0, 0, 0), (-3, -2, 5, 0, 0, 0), True),
        ((0, 0, TOP - 5, 0, 0, 0), (0, 0, -6, 0, 0, 0), False),
        ((0, 0, 0, USD - 1, 0, 0), (0, 0, 0, 1, 0, 0), True),
        ((0, 0, 0, USD, 0, 0), (0, 0, 0, 1, 0, 0), False),
        ((0, 0, 0, USD, USD, 0), (0, 0, 0, -USD, -USD, 0), True),
        ((0, 0, 0, USD + 1, 0, 0), (0, 0, 0, -1, 0, 0), False),
        ((0, 0, 0, 0, -USD, 0), (0, 0, 0, 0, -1, 0), False),
        ((0, 0, 0, 0, 0, ((HIGH + 1) << 64) - 1), (0, 0, 0, 0, 0, ((HIGH + 1) << 64) - 1), True),
        ((0, 0, 0, 0, 0, (HIGH + 1) << 64), (0, 0, 0, 0, 0, 0), False),
        ((0, 0, 0, 0, 0, -HIGH << 64), (0, 0, 0, 0, 0, -1), True),
        ((0, 0, 0, 0, 0, (-HIGH << 64) - 1), (0, 0, 0, 0, 0, 0), False),
        ((0, 0, 0, 0, 0, -1), (0, 0, 0, 0, 0, 1), True),
    ],
)
def test_cells_are_joined_unless_the_sum_might_not_fit(
    one: Cell, other: Cell, is_joined: bool
) -> None:
    """Trades, buys, unpriced, USD, USD of buys, amount; either cell first."""
    total = tuple(a + b for a, b in zip(one, other, strict=True))
    for first, second in ((one, other), (other, one)):
        ground = Ground()
        ground.put_cells(0, [words_of(3, first), words_of(4, one), words_of(3, second)])
        record = ground.records[0]
        record[PARTIALS] = 1
        seal(ground, 0)
        assert ground.sums(record) == {3: total, 4: one}
        assert record[CELL_COUNT] == 3 - is_joined
        seal(ground, 0)
        assert record[CELL_COUNT] == 3 - is_joined


def words_of(token: int, sums: Cell) -> list[int]:
    trades, buys, unpriced, usd, buy_usd, amount = sums
    low = amount % (1 << 64)
    return [
        (unpriced << 32) + token, (buys << 32) + trades, usd, buy_usd,
        low - (low >> 63 << 64), amount >> 64,
    ]  # fmt: skip


def test_an_empty_bucket_needs_no_room() -> None:
    ground = Ground()
    ground.records[0, IS_ROOMY] = 1
    seal(ground, 0)
    assert not ground.refusals
    assert not ground.records[0].any()


@pytest.mark.parametrize("has_cells", [False, True])
def test_entries_or_cells_alone(has_cells: bool) -> None:
    ground = Ground()
    if has_cells:
        ground.put_cells(0, [[1, 2, 3, 4, 5, 6]])
    else:
        ground.put_entries(0, [(7, 1)])
    seal(ground, 0)
    expect_tight(ground.records[0])
    assert len(blocks_of(ground.records[0])) == 1


def test_a_block_at_the_very_end_of_the_heap() -> None:
    ground = Ground(slabs=(1,))
    ground.put_entries(0, [(7, 1), (8, 1)])
    ground.make_room(8_192 - 2 * 3)
    ground.bump[:2] = len(ground.words) - 3, len(ground.words)
    seal(ground, 0)
    assert ground.entries(ground.records[0]) == [(7, 1), (8, 1)]
    assert not ground.refusals


def quiet(
    ground: Ground, roomy: list[int], since: int, words_max: int = 1 << 40
) -> tuple[list[int], bool]:
    """Seal what is quiet, once; returns what is left and whether room was wanted."""
    listed = np.array([*roomy, -9], dtype=np.int32)
    cell_of = np.zeros(TOKENS, dtype=np.int32)
    count = agree(
        compiled.seal_quiet, plain.seal_quiet, ground.words, ground.records, listed, len(roomy),
        since, words_max, KEEP, cell_of, *ground.memory,
    )  # fmt: skip
    ground.expect_accounted()
    assert listed[-1] == -9
    left: list[int] = listed[:count].tolist()
    return left, bool(ground.bump[2])


@pytest.mark.parametrize("seed", range(20))
def test_quiet_buckets_are_sealed_and_others_wait(seed: int) -> None:
    """Room is refused before every single one; slots without a bucket fall out."""
    print("seed", seed)
    rng = Random(seed)
    ground = Ground(seed, slots=10)
    pairs = []
    for slot, record in enumerate(ground.records):
        histories(ground, rng, slot)
        record[IS_ROOMY] = rng.random() < 0.8
        record[TOUCHED] = rng.randrange(10)
        pairs.append((ground.pairs(record), ground.sums(record)))
    roomy = rng.sample(range(10), 10)
    wanted = [
        slot
        for slot in roomy
        if ground.records[slot, IS_ROOMY] and ground.records[slot, TOUCHED] > 5
    ]
    left, is_refused = quiet(ground, roomy, since=5)
    while is_refused:
        ground.make_room()
        left, is_refused = quiet(ground, left, since=5)
    assert left == wanted
    for slot, record in enumerate(ground.records):
        assert record[IS_ROOMY] == (slot in wanted)
        assert (ground.pairs(record), ground.sums(record)) == pairs[slot]


def test_not_more_is_moved_than_the_bound_and_one_bucket() -> None:
    ground = Ground(slots=4)
    for slot in range(4):
        ground.put_cells(slot, [[1, 0, 0, 0, 0, 0]] * 2)
        ground.records[slot, IS_ROOMY] = 1
    ground.make_room(1_000)
    assert quiet(ground, [3, 1, 0, 2], since=0, words_max=12) == ([0, 2], False)
    assert quiet(ground, [0, 2], since=0, words_max=11) == ([2], False)
    assert quiet(ground, [2], since=0, words_max=-1) == ([2], False)


def test_a_slot_listed_more_than_once_is_left_once() -> None:
    """A slot that was given up and used again is listed again; lists must not grow by it."""
    ground = Ground(slots=3)
    ground.records[:, IS_ROOMY] = 1
    ground.records[:, TOUCHED] = 9
    assert quiet(ground, [1, 0, 1, 1, 2, 0], since=5) == ([1, 0, 2], False)
    assert ground.records[:, IS_ROOMY].tolist() == [1, 1, 1]
    ground.records[0, IS_ROOMY] = 0
    ground.records[2, TOUCHED] = 5
    assert quiet(ground, [1, 0, 2, 2, 1], since=5) == ([1], False)
    assert ground.records[:, IS_ROOMY].tolist() == [0, 1, 0]
