"""The rolling sums of every window for every token, and how whole buckets enter and leave them.

A rolling row (`model.stats`) is wide: USD and USD of buys in 128 bits, the token amount in 192.
"""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.compiling import kernel, part
from swapstats.core.kernels.records import CELL_COUNT, CELL_WORDS, CELLS

U64 = np.uint64
I64 = np.int64


@part
def low_half(word: int) -> int:
    """Lower of two signed counts in a word; the other is `high_half(word - low)`."""
    return int(I64(np.int32(word & 0xFFFFFFFF)))


@part
def high_half(word: int) -> int:
    """Upper half of a word, signed."""
    return int(I64(word) >> 32)


@part
def roll(
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


@part
def mark(
    token: int, stamps: NDArray[np.int64], stamp: int, changed: NDArray[np.int32], count: int
) -> int:
    """Note a token as changed once per stamp."""
    if stamps[token] != stamp:
        stamps[token] = stamp
        changed[count] = token
        count += 1
    return count


@kernel
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
    """Let whole buckets enter (sign = 1) or leave (sign = -1) one window.

    Returns:
        Number of changed tokens.
    """
    words = heap.view(np.int64)
    for slot in slots:
        at = records[slot, CELLS]
        for _ in range(records[slot, CELL_COUNT]):
            token = words[at] & 0xFFFFFFFF
            trades = low_half(words[at + 1])
            roll(
                rolling[token, window],
                sign,
                words[at + 2],
                words[at + 3],
                U64(words[at + 4]),
                words[at + 5],
                trades,
                high_half(words[at + 1] - trades),
                high_half(words[at]),
            )
            changed_count = mark(token, stamps, stamp, changed, changed_count)
            at += CELL_WORDS
    return changed_count


@kernel
def sum_token(
    heap: NDArray[np.uint64],
    records: NDArray[np.int64],
    slots: NDArray[np.int32],
    token: int,
    sums: NDArray[np.int64],
) -> None:
    """Sum one token's cells bucket by bucket (sums: int64[len(slots), ROW_WORDS], changed)."""
    words = heap.view(np.int64)
    for i in range(slots.shape[0]):
        at = records[slots[i], CELLS]
        for _ in range(records[slots[i], CELL_COUNT]):
            if (words[at] & 0xFFFFFFFF) == token:
                trades = low_half(words[at + 1])
                roll(
                    sums[i],
                    1,
                    words[at + 2],
                    words[at + 3],
                    U64(words[at + 4]),
                    words[at + 5],
                    trades,
                    high_half(words[at + 1] - trades),
                    high_half(words[at]),
                )
            at += CELL_WORDS
