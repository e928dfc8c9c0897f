"""Rolling rows by hand, of both forms; what does not fit is an error of the twin."""

from types import ModuleType

import numpy as np
import pytest
from tests.core.kernels.sums import Board

from swapstats.core.kernels import rolling as compiled
from swapstats.core.kernels.reference import rolling as plain
from swapstats.core.kernels.reference.rolling import Sum, read_cell, write_cell
from swapstats.model.stats import ROW_WORDS

both = pytest.mark.parametrize("twin", [compiled, plain], ids=["kernel", "twin"])
CELLS = [
    [(2 << 32) + 5, (1 << 32) + 3, 11, 10, 7, 3],
    [6, 1, 0, 0, 1, 0],
    [-(1 << 32) + 5, -(1 << 32) - 2, -12, -11, -1, -4],
]
FIVE = [-1, -1, 6, 0, 0, -1, -1, 1, 0, 1]


@both
def test_buckets_enter_and_leave_a_window(twin: ModuleType) -> None:
    board = Board(widths=(1, 1))
    board.ground.put_cells(1, CELLS)
    assert twin.shift(*board.shifted([0, 1, 2], 1, 1, stamp=3)) == 2
    assert board.changed[:2].tolist() == [5, 6]
    assert board.stamps.tolist() == [0, 0, 0, 0, 0, 3, 3, 0]
    assert board.rolling[5, 1].tolist() == FIVE
    assert board.rolling[6, 1].tolist() == [0, 0, 1, 0, 0, 0, 0, 1, 0, 0]
    assert not board.rolling[:, 0].any()
    assert twin.shift(*board.shifted([1], 1, -1, stamp=3)) == 0
    assert not board.rolling.any()


@both
def test_sums_of_a_token_bucket_by_bucket(twin: ModuleType) -> None:
    board = Board()
    board.ground.put_cells(1, CELLS)
    rows = np.zeros((3, ROW_WORDS), dtype=np.int64)
    slots = np.array([1, 0, 1], dtype=np.int32)
    twin.sum_token(board.ground.words, board.ground.records, slots, 5, rows)
    assert rows.tolist() == [FIVE, [0] * ROW_WORDS, FIVE]


@pytest.mark.parametrize(
    "total",
    [
        Sum(usd=1 << 63),
        Sum(buy_usd=-(1 << 63) - 1),
        Sum(amount=1 << 127),
        Sum(trades=1 << 31),
        Sum(buys=-(1 << 31) - 1),
        Sum(unpriced=1 << 31),
    ],
)
def test_what_does_not_fit_is_no_cell(total: Sum) -> None:
    with pytest.raises(OverflowError, match=r"Expected .* was "):
        write_cell(np.zeros(6, dtype=np.int64), 0, total)


def test_a_cell_is_read_as_it_was_written() -> None:
    cell = np.zeros(6, dtype=np.int64)
    total = Sum(-(1 << 62), (1 << 63) - 1, -(1 << 127), -(1 << 31) + 1, (1 << 31) - 1, -7)
    write_cell(cell, (1 << 31) - 1, total)
    assert read_cell(cell) == total
    assert plain.token_of(cell) == (1 << 31) - 1
    assert total.plus(total, -1) == Sum()
