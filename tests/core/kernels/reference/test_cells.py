"""Cells by hand, of both forms: what the words hold, and when a second cell begins."""

from types import ModuleType

import numpy as np
import pytest
from tests.core.kernels.sums import Board, Trade

from swapstats.core.kernels import cells as compiled
from swapstats.core.kernels.reference import cells as plain
from swapstats.model.stats import ROW_WORDS

both = pytest.mark.parametrize("twin", [compiled, plain], ids=["kernel", "twin"])
BUY = Trade(token=5, amount=(3 << 64) + 7, usd=11)
SELL = Trade(token=5, amount=2, usd=None, is_buy=False)


def add(twin: ModuleType, board: Board, *trades: Trade, inside: tuple[int, int] = (1, 0)) -> int:
    """Add trades; returns how far it got."""
    arguments = board.arguments(list(trades), inside, 1)
    at, board.cell_count, board.changed_count = twin.add(*arguments)
    assert isinstance(at, int)
    return at


@both
def test_words_of_a_cell_and_of_a_row(twin: ModuleType) -> None:
    board = Board()
    assert add(twin, board, BUY, SELL, SELL) == 3
    assert board.cell_count == 1
    assert board.cells[0].tolist() == [(2 << 32) + 5, (1 << 32) + 3, 11, 11, 11, 3]
    assert board.rolling[5, 0].tolist() == [11, 0, 11, 3, 0, 11, 0, 3, 1, 2]
    assert not board.rolling[5, 1].any()
    assert board.changed[: board.changed_count].tolist() == [5]


@both
def test_a_cell_may_be_negative(twin: ModuleType) -> None:
    """The add may stand in a cell before: what is taken back here must not need it."""
    board = Board()
    add(twin, board, Trade(5, (3 << 64) + 7, 11, sign=-1), Trade(5, 2, None, is_buy=False, sign=-1))
    assert board.cells[0].tolist() == [-(1 << 32) + 5, -(1 << 32) - 2, -11, -11, -9, -4]
    assert board.rolling[5, 0].tolist() == [-11, -1, -9, -4, -1, -11, -1, -2, -1, -1]


@both
def test_no_cell_free(twin: ModuleType) -> None:
    board = Board(capacity=1)
    assert add(twin, board, BUY, SELL, Trade(token=6), BUY) == 2
    assert board.stats(5, 0).trades == 2


@both
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("cell", "is_full"),
    [
        ([5, (1 << 31) - 2, 0, 0, 0, 0], False),
        ([5, (1 << 31) - 1, 0, 0, 0, 0], True),
        ([5, (((1 << 31) - 2) << 32) + (1 << 31) - 2, 0, 0, 0, 0], False),
        ([5, (((1 << 31) - 1) << 32) - 1, 0, 0, 0, 0], True),
        ([5, -(((1 << 31) - 1) << 32), 0, 0, 0, 0], True),
        ([5 + (((1 << 31) - 2) << 32), 0, 0, 0, 0, 0], False),
        ([5 + (((1 << 31) - 1) << 32), 0, 0, 0, 0, 0], True),
        ([5, 0, 1 << 62, 1 << 62, 0, 0], False),
        ([5, 0, (1 << 62) + 1, 0, 0, 0], True),
        ([5, 0, 0, -(1 << 62) - 1, 0, 0], True),
        ([5, 0, 0, 0, -1, 3 << 60], False),
        ([5, 0, 0, 0, 0, (3 << 60) + 1], True),
        ([5, 0, 0, 0, 0, -(3 << 60) - 1], True),
    ],
)
def test_a_second_cell_begins_before_a_word_could_overflow(
    twin: ModuleType, cell: list[int], is_full: bool, sign: int
) -> None:
    board = Board()
    board.cells[0] = cell
    board.cell_count = 1
    twin.index_cells(board.cells, 1, board.index)
    before = np.zeros(ROW_WORDS, dtype=np.int64)
    twin.sum_token(board.cells, 1, 5, before)
    board.rolling[5, 0] = before
    add(twin, board, Trade(5, 10**38 - 1, 10**18 - 1, sign=sign))
    assert board.cell_count == 1 + is_full
    after = np.zeros(ROW_WORDS, dtype=np.int64)
    twin.sum_token(board.cells, board.cell_count, 5, after)
    assert after.tolist() == board.rolling[5, 0].tolist()
    if is_full:
        assert board.cells[0].tolist() == cell
    else:
        assert board.cells[0].tolist() != cell
