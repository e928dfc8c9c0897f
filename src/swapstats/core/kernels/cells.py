"""Sums per (token, bucket), and the rolling sums of every window.

A cell is six words: token and unpriced, trades and buys, USD, USD of buys, token amount low and
high. Words and half-words are signed, and a cell is a *partial* sum: when an addition would not
fit, the next cell of the same token is begun and the bucket's sum is the sum of both. So cells
are small, and sums cannot overflow. A rolling row (`model.stats`) is wide: 128 and 192 bits.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

U64 = np.uint64
I64 = np.int64
CELL_WORDS = 6
_HALF_MAX = (1 << 31) - 2
_USD_MAX = 1 << 62  # one message adds less than 10^18
_HIGH_MAX = 3 << 60  # one message adds less than 10^38 / 2^64 = 5.43e18


@njit(cache=True, nogil=True, inline="always")
def _low_half(word: int) -> int:
    return int(I64(np.int32(word & 0xFFFFFFFF)))


@njit(cache=True, nogil=True, inline="always")
def _high_half(word: int) -> int:
    return int(I64(word) >> 32)


@njit(cache=True, nogil=True, inline="always")
def _roll(
    row: NDArray[np.int64],
    sign: int,
    usd: int,
    buy_usd: int,
    lo: np.uint64,
    hi: int,
    trades: int,
    buys: int,
    unpriced: int,
) -> None:
    """Add (sign = 1) or take back (sign = -1) one signed contribution of a rolling row."""
    if sign < 0:
        usd = -usd
        buy_usd = -buy_usd
        trades = -trades
        buys = -buys
        unpriced = -unpriced
        lo = ~lo + U64(1)
        hi = ~hi
        if lo == U64(0):
            hi += 1
    before = U64(row[0])
    after = before + U64(usd)
    row[0] = I64(after)
    row[1] += (usd >> 63) + (1 if after < before else 0)
    before = U64(row[2])
    after = before + lo
    row[2] = I64(after)
    carry = U64(1) if after < before else U64(0)
    before = U64(row[3])
    middle = before + U64(hi)
    overflow = 1 if middle < before else 0
    after = middle + carry
    if after < middle:
        overflow += 1
    row[3] = I64(after)
    row[4] += (hi >> 63) + overflow
    before = U64(row[5])
    after = before + U64(buy_usd)
    row[5] = I64(after)
    row[6] += (buy_usd >> 63) + (1 if after < before else 0)
    row[7] += trades
    row[8] += buys
    row[9] += unpriced


@njit(cache=True, nogil=True, inline="always")
def _mark(
    token: int, stamps: NDArray[np.int64], stamp: int, changed: NDArray[np.int32], count: int
) -> int:
    """Note a token as changed once per stamp."""
    if stamps[token] != stamp:
        stamps[token] = stamp
        changed[count] = token
        count += 1
    return count


@njit(cache=True, nogil=True, inline="always")
def _spread(token: int) -> np.uint64:
    return (U64(token) * U64(0x9E3779B97F4A7C15)) >> U64(32)


@njit(cache=True, nogil=True)
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
    """Add contributions to the cells of one bucket and to the windows it lies in.

    Args:
        cells: int64[capacity, CELL_WORDS], changed.
        index: int32[2^m], newest cell + 1 of each token, 0 = none; at least twice the capacity
            of `cells`; changed.
        cell_count: cells in use.
        rows: int32[k], contributing rows of this bucket.
        first: position in `rows` to begin at.
        tokens: int32[n], by row.
        fate: uint8[n], by row; `taken_back` means subtract.
        taken_back: that value.
        side: uint8[n], 1 = buy.
        unpriced: uint8[n].
        usd: int64[n], micro-dollars.
        lo: uint64[n], token amount, low word.
        hi: uint64[n], high word, below 2^62.
        rolling: int64[tokens, windows, ROW_WORDS], changed.
        inside: uint8[windows], 1 = the window covers this bucket now.
        stamps: int64[tokens], changed.
        stamp: number of this call's batch.
        changed: int32[tokens], out: tokens whose windows changed.
        changed_count: how many there are already.

    Returns:
        Position in `rows` it got to (len(rows) = done, else `cells` is full), cells in use,
        changed tokens.
    """
    mask = U64(index.shape[0] - 1)
    capacity = cells.shape[0]
    windows = inside.shape[0]
    for i in range(first, rows.shape[0]):
        row = rows[i]
        token = tokens[row]
        sign = -1 if fate[row] == taken_back else 1
        is_buy = int(I64(side[row]))
        value = int(usd[row]) * sign
        no_price = int(I64(unpriced[row])) * sign
        amount_lo = lo[row]
        amount_hi = int(I64(hi[row]))
        if sign < 0:
            amount_lo = ~amount_lo + U64(1)
            amount_hi = ~amount_hi
            if amount_lo == U64(0):
                amount_hi += 1
        slot = _spread(token) & mask
        cell = index[slot] - 1
        trades = 0
        while cell >= 0 and (cells[cell, 0] & 0xFFFFFFFF) != token:
            slot = (slot + U64(1)) & mask
            cell = index[slot] - 1
        if cell >= 0:
            trades = _low_half(cells[cell, 1])
            if (
                abs(trades) > _HALF_MAX
                or abs(_high_half(cells[cell, 1] - trades)) > _HALF_MAX
                or abs(_high_half(cells[cell, 0])) > _HALF_MAX
                or abs(cells[cell, 2]) > _USD_MAX
                or abs(cells[cell, 3]) > _USD_MAX
                or abs(cells[cell, 5]) > _HIGH_MAX
            ):
                cell = -1  # full: begin the token's next partial sum
        if cell < 0:
            if cell_count >= capacity:
                return i, cell_count, changed_count
            cell = cell_count
            cell_count += 1
            index[slot] = cell + 1
            cells[cell, 0] = token
            for j in range(1, CELL_WORDS):
                cells[cell, j] = 0
            trades = 0
        target = cells[cell]
        target[0] += no_price << 32
        buys = _high_half(target[1] - trades) + is_buy * sign
        target[1] = (buys << 32) + (trades + sign)
        target[2] += value
        target[3] += value * is_buy
        before = U64(target[4])
        after = before + amount_lo
        target[4] = I64(after)
        target[5] += amount_hi + (1 if after < before else 0)
        touched = False
        for w in range(windows):
            if inside[w]:
                touched = True
                _roll(
                    rolling[token, w],
                    1,
                    value,
                    value * is_buy,
                    amount_lo,
                    amount_hi,
                    sign,
                    is_buy * sign,
                    no_price,
                )
        if touched:
            changed_count = _mark(token, stamps, stamp, changed, changed_count)
    return rows.shape[0], cell_count, changed_count


@njit(cache=True, nogil=True)
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
    """Let a whole bucket enter (sign = 1) or leave (sign = -1) one window.

    Returns:
        Number of changed tokens.
    """
    for i in range(cell_count):
        cell = cells[i]
        token = cell[0] & 0xFFFFFFFF
        trades = _low_half(cell[1])
        _roll(
            rolling[token, window],
            sign,
            cell[2],
            cell[3],
            U64(cell[4]),
            cell[5],
            trades,
            _high_half(cell[1] - trades),
            _high_half(cell[0]),
        )
        changed_count = _mark(token, stamps, stamp, changed, changed_count)
    return changed_count


@njit(cache=True, nogil=True)
def index_cells(cells: NDArray[np.int64], cell_count: int, index: NDArray[np.int32]) -> None:
    """Fill an empty index so that each token points at its newest cell."""
    mask = U64(index.shape[0] - 1)
    for cell in range(cell_count):
        token = cells[cell, 0] & 0xFFFFFFFF
        slot = _spread(token) & mask
        while index[slot] != 0 and (cells[index[slot] - 1, 0] & 0xFFFFFFFF) != token:
            slot = (slot + U64(1)) & mask
        index[slot] = cell + 1


@njit(cache=True, nogil=True)
def sum_token(
    cells: NDArray[np.int64], cell_count: int, token: int, row: NDArray[np.int64]
) -> None:
    """Add every cell of one token to a rolling row (int64[ROW_WORDS])."""
    for i in range(cell_count):
        cell = cells[i]
        if (cell[0] & 0xFFFFFFFF) == token:
            trades = _low_half(cell[1])
            _roll(
                row,
                1,
                cell[2],
                cell[3],
                U64(cell[4]),
                cell[5],
                trades,
                _high_half(cell[1] - trades),
                _high_half(cell[0]),
            )
