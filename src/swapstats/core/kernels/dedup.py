"""The add and remove sets of time buckets: entries in order of arrival, found by an index.

An entry is a 64-bit fingerprint (never 0) and a 32-bit word: bit 0 = added, bit 1 = removed, bits
2..31 = content check. Entries are never taken out; a whole bucket is thrown away at once. A small
or quiet bucket has no index and is searched from its newest entry back; an entry that a snapshot
has seen is not changed but superseded by a newer one.
"""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.compiling import kernel, part
from swapstats.core.kernels.records import (
    CAPACITY,
    ENTRIES,
    FROZEN_AT,
    FROZEN_USED,
    INDEX,
    INDEX_SIZE,
    STALE,
    USED,
    entry_words,
    give_back,
    index_words,
    places_for,
    take,
)

U64 = np.uint64
U32 = np.uint32
I64 = np.int64

ADDED, WAS_REMOVED = 1, 2
NOT_LOOKED, NEW, DUPLICATE, CONFLICT, REMOVED, CANCELLED = 0, 1, 2, 3, 4, 5
"""What the sets say of a message; NOT_LOOKED: it was too old or refused before."""

SEARCHED_MAX = 16
"""So many entries are searched without an index."""
FEW = 2
"""So few messages do not pay for an index ..."""
SEARCHED_BY_FEW_MAX = 4_096
"""... unless it is to be had for more entries than this."""


@part
def wants_index(used: int, more: int) -> bool:
    """Whether `more` look-ups in `used` entries are worth an index."""
    if used + more <= SEARCHED_MAX:
        return False
    return more > FEW or used > SEARCHED_BY_FEW_MAX


@part
def _put(
    heap: NDArray[np.uint64],
    halves: NDArray[np.uint32],
    entries: int,
    places: int,
    mask: int,
    code: np.uint64,
    entry: int,
) -> None:
    """Point the place of a fingerprint at an entry, a newer one instead of an older one."""
    place = I64(code >> U64(32)) & mask
    while True:
        found = I64(halves[places + place])
        if found == 0 or heap[entries + found - 1] == code:
            halves[places + place] = U32(entry + 1)
            return
        place = (place + 1) & mask


@part
def _find(
    heap: NDArray[np.uint64], halves: NDArray[np.uint32], record: NDArray[np.int64], code: np.uint64
) -> int:
    """Newest entry with a fingerprint, -1 if there is none."""
    entries = record[ENTRIES]
    if record[INDEX] == 0:
        for entry in range(record[USED] - 1, -1, -1):
            if heap[entries + entry] == code:
                return int(entry)
        return -1
    places = 2 * record[INDEX]
    mask = record[INDEX_SIZE] - 1
    place = I64(code >> U64(32)) & mask
    while True:
        found = I64(halves[places + place])
        if found == 0 or heap[entries + found - 1] == code:
            return int(found - 1)
        place = (place + 1) & mask


@kernel
def make_index(
    heap: NDArray[np.uint64],
    record: NDArray[np.int64],
    size: int,
    bump: NDArray[np.int64],
    live: NDArray[np.int64],
    owner: NDArray[np.int32],
) -> bool:
    """Index the entries of a bucket anew; False if there is no room."""
    address = take(index_words(size), bump, live, owner)
    if address == 0:
        return False
    give_back(record[INDEX], index_words(record[INDEX_SIZE]), live, owner)
    record[INDEX] = address
    record[INDEX_SIZE] = size
    halves = heap.view(np.uint32)
    for place in range(2 * address, 2 * address + size):
        halves[place] = U32(0)
    entries = record[ENTRIES]
    for entry in range(record[USED]):
        _put(heap, halves, entries, 2 * address, size - 1, heap[entries + entry], entry)
    return True


@kernel
def grow_entries(
    heap: NDArray[np.uint64],
    record: NDArray[np.int64],
    capacity: int,
    bump: NDArray[np.int64],
    live: NDArray[np.int64],
    owner: NDArray[np.int32],
) -> bool:
    """Move the entries of a bucket into another block; False if there is no room."""
    address = take(entry_words(capacity), bump, live, owner)
    if address == 0:
        return False
    halves = heap.view(np.uint32)
    old = record[ENTRIES]
    used = record[USED]
    states = 2 * (address + capacity)
    old_states = 2 * (old + record[CAPACITY])
    for entry in range(used):
        heap[address + entry] = heap[old + entry]
    for entry in range(used):
        halves[states + entry] = halves[old_states + entry]
    give_back(old, entry_words(record[CAPACITY]), live, owner)
    record[ENTRIES] = address
    record[CAPACITY] = capacity
    return True


@kernel
def _append(
    heap: NDArray[np.uint64],
    halves: NDArray[np.uint32],
    record: NDArray[np.int64],
    code: np.uint64,
    state: np.uint32,
    more: int,
    bump: NDArray[np.int64],
    live: NDArray[np.int64],
    owner: NDArray[np.int32],
) -> bool:
    """Append an entry; `more` look-ups may still come. False if there is no room."""
    used = record[USED]
    if used == record[CAPACITY]:
        wanted = used + (more if used == 0 else max(more, used // 2, 2))
        if not grow_entries(heap, record, wanted + (wanted & 1), bump, live, owner):
            return False
    if record[INDEX] != 0 and 4 * (used + 1) > 3 * record[INDEX_SIZE]:
        if not make_index(heap, record, 2 * record[INDEX_SIZE], bump, live, owner):
            return False
    entries = record[ENTRIES]
    heap[entries + used] = code
    halves[2 * (entries + record[CAPACITY]) + used] = state
    record[USED] = used + 1
    if record[INDEX] != 0:
        _put(heap, halves, entries, 2 * record[INDEX], record[INDEX_SIZE] - 1, code, used)
    return True


@kernel
def decide(
    heap: NDArray[np.uint64],
    records: NDArray[np.int64],
    slots: NDArray[np.int32],
    edges: NDArray[np.int32],
    rows: NDArray[np.int32],
    fingerprint: NDArray[np.uint64],
    check: NDArray[np.uint32],
    removed: NDArray[np.uint8],
    settled: int,
    bump: NDArray[np.int64],
    live: NDArray[np.int64],
    owner: NDArray[np.int32],
    cursor: NDArray[np.int64],
    outcome: NDArray[np.uint8],
) -> bool:
    """Put messages into the sets of their buckets, in order.

    Args:
        heap: uint64[...], changed.
        records: int64[slots, RECORD_WORDS], changed.
        slots: int32[g], the bucket of each group of rows.
        edges: int32[g + 1], where each group begins in `rows`.
        rows: int32[k], rows by group, in log order within each.
        fingerprint: uint64[n], by row.
        check: uint32[n], by row.
        removed: uint8[n], by row.
        settled: newest snapshot that nobody holds any more.
        bump: int64[3], see `records.take`.
        live: int64[granules].
        owner: int32[granules].
        cursor: int64[2], group and position in `rows` to go on at, changed; zeros at first.
        outcome: uint8[n], out, by row: NEW, DUPLICATE, CONFLICT, REMOVED or CANCELLED.

    Returns:
        True when done; False if there is no room: make some and call again.
    """
    halves = heap.view(np.uint32)
    for group in range(cursor[0], slots.shape[0]):
        record = records[slots[group]]
        first = max(edges[group], cursor[1])
        end = edges[group + 1]
        frozen = record[FROZEN_USED] if record[FROZEN_AT] > settled else 0
        size = places_for(record[USED] + end - first)
        if record[INDEX_SIZE] < size and (
            record[INDEX] != 0 or wants_index(record[USED], end - first)
        ):
            if not make_index(heap, record, size, bump, live, owner):
                cursor[0] = group
                return False
        for i in range(first, end):
            row = rows[i]
            code = fingerprint[row]
            bit = U32(WAS_REMOVED) if removed[row] else U32(ADDED)
            entry = _find(heap, halves, record, code)
            if entry < 0:
                state = (check[row] << U32(2)) | bit
                said = CANCELLED if removed[row] else NEW
            else:
                at = 2 * (record[ENTRIES] + record[CAPACITY]) + entry
                state = halves[at]
                if (state >> U32(2)) != check[row]:
                    outcome[row] = CONFLICT
                    continue
                if state & bit:
                    outcome[row] = DUPLICATE
                    continue
                state |= bit
                said = REMOVED if removed[row] else CANCELLED
                if entry >= frozen:
                    halves[at] = state
                    outcome[row] = said
                    continue
            if not _append(heap, halves, record, code, state, end - i, bump, live, owner):
                cursor[0] = group
                cursor[1] = i
                return False
            if entry >= 0:
                record[STALE] += 1
            outcome[row] = said
    return True
