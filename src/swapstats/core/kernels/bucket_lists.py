"""The buckets of a shard in order of their numbers: opened, dropped, marked, written out."""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.compiling import kernel
from swapstats.core.kernels.records import (
    CAPACITY,
    CELL_CAPACITY,
    CELL_COUNT,
    CELL_INDEX,
    CELL_INDEX_SIZE,
    CELL_WORDS,
    CELLS,
    ENTRIES,
    INDEX,
    INDEX_SIZE,
    IS_DIRTY,
    IS_ROOMY,
    NUMBER,
    STALE,
    TOUCHED,
    USED,
    entry_words,
    give_back,
    index_words,
)

COUNT, FREE, ROOMY, DIRTY = range(4)
"""Columns of `counts`: buckets held, free slots, and the lengths of the two lists of slots."""
HEAD_HALVES = 3
"""A written bucket begins with USED, CELL_COUNT and STALE."""


@kernel
def open_buckets(
    found: NDArray[np.int64],
    numbers: NDArray[np.int64],
    slots: NDArray[np.int32],
    records: NDArray[np.int64],
    free: NDArray[np.int32],
    roomy: NDArray[np.int32],
    dirty: NDArray[np.int32],
    counts: NDArray[np.int64],
    stamp: int,
    opened: NDArray[np.int32],
) -> None:
    """Find the buckets that are about to change; begin those that are not there.

    Args:
        found: int64[g], bucket numbers, ascending and distinct.
        numbers: int64[>= COUNT + g], numbers of the buckets held, ascending, changed.
        slots: int32[same], their slots, changed.
        records: int64[slots, RECORD_WORDS], changed.
        free: int32[>= g free ones], slots that hold no bucket, changed.
        roomy: int32[>= ROOMY + g], slots to be packed some day, changed.
        dirty: int32[>= DIRTY + g], slots changed since the last snapshot, changed.
        counts: int64[4], changed.
        stamp: number of the batch.
        opened: int32[g], out: the slot of each.
    """
    count = counts[COUNT]
    at = 0
    beyond = count if found.shape[0] else 0
    while at < beyond:
        middle = (at + beyond) // 2
        if numbers[middle] < found[0]:
            at = middle + 1
        else:
            beyond = middle
    missing = 0
    for i in range(found.shape[0]):
        while at < count and numbers[at] < found[i]:
            at += 1
        if at < count and numbers[at] == found[i]:
            opened[i] = slots[at]
        else:
            opened[i] = -1
            missing += 1
    if missing:
        at = count - 1
        to = count + missing - 1
        for i in range(found.shape[0] - 1, -1, -1):
            if opened[i] >= 0:
                continue
            while at >= 0 and numbers[at] > found[i]:
                numbers[to] = numbers[at]
                slots[to] = slots[at]
                at -= 1
                to -= 1
            counts[FREE] -= 1
            slot = free[counts[FREE]]
            records[slot, :] = 0
            records[slot, NUMBER] = found[i]
            numbers[to] = found[i]
            slots[to] = slot
            opened[i] = slot
            to -= 1
        counts[COUNT] = count + missing
    for i in range(found.shape[0]):
        slot = opened[i]
        records[slot, TOUCHED] = stamp
        if not records[slot, IS_ROOMY]:
            records[slot, IS_ROOMY] = 1
            roomy[counts[ROOMY]] = slot
            counts[ROOMY] += 1
        if not records[slot, IS_DIRTY]:
            records[slot, IS_DIRTY] = 1
            dirty[counts[DIRTY]] = slot
            counts[DIRTY] += 1


@kernel
def drop_buckets(
    below: int,
    numbers: NDArray[np.int64],
    slots: NDArray[np.int32],
    records: NDArray[np.int64],
    free: NDArray[np.int32],
    counts: NDArray[np.int64],
    live: NDArray[np.int64],
    owner: NDArray[np.int32],
) -> None:
    """Throw away the buckets with a number below this one.

    Args:
        below: lowest number kept.
        numbers: int64[...], changed.
        slots: int32[...], changed.
        records: int64[slots, RECORD_WORDS], changed.
        free: int32[slots], changed.
        counts: int64[4], changed.
        live: int64[granules], changed.
        owner: int32[granules].
    """
    count = counts[COUNT]
    gone = 0
    while gone < count and numbers[gone] < below:
        slot = slots[gone]
        record = records[slot]
        give_back(record[ENTRIES], entry_words(record[CAPACITY]), live, owner)
        give_back(record[INDEX], index_words(record[INDEX_SIZE]), live, owner)
        give_back(record[CELLS], CELL_WORDS * record[CELL_CAPACITY], live, owner)
        give_back(record[CELL_INDEX], index_words(record[CELL_INDEX_SIZE]), live, owner)
        record[:] = 0
        free[counts[FREE]] = slot
        counts[FREE] += 1
        gone += 1
    if gone:
        for at in range(gone, count):
            numbers[at - gone] = numbers[at]
            slots[at - gone] = slots[at]
        counts[COUNT] = count - gone


@kernel
def mark_tokens(
    heap: NDArray[np.uint64],
    records: NDArray[np.int64],
    slots: NDArray[np.int32],
    seen: NDArray[np.bool_],
) -> None:
    """Mark the tokens that have a cell in any of these buckets (seen: bool[tokens], changed)."""
    words = heap.view(np.int64)
    for slot in slots:
        at = records[slot, CELLS]
        for _ in range(records[slot, CELL_COUNT]):
            seen[words[at] & 0xFFFFFFFF] = True
            at += CELL_WORDS


@kernel
def pack(heap: NDArray[np.uint64], records: NDArray[np.int64], out: NDArray[np.uint32]) -> int:
    """Write buckets out: counts, fingerprints, cells, states of each, all little-endian.

    Args:
        heap: uint64[...].
        records: int64[k, RECORD_WORDS], as they were when the snapshot was taken.
        out: uint32[HEAD_HALVES + 3 * USED + 12 * CELL_COUNT of each], out.

    Returns:
        How many of `out` were written.
    """
    halves = heap.view(np.uint32)
    to = 0
    for i in range(records.shape[0]):
        record = records[i]
        used = record[USED]
        count = record[CELL_COUNT]
        out[to] = np.uint32(used)
        out[to + 1] = np.uint32(count)
        out[to + 2] = np.uint32(record[STALE])
        to += HEAD_HALVES
        at = 2 * record[ENTRIES]
        for j in range(2 * used):
            out[to + j] = halves[at + j]
        to += 2 * used
        at = 2 * record[CELLS]
        for j in range(2 * CELL_WORDS * count):
            out[to + j] = halves[at + j]
        to += 2 * CELL_WORDS * count
        at = 2 * (record[ENTRIES] + record[CAPACITY])
        for j in range(used):
            out[to + j] = halves[at + j]
        to += used
    return to
