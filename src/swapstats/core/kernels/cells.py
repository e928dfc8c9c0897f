"""Sums per (token, bucket).

A cell is six words: token and unpriced, trades and buys, USD, USD of buys, token amount low and
high. Words and half-words are signed, and a cell is a *partial* sum: when an addition would not
fit, or a snapshot has seen the cell, the next cell of the same token is begun and the bucket's sum
is the sum of both. So cells are small, sums cannot overflow, and nobody waits for a snapshot.
"""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.cell_index import begin_cell, find_cell, make_index, wants_index
from swapstats.core.kernels.compiling import kernel, part
from swapstats.core.kernels.fate import APPLIED, REMOVED
from swapstats.core.kernels.records import (
    CELL_CAPACITY,
    CELL_COUNT,
    CELL_INDEX,
    CELL_WORDS,
    CELLS,
    FROZEN_AT,
    FROZEN_CELLS,
    NUMBER,
    PARTIALS,
    places_for,
)
from swapstats.core.kernels.rolling import high_half, low_half, mark, roll

U64 = np.uint64
I64 = np.int64
_HALF_MAX = (1 << 31) - 2
_USD_MAX = 1 << 62  # one message adds less than 10^18
_HIGH_MAX = 3 << 60  # one message adds less than 10^38 / 2^64 = 5.43e18


@part
def _is_full(words: NDArray[np.int64], at: int) -> bool:
    """Whether one more message might not fit into a cell."""
    trades = low_half(words[at + 1])
    return bool(
        abs(trades) > _HALF_MAX
        or abs(high_half(words[at + 1] - trades)) > _HALF_MAX
        or abs(high_half(words[at])) > _HALF_MAX
        or abs(words[at + 2]) > _USD_MAX
        or abs(words[at + 3]) > _USD_MAX
        or abs(words[at + 5]) > _HIGH_MAX
    )


@kernel
def add(
    heap: NDArray[np.uint64],
    records: NDArray[np.int64],
    slots: NDArray[np.int32],
    edges: NDArray[np.int32],
    rows: NDArray[np.int32],
    tokens: NDArray[np.int32],
    fate: NDArray[np.uint8],
    side: NDArray[np.uint8],
    unpriced: NDArray[np.uint8],
    usd: NDArray[np.int64],
    lo: NDArray[np.uint64],
    hi: NDArray[np.uint64],
    end_bucket: int,
    widths: NDArray[np.int64],
    rolling: NDArray[np.int64],
    stamps: NDArray[np.int64],
    stamp: int,
    changed: NDArray[np.int32],
    settled: int,
    bump: NDArray[np.int64],
    live: NDArray[np.int64],
    owner: NDArray[np.int32],
    cursor: NDArray[np.int64],
) -> bool:
    """Add contributions to the cells of their buckets and to the windows those lie in.

    Args:
        heap: uint64[...], changed.
        records: int64[slots, RECORD_WORDS], changed.
        slots: int32[g], the bucket of each group of rows.
        edges: int32[g + 1], where each group begins in `rows`.
        rows: int32[k], rows by group.
        tokens: int32[n], by row.
        fate: uint8[n], by row; APPLIED adds, REMOVED subtracts, others are passed over.
        side: uint8[n], 1 = buy.
        unpriced: uint8[n].
        usd: int64[n], micro-dollars.
        lo: uint64[n], token amount, low word.
        hi: uint64[n], high word, below 2^62.
        end_bucket: bucket number at which all windows end.
        widths: int64[windows], in buckets.
        rolling: int64[tokens, windows, ROW_WORDS], changed.
        stamps: int64[tokens], changed.
        stamp: number of this call's batch.
        changed: int32[tokens], out: tokens whose windows changed.
        settled: newest snapshot that nobody holds any more.
        bump: int64[3], see `records.take`.
        live: int64[granules].
        owner: int32[granules].
        cursor: int64[3], group and position to go on at, and how many tokens changed; changed.

    Returns:
        True when done; False if there is no room: make some and call again.
    """
    words = heap.view(np.int64)
    halves = heap.view(np.uint32)
    windows = widths.shape[0]
    for group in range(cursor[0], slots.shape[0]):
        record = records[slots[group]]
        first = max(edges[group], cursor[1])
        end = edges[group + 1]
        frozen = record[FROZEN_CELLS] if record[FROZEN_AT] > settled else 0
        age = end_bucket - record[NUMBER]
        count = record[CELL_COUNT]
        if record[CELL_INDEX] == 0 and wants_index(count, end - first):
            size = places_for(max(record[CELL_CAPACITY], 2 * count))
            if not make_index(heap, record, size, bump, live, owner):
                cursor[0] = group
                return False
        for i in range(first, end):
            row = rows[i]
            if fate[row] != APPLIED and fate[row] != REMOVED:
                continue
            token = int(I64(tokens[row]))
            sign = -1 if fate[row] == REMOVED else 1
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
            cell = find_cell(words, halves, record, token)
            if cell < 0 or cell < frozen or _is_full(words, record[CELLS] + CELL_WORDS * cell):
                begun = begin_cell(heap, record, token, end - i, bump, live, owner)
                if begun < 0:
                    cursor[0] = group
                    cursor[1] = i
                    return False
                if 0 <= cell < frozen:
                    record[PARTIALS] += 1
                cell = begun
            at = record[CELLS] + CELL_WORDS * cell
            words[at] += no_price << 32
            trades = low_half(words[at + 1])
            buys = high_half(words[at + 1] - trades) + is_buy * sign
            words[at + 1] = (buys << 32) + (trades + sign)
            words[at + 2] += value
            words[at + 3] += value * is_buy
            before = U64(words[at + 4])
            after = before + amount_lo
            words[at + 4] = I64(after)
            words[at + 5] += amount_hi + (1 if after < before else 0)
            touched = False
            for w in range(windows):
                if 0 < age <= widths[w]:
                    touched = True
                    roll(
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
                cursor[2] = mark(token, stamps, stamp, changed, cursor[2])
    return True
