"""Cells by hand, of both forms: what the words hold, and when a second cell begins."""

from types import ModuleType

import numpy as np
import pytest
from tests.core.kernels.sums import AMOUNT_MAX, USD_MAX, Board, Trade

from swapstats.core.kernels import cells as compiled
from swapstats.core.kernels import rolling
from swapstats.core.kernels.records import CELL_COUNT
from swapstats.core.kernels.reference import cells as plain
from swapstats.core.kernels.reference import rolling as plain_rolling
from swapstats.model.stats import ROW_WORDS

both = pytest.mark.parametrize("twin", [compiled, plain], ids=["kernel", "twin"])
BUY = Trade(token=5, amount=(3 << 64) + 7, usd=11)
SELL = Trade(token=5, amount=2, usd=None, is_buy=False)


def add(twin: ModuleType, board: Board, *trades: Trade) -> bool:
    """Add trades to bucket 0; returns whether there was room."""
    found = twin.add(*board.arguments({0: list(trades)}))
    assert isinstance(found, bool)
    return found


def roomy(**changed: object) -> Board:
    board = Board(**changed)  # type: ignore[arg-type] # a test's own arguments
    board.ground.make_room(1_000)
    return board


@both
def test_words_of_a_cell_and_of_a_row(twin: ModuleType) -> None:
    board = roomy(widths=(2, 1), end_bucket=2)
    assert add(twin, board, BUY, SELL, SELL)
    cells = board.ground.cells(board.ground.records[0])
    assert cells == [[(2 << 32) + 5, (1 << 32) + 3, 11, 11, 11, 3]]
    assert board.rolling[5, 0].tolist() == [11, 0, 11, 3, 0, 11, 0, 3, 1, 2]
    assert not board.rolling[5, 1].any()
    assert board.changed[0] == 5


@both
def test_a_cell_may_be_negative(twin: ModuleType) -> None:
    """The add may stand in a cell before: what is taken back here must not need it."""
    board = roomy()
    add(twin, board, Trade(5, (3 << 64) + 7, 11, sign=-1), Trade(5, 2, None, is_buy=False, sign=-1))
    cells = board.ground.cells(board.ground.records[0])
    assert cells == [[-(1 << 32) + 5, -(1 << 32) - 2, -11, -11, -9, -4]]
    assert board.rolling[5, 0].tolist() == [-11, -1, -9, -4, -1, -11, -1, -2, -1, -1]


@both
def test_no_room(twin: ModuleType) -> None:
    board = Board()
    board.ground.put_cells(0, [[5, 0, 0, 0, 0, 0]])
    assert not add(twin, board, BUY, SELL, Trade(token=6), BUY)
    assert board.stats(5).trades == 2
    assert board.ground.bump[2] == 6 * (1 + 2)


@both
@pytest.mark.parametrize(
    ("end_bucket", "inside"),
    [(-1, [0, 0]), (0, [0, 0]), (1, [1, 1]), (2, [0, 1]), (5, [0, 1]), (6, [0, 0])],
)
def test_a_window_covers_the_buckets_before_its_end(
    twin: ModuleType, end_bucket: int, inside: list[int]
) -> None:
    board = roomy(widths=(1, 5), end_bucket=end_bucket)
    add(twin, board, BUY)
    assert [board.stats(5, window).trades for window in (0, 1)] == inside


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
    sums = rolling if twin is compiled else plain_rolling
    board = Board()
    ground = board.ground
    ground.put_cells(0, [cell])
    ground.make_room(500)
    rows = np.zeros((1, ROW_WORDS), dtype=np.int64)
    slots = np.array([0], dtype=np.int32)
    sums.sum_token(ground.words, ground.records, slots, 5, rows)
    board.rolling[5, 0] = rows[0]
    assert add(twin, board, Trade(5, AMOUNT_MAX, USD_MAX, sign=sign))
    assert ground.records[0, CELL_COUNT] == 1 + is_full
    rows[:] = 0
    sums.sum_token(ground.words, ground.records, slots, 5, rows)
    assert rows[0].tolist() == board.rolling[5, 0].tolist()
    assert (ground.cells(ground.records[0])[0] == cell) == is_full
