"""Plain twin of `kernels.cells`: sums as Python integers, cut into words at the end."""

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from swapstats.model.stats import BUYS, TRADES, UNPRICED, signed

_HALF = 1 << 32
_COUNT_MAX = (1 << 31) - 2
_USD_MAX = 1 << 62
_AMOUNT_HIGH_MAX = 3 << 60


@dataclass(slots=True)
class _Sum:
    """What trades of one token add up to.

    Attributes:
        usd, buy_usd: micro-dollars.
        amount: token amount scaled by 10^18.
        trades, buys, unpriced: counts.
    """

    usd: int = 0
    buy_usd: int = 0
    amount: int = 0
    trades: int = 0
    buys: int = 0
    unpriced: int = 0

    def plus(self, other: "_Sum", sign: int) -> "_Sum":
        return _Sum(*(a + sign * b for a, b in zip(astuple(self), astuple(other), strict=True)))


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
    return high * _HALF + low


def _token(cell: NDArray[np.int64]) -> int:
    return int(cell[0]) % _HALF


def _read_cell(cell: NDArray[np.int64]) -> _Sum:
    head, counts, usd, buy_usd, amount_lo, amount_hi = cell.tolist()
    trades = (counts + _HALF // 2) % _HALF - _HALF // 2
    return _Sum(
        usd=usd,
        buy_usd=buy_usd,
        amount=signed(amount_lo, amount_hi),
        trades=trades,
        buys=(counts - trades) >> 32,
        unpriced=head >> 32,
    )


def _write_cell(cell: NDArray[np.int64], token: int, total: _Sum) -> None:
    head = _halves(total.unpriced, 0) + token
    counts = _halves(total.buys, total.trades)
    cell[:] = [head, counts, total.usd, total.buy_usd, *_words(total.amount, 2)]


def _is_full(total: _Sum) -> bool:
    """Whether one more message might not fit into the cell."""
    return (
        max(abs(total.trades), abs(total.buys), abs(total.unpriced)) > _COUNT_MAX
        or max(abs(total.usd), abs(total.buy_usd)) > _USD_MAX
        or abs(total.amount >> 64) > _AMOUNT_HIGH_MAX
    )


def _roll(row: NDArray[np.int64], change: _Sum, sign: int) -> None:
    """Add a sum to a rolling row, or take it back."""
    word = row.tolist()
    before = _Sum(
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


def _mark(
    token: int, stamps: NDArray[np.int64], stamp: int, changed: NDArray[np.int32], count: int
) -> int:
    if stamps[token] == stamp:
        return count
    stamps[token] = stamp
    changed[count] = token
    return count + 1


def _slot(index: NDArray[np.int32], cells: NDArray[np.int64], token: int) -> int:
    """First slot from the token's place on that is empty or leads to a cell of the token."""
    slot = (token * 0x9E3779B97F4A7C15 % (1 << 64) >> 32) % len(index)
    while index[slot] and _token(cells[index[slot] - 1]) != token:
        slot = (slot + 1) % len(index)
    return slot


def add(
    cells: NDArray[np.int64],
    index: NDArray[np.int32],
    cell_count: int,
    rows: NDArray[np.int32],
    first: int,
    tokens: NDArray[np.int32],
    fate: NDArray[np.uint8],
    taken_back: int,
    side: NDArray[np.uint8],
    unpriced: NDArray[np.uint8],
    usd: NDArray[np.int64],
    lo: NDArray[np.uint64],
    hi: NDArray[np.uint64],
    rolling: NDArray[np.int64],
    inside: NDArray[np.uint8],
    stamps: NDArray[np.int64],
    stamp: int,
    changed: NDArray[np.int32],
    changed_count: int,
) -> tuple[int, int, int]:
    """Add each message to its token's newest cell and to every window that covers the bucket."""
    for position in range(first, len(rows)):
        row = int(rows[position])
        token, is_buy, value = int(tokens[row]), int(side[row]), int(usd[row])
        sign = -1 if fate[row] == taken_back else 1
        message = _Sum(
            usd=value,
            buy_usd=value * is_buy,
            amount=int(hi[row]) << 64 | int(lo[row]),
            trades=1,
            buys=is_buy,
            unpriced=int(unpriced[row]),
        )
        slot = _slot(index, cells, token)
        cell = int(index[slot]) - 1
        total = _read_cell(cells[cell]) if cell >= 0 else _Sum()
        if cell < 0 or _is_full(total):
            if cell_count == len(cells):
                return position, cell_count, changed_count
            cell, total = cell_count, _Sum()
            cell_count += 1
            index[slot] = cell + 1
        _write_cell(cells[cell], token, total.plus(message, sign))
        for window in np.flatnonzero(inside):
            _roll(rolling[token, window], message, sign)
        if inside.any():
            changed_count = _mark(token, stamps, stamp, changed, changed_count)
    return len(rows), cell_count, changed_count


def shift(
    cells: NDArray[np.int64],
    cell_count: int,
    window: int,
    sign: int,
    rolling: NDArray[np.int64],
    stamps: NDArray[np.int64],
    stamp: int,
    changed: NDArray[np.int32],
    changed_count: int,
) -> int:
    """Add every cell to its token's window, or take it back."""
    for cell in cells[:cell_count]:
        _roll(rolling[_token(cell), window], _read_cell(cell), sign)
        changed_count = _mark(_token(cell), stamps, stamp, changed, changed_count)
    return changed_count


def index_cells(cells: NDArray[np.int64], cell_count: int, index: NDArray[np.int32]) -> None:
    """Let each token's slot lead to its last cell."""
    for number, cell in enumerate(cells[:cell_count], 1):
        index[_slot(index, cells, _token(cell))] = number


def sum_token(
    cells: NDArray[np.int64], cell_count: int, token: int, row: NDArray[np.int64]
) -> None:
    """Add up the cells of one token."""
    for cell in cells[:cell_count]:
        if _token(cell) == token:
            _roll(row, _read_cell(cell), 1)
