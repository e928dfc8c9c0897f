"""Sums of cells and windows against their twins and plain sums: carries, limits, exact undo."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.kernels.sums import AMOUNT_MAX, USD_MAX, Board, Trade, summed
from tests.core.kernels.twins import agree

from swapstats.core.kernels import cells as compiled
from swapstats.core.kernels.reference import cells as plain
from swapstats.model.stats import ROW_WORDS, WindowStats, from_row, to_row

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
    sign=st.sampled_from((1, -1)),
)


def add(board: Board, batch: list[Trade], inside: tuple[int, int] = (1, 1), stamp: int = 1) -> None:
    """Add a batch by both forms, and more room whenever the cells are full."""
    arguments = board.arguments(batch, inside, stamp)
    while True:
        arguments[4], board.cell_count, board.changed_count = agree(
            compiled.add, plain.add, *arguments
        )
        if arguments[4] == len(batch):
            return
        assert board.cell_count == len(board.cells)
        board.cells = np.concatenate((board.cells, np.zeros_like(board.cells)))
        board.index = np.zeros(2 * len(board.index), dtype=np.int32)
        agree(compiled.index_cells, plain.index_cells, board.cells, board.cell_count, board.index)
        arguments[:3] = board.cells, board.index, board.cell_count
        arguments[-1] = board.changed_count


def shift(board: Board, window: int, sign: int, stamp: int) -> None:
    board.changed_count = agree(
        compiled.shift, plain.shift, board.cells, board.cell_count, window, sign, board.rolling,
        board.stamps, stamp, board.changed, 0,
    )  # fmt: skip


def undone(batch: list[Trade]) -> list[Trade]:
    return [Trade(one.token, one.amount, one.usd, one.is_buy, -one.sign) for one in batch]


@settings(deadline=None)
@given(st.lists(trades, max_size=40), st.sampled_from((1, 2, 8)))
def test_sums_are_exact_and_undo_leaves_nothing(batch: list[Trade], capacity: int) -> None:
    board = Board(capacity=capacity)
    add(board, batch, inside=(1, 0))
    for token in range(8):
        assert board.stats(token, 0) == summed(batch, token)
        row = np.zeros(ROW_WORDS, dtype=np.int64)
        agree(compiled.sum_token, plain.sum_token, board.cells, board.cell_count, token, row)
        assert row.tolist() == board.rolling[token, 0].tolist()
    assert not board.rolling[:, 1].any()
    touched = {trade.token for trade in batch}
    assert set(board.changed[: board.changed_count].tolist()) == touched
    kept = board.rolling.copy()
    shift(board, 1, 1, stamp=2)
    assert board.rolling[:, 1].tolist() == board.rolling[:, 0].tolist()
    shift(board, 1, -1, stamp=3)
    np.testing.assert_array_equal(board.rolling, kept)
    board.changed_count = 0
    add(board, undone(batch), inside=(1, 0), stamp=4)
    assert not board.rolling.any()
    shift(board, 0, 1, stamp=5)
    assert not board.rolling.any()


@pytest.mark.parametrize("seed", range(20))
def test_cells_near_their_limits_overflow_into_further_ones(seed: int) -> None:
    """Cells are made as full as the rules allow; the sum stays the sum of all of them."""
    print("seed", seed)
    rng = Random(seed)
    board = Board(capacity=4)
    top = (1 << 31) - rng.choice((1, 2, 3))
    counts = [rng.choice((top, -top, 0)) for _ in range(3)]
    sums = [rng.choice((1, -1, 0)) * ((1 << 62) + rng.randint(-1, 1)) for _ in range(2)]
    high = rng.choice((1, -1, 0)) * ((3 << 60) + rng.randint(-1, 1))
    board.cells[0] = [
        3 + (counts[0] << 32), (counts[1] << 32) + counts[2], *sums, rng.choice((0, -1)), high
    ]  # fmt: skip
    board.cell_count = 1
    agree(compiled.index_cells, plain.index_cells, board.cells, 1, board.index)
    shift(board, 0, 1, stamp=1)
    first = board.stats(3, 0)
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
    add(board, batch, inside=(1, 0), stamp=2)
    assert board.cell_count > 1 or abs(high) < 3 << 60
    change = summed(batch, 3)
    assert board.stats(3, 0) == WindowStats(
        *(getattr(first, name) + getattr(change, name) for name in WindowStats.__slots__)
    )
    shift(board, 0, -1, stamp=3)
    assert not board.rolling.any()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    "start",
    [
        WindowStats(vol_usd=(1 << 64) - 1, vol_token=(1 << 64) - 1, buy_usd=(1 << 64) - 1),
        WindowStats(vol_usd=-(1 << 64), vol_token=-(1 << 128), buy_usd=-1),
        WindowStats(vol_usd=1 << 64, vol_token=1 << 128, buy_usd=1 << 64),
        WindowStats(vol_usd=(1 << 126), vol_token=(1 << 128) - 1, buy_usd=(1 << 126) - 1),
        WindowStats(vol_token=((1 << 64) - 1) << 64),
        WindowStats(vol_usd=10**18 << 60, vol_token=10**38 << 60, buy_usd=10**18 << 60),
        WindowStats(vol_usd=-1, vol_token=-1, buy_usd=-1),
        WindowStats(),
    ],
)
def test_carries_and_borrows_through_all_words(start: WindowStats, sign: int) -> None:
    """128 and 192 bits, from where one more unit changes every word."""
    for amount, value in ((1, 1), (0, 0), (AMOUNT_MAX, USD_MAX), ((1 << 64) - 1, 2), (1 << 64, 1)):
        board = Board()
        board.rolling[2, 0] = to_row(start)
        add(board, [Trade(2, amount, value, sign=sign)], inside=(1, 0))
        after = from_row(board.rolling[2, 0])
        assert after.vol_token == start.vol_token + sign * amount
        assert after.vol_usd == start.vol_usd + sign * value
        assert after.buy_usd == start.buy_usd + sign * value
        shift(board, 0, -1, stamp=2)
        assert board.rolling[2, 0].tolist() == to_row(start).tolist()


def test_a_token_is_noted_once_a_stamp() -> None:
    board = Board()
    add(board, [Trade(4), Trade(2), Trade(4)], stamp=7)
    add(board, [Trade(2), Trade(1)], stamp=7)
    assert board.changed[: board.changed_count].tolist() == [4, 2, 1]
    board.changed_count = 0
    add(board, [Trade(2)], inside=(0, 0), stamp=8)
    assert board.changed_count == 0
