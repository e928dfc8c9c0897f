"""Sums of cells and windows against their twins and plain sums: limits, snapshots, exact undo."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.kernels.heaps import Ground, Sight
from tests.core.kernels.sums import AMOUNT_MAX, USD_MAX, Board, Trade, as_stats, cell_of, summed
from tests.core.kernels.twins import agree

from swapstats.core.kernels import cells as compiled
from swapstats.core.kernels import rolling
from swapstats.core.kernels.records import (
    CELL_COUNT,
    CELL_INDEX,
    CELL_INDEX_SIZE,
    FROZEN_CELLS,
    PARTIALS,
)
from swapstats.core.kernels.reference import cells as plain
from swapstats.core.kernels.reference import rolling as plain_rolling
from swapstats.model.stats import WindowStats

amounts = st.sampled_from(
    (0, 1, (1 << 64) - 1, 1 << 64, (1 << 64) + 1, (1 << 63), AMOUNT_MAX, AMOUNT_MAX - 1)
) | st.integers(0, AMOUNT_MAX)
usd = st.sampled_from((None, 0, 1, USD_MAX, (1 << 32) - 1)) | st.integers(0, USD_MAX)
trades = st.builds(
    Trade,
    token=st.integers(0, 7),
    amount=amounts,
    usd=usd,
    is_buy=st.booleans(),
    sign=st.sampled_from((1, 1, -1, 0)),
)
batches = st.dictionaries(st.integers(0, 2), st.lists(trades, max_size=25), max_size=3)


def add(
    board: Board,
    groups: dict[int, list[Trade]],
    stamp: int = 1,
    settled: int = 0,
    room: object = lambda: 0,
) -> None:
    """Add a batch by both forms, with more room whenever there is none."""
    arguments = board.arguments(groups, stamp, settled)
    board.ground.run(compiled.add, plain.add, *arguments, room=room)
    board.changed_count = int(arguments[-1][2])


def shift(board: Board, window: int, sign: int, stamp: int) -> None:
    board.changed_count = agree(
        rolling.shift, plain_rolling.shift, *board.shifted([0, 1, 2], window, sign, stamp)
    )


def undone(batch: list[Trade]) -> list[Trade]:
    return [Trade(one.token, one.amount, one.usd, one.is_buy, -one.sign) for one in batch]


def random_trades(rng: Random, count: int, tokens: int) -> list[Trade]:
    return [
        Trade(
            rng.randrange(tokens),
            rng.choice((0, 1, rng.randrange(1 << 64), AMOUNT_MAX)),
            rng.choice((None, 0, rng.randrange(10**9), USD_MAX)),
            is_buy=rng.random() < 0.5,
            sign=rng.choice((1, 1, 1, -1, 0)),
        )
        for _ in range(count)
    ]


@settings(deadline=None, max_examples=60)
@given(batches, st.sampled_from((0, 40, 4_000)))
def test_sums_are_exact_and_undo_leaves_nothing(groups: dict[int, list[Trade]], slack: int) -> None:
    """Windows of one, two and many buckets that end behind bucket 1: bucket 2 is not in them."""
    board = Board(widths=(1, 2, 100), end_bucket=2)
    add(board, groups, room=lambda: slack)
    inside = [[], *(groups.get(slot, []) for slot in range(3))]
    for token in range(8):
        assert board.stats(token, 0) == summed(groups.get(1, []), token)
        assert board.stats(token, 1) == summed([*inside[1], *inside[2]], token)
        assert board.stats(token, 2) == board.stats(token, 1)
    for slot, group in groups.items():
        touched = {trade.token for trade in group if trade.sign}
        sums = board.ground.sums(board.ground.records[slot])
        assert sums == {token: cell_of(group, token) for token in touched}
    touched = {trade.token for slot in (0, 1) for trade in groups.get(slot, []) if trade.sign}
    assert sorted(board.changed[: board.changed_count].tolist()) == sorted(touched)
    board.changed_count = 0
    add(board, {slot: undone(group) for slot, group in groups.items()}, stamp=4)
    assert not board.rolling.any()
    shift(board, 0, 1, stamp=5)
    assert not board.rolling.any()


@pytest.mark.parametrize("seed", range(24))
def test_snapshots_and_room_given_a_little_at_a_time(seed: int) -> None:
    """What a snapshot has seen stays; further cells of the same token hold what comes after."""
    print("seed", seed)
    rng = Random(seed)
    tokens = rng.choice((3, 30, 150))
    ground = Ground(seed)
    board = Board(ground, widths=(2,), end_bucket=2, tokens=tokens)
    slack = rng.choice(((0,), (0, 60), (0, 2_000)))
    held: list[list[Trade]] = [[], [], []]
    sights: list[Sight] = []
    settled = 0
    for stamp in range(1, rng.randint(3, 9)):
        groups = {
            slot: random_trades(rng, rng.choice((0, 1, 2, 3, 20, 60)), tokens)
            for slot in rng.sample(range(3), rng.randint(1, 3))
        }
        partials = [int(record[PARTIALS]) for record in ground.records]
        begun = [int(record[CELL_COUNT]) for record in ground.records]
        board.changed_count = 0
        add(board, groups, stamp, settled, lambda: rng.choice(slack))
        for slot, group in groups.items():
            held[slot] += group
            record = ground.records[slot]
            touched = {trade.token for trade in held[slot] if trade.sign}
            wanted = {token: cell_of(held[slot], token) for token in touched}
            assert ground.sums(record) == wanted
            assert record[CELL_COUNT] - begun[slot] >= record[PARTIALS] - partials[slot]
        for token in range(tokens):
            assert board.stats(token) == summed([*held[0], *held[1]], token)
        for seen in sights:
            ground.expect_seen(seen)
        if rng.random() < 0.6:
            sights.append(ground.freeze(rng.randrange(3)))
        if rng.random() < 0.2:
            settled = ground.snapshot
            sights.clear()
    assert ground.refusals
    shift(board, 0, -1, stamp=99)
    for token in range(tokens):
        assert board.stats(token) == as_stats(tuple(-part for part in cell_of(held[2], token)))  # type: ignore[arg-type] # six


@pytest.mark.parametrize("seed", range(10))
def test_one_call_with_ample_room_comes_to_the_same(seed: int) -> None:
    print("seed", seed)
    rng = Random(seed)
    cramped, ample = Board(Ground(1), tokens=90), Board(Ground(2), tokens=90)
    ample.ground.make_room(8_000)
    for stamp in (1, 2, 3):
        groups = {slot: random_trades(rng, 50, 90) for slot in range(3)}
        for board in (cramped, ample):
            board.changed_count = 0
            add(board, groups, stamp)
            board.ground.freeze(stamp % 3)
        for one, other in zip(cramped.ground.records, ample.ground.records, strict=True):
            assert cramped.ground.cells(one) == ample.ground.cells(other)
            assert one[PARTIALS] == other[PARTIALS]
        np.testing.assert_array_equal(cramped.rolling, ample.rolling)
        assert cramped.changed.tolist() == ample.changed.tolist()
        assert cramped.changed_count == ample.changed_count
    assert cramped.ground.refusals
    assert not ample.ground.refusals


@pytest.mark.parametrize("seed", range(20))
def test_cells_near_their_limits_overflow_into_further_ones(seed: int) -> None:
    """Cells are made as full as the rules allow; the sum stays the sum of all of them."""
    print("seed", seed)
    rng = Random(seed)
    board = Board()
    top = (1 << 31) - rng.choice((1, 2, 3))
    counts = [rng.choice((top, -top, 0)) for _ in range(3)]
    sums = [rng.choice((1, -1, 0)) * ((1 << 62) + rng.randint(-1, 1)) for _ in range(2)]
    high = rng.choice((1, -1, 0)) * ((3 << 60) + rng.randint(-1, 1))
    cell = [
        3 + (counts[0] << 32), (counts[1] << 32) + counts[2], *sums, rng.choice((0, -1)), high
    ]  # fmt: skip
    board.ground.put_cells(0, [cell])
    shift(board, 0, 1, stamp=1)
    first = board.stats(3)
    batch = [
        Trade(
            3,
            rng.choice((0, 1, AMOUNT_MAX)),
            rng.choice((None, 0, USD_MAX)),
            is_buy=rng.random() < 0.5,
            sign=rng.choice((1, 1, -1)),
        )
        for _ in range(30)
    ]
    board.changed_count = 0
    add(board, {0: batch}, stamp=2)
    record = board.ground.records[0]
    assert record[CELL_COUNT] > 1 or abs(high) < 3 << 60
    assert record[PARTIALS] == 0
    change = summed(batch, 3)
    assert board.stats(3) == WindowStats(
        *(getattr(first, name) + getattr(change, name) for name in WindowStats.__slots__)
    )
    assert as_stats(board.ground.sums(record)[3]) == board.stats(3)
    shift(board, 0, -1, stamp=3)
    assert not board.rolling.any()


def test_a_refusal_leaves_everything_before_it_done_and_nothing_after_it() -> None:
    board = Board()
    board.ground.put_cells(1, [[5, 0, 0, 0, 0, 0]])
    batch = [Trade(5), Trade(4), Trade(5)]
    arguments = board.arguments({1: batch})
    cursor = arguments[-1]
    assert agree(compiled.add, plain.add, *arguments) is False
    assert cursor.tolist() == [0, 1, 1]
    assert (board.stats(5).trades, board.stats(4).trades) == (1, 0)
    board.ground.make_room()
    assert agree(compiled.add, plain.add, *arguments) is True
    assert (board.stats(5).trades, board.stats(4).trades) == (2, 1)
    assert cursor[2] == 2
    assert board.changed[:2].tolist() == [5, 4]


def test_what_a_snapshot_has_seen_gets_a_further_cell_until_nobody_holds_it() -> None:
    board = Board()
    ground = board.ground
    add(board, {0: [Trade(5), Trade(6)]})
    seen = ground.freeze(0)
    add(board, {0: [Trade(5), Trade(7), Trade(5), Trade(7)]}, stamp=2)
    ground.expect_seen(seen)
    record = ground.records[0]
    assert [cell[0] for cell in ground.cells(record)] == [5, 6, 5, 7]
    assert (record[PARTIALS], record[FROZEN_CELLS]) == (1, 2)
    add(board, {0: [Trade(6)]}, stamp=3, settled=ground.snapshot)
    assert record[CELL_COUNT] == 4
    assert ground.sums(record)[6][0] == 2


@pytest.mark.parametrize(
    ("count", "more", "is_made"),
    [
        (0, 16, False),
        (0, 17, True),
        (30, 2, False),
        (30, 3, True),
        (4_096, 2, False),
        (4_097, 1, True),
    ],
)
def test_an_index_is_made_where_it_pays(count: int, more: int, is_made: bool) -> None:
    board = Board(Ground(slabs=(4, 2, 8)), tokens=5_000)
    if count:
        board.ground.put_cells(0, [[token, 0, 0, 0, 0, 0] for token in range(count)])
    add(board, {0: [Trade(token) for token in range(more)]})
    record = board.ground.records[0]
    assert bool(record[CELL_INDEX]) == is_made
    assert not is_made or record[CELL_INDEX_SIZE] >= max(32, 2 * count)
    assert record[CELL_COUNT] == max(count, more)


def test_a_token_is_noted_once_a_stamp_and_only_if_a_window_covers_it() -> None:
    board = Board()
    add(board, {0: [Trade(4), Trade(2), Trade(4)]}, stamp=7)
    add(board, {1: [Trade(2), Trade(1)]}, stamp=7)
    assert board.changed[: board.changed_count].tolist() == [4, 2, 1]
    board.changed_count = 0
    board.end_bucket = 0
    add(board, {0: [Trade(2)]}, stamp=8)
    assert board.changed_count == 0
    assert board.stats(2).trades == 2
