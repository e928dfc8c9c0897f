"""Plain twin of `kernels.rolling`: sums as Python integers, cut into words at the end."""

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.records import CELL_COUNT, CELL_WORDS, CELLS
from swapstats.model.stats import BUYS, TRADES, UNPRICED, signed

_HALF = 1 << 32


@dataclass(slots=True)
class Sum:
    """What trades of one token add up to.

    Attributes:
        usd: micro-dollars.
        buy_usd: micro-dollars of the buys.
        amount: token amount scaled by 10^18.
        trades: how many.
        buys: how many of them buy.
        unpriced: how many of them have no price.
    """

    usd: int = 0
    buy_usd: int = 0
    amount: int = 0
    trades: int = 0
    buys: int = 0
    unpriced: int = 0

    def plus(self, other: "Sum", sign: int = 1) -> "Sum":
        """Add another sum, or take it away (sign = -1)."""
        return Sum(*(a + sign * b for a, b in zip(astuple(self), astuple(other), strict=True)))


def cells_of(heap: NDArray[np.uint64], record: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cells of a bucket in order of arrival (int64[CELL_COUNT, CELL_WORDS], a view)."""
    count = CELL_WORDS * int(record[CELL_COUNT])
    return heap[record[CELLS] :][:count].view(np.int64).reshape(-1, CELL_WORDS)


def token_of(cell: NDArray[np.int64]) -> int:
    """Token of a cell."""
    return int(cell[0]) % _HALF


def read_cell(cell: NDArray[np.int64]) -> Sum:
    """Sum held by a cell."""
    head, counts, usd, buy_usd, amount_lo, amount_hi = cell.tolist()
    trades = (counts + _HALF // 2) % _HALF - _HALF // 2
    return Sum(
        usd=usd,
        buy_usd=buy_usd,
        amount=signed(amount_lo, amount_hi),
        trades=trades,
        buys=(counts - trades) >> 32,
        unpriced=head >> 32,
    )


def write_cell(cell: NDArray[np.int64], token: int, total: Sum) -> None:
    """Write a sum as a cell.

    Raises:
        OverflowError: it does not fit.
    """
    head = _halves(total.unpriced, 0) + token
    counts = _halves(total.buys, total.trades)
    cell[:] = [
        head,
        counts,
        *_words(total.usd, 1),
        *_words(total.buy_usd, 1),
        *_words(total.amount, 2),
    ]


def roll(row: NDArray[np.int64], change: Sum, sign: int) -> None:
    """Add a sum to a rolling row, or take it back (sign = -1)."""
    word = row.tolist()
    before = Sum(
        usd=signed(*word[0:2]),
        buy_usd=signed(*word[5:7]),
        amount=signed(*word[2:5]),
        trades=word[TRADES],
        buys=word[BUYS],
        unpriced=word[UNPRICED],
    )
    after = before.plus(change, sign)
    row[:] = [
        *_words(after.usd, 2),
        *_words(after.amount, 3),
        *_words(after.buy_usd, 2),
        after.trades,
        after.buys,
        after.unpriced,
    ]


def mark(
    token: int, stamps: NDArray[np.int64], stamp: int, changed: NDArray[np.int32], count: int
) -> int:
    """Note a token as changed unless it is noted under this stamp."""
    if stamps[token] == stamp:
        return count
    stamps[token] = stamp
    changed[count] = token
    return count + 1


def shift(
    heap: NDArray[np.uint64],
    records: NDArray[np.int64],
    slots: NDArray[np.int32],
    window: int,
    sign: int,
    rolling: NDArray[np.int64],
    stamps: NDArray[np.int64],
    stamp: int,
    changed: NDArray[np.int32],
    changed_count: int,
) -> int:
    """Add every cell of these buckets to its token's window, or take it back."""
    for record in records[slots]:
        for cell in cells_of(heap, record):
            roll(rolling[token_of(cell), window], read_cell(cell), sign)
            changed_count = mark(token_of(cell), stamps, stamp, changed, changed_count)
    return changed_count


def sum_token(
    heap: NDArray[np.uint64],
    records: NDArray[np.int64],
    slots: NDArray[np.int32],
    token: int,
    sums: NDArray[np.int64],
) -> None:
    """Add up the cells of one token, a row for each bucket."""
    for row, record in zip(sums, records[slots], strict=True):
        for cell in cells_of(heap, record):
            if token_of(cell) == token:
                roll(row, read_cell(cell), 1)


def _words(value: int, count: int) -> list[int]:
    """Cut an integer into signed words, little word first; what does not fit is an error."""
    words = [signed(value >> 64 * index) for index in range(count)]
    if signed(*words) != value:
        raise OverflowError(f"Expected {64 * count} bits, was {value}")
    return words


def _halves(high: int, low: int) -> int:
    """Put two signed counts into one word: `high * 2^32 + low`."""
    if not max(-high - 1, high, -low - 1, low) < 1 << 31:
        raise OverflowError(f"Expected two counts of 32 bits, was {high} and {low}")
    return signed(high * _HALF + low)
