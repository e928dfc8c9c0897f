"""Buckets nobody touches any more: packed tight, their indexes dropped, sums of a token joined."""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.compiling import kernel
from swapstats.core.kernels.dedup import make_index as index_entries
from swapstats.core.kernels.records import (
    CAPACITY,
    CELL_CAPACITY,
    CELL_COUNT,
    CELL_INDEX,
    CELL_INDEX_SIZE,
    CELL_WORDS,
    CELLS,
    ENTRIES,
    FROZEN_CELLS,
    FROZEN_USED,
    INDEX,
    INDEX_SIZE,
    IS_ROOMY,
    PARTIALS,
    STALE,
    TOUCHED,
    USED,
    entry_words,
    give_back,
    index_words,
    places_for,
    take,
)
from swapstats.core.kernels.rolling import high_half, low_half

U64 = np.uint64
I64 = np.int64
_HALF_MAX = (1 << 31) - 2
_USD_MAX = 1 << 62
_HIGH_MAX = 3 << 60
SPARE = 4
SPARE_SHARE = 16
"""A packed bucket has room for one entry and one cell in SPARE_SHARE more, SPARE at the most: a
latecomer in each of very many buckets must not copy them all."""


@kernel
def _join(words: NDArray[np.int64], cell: int, other: int) -> bool:
    """Add one cell to another of the same token; False if the sum might not fit."""
    trades = low_half(words[cell + 1])
    more = low_half(words[other + 1])
    buys = high_half(words[cell + 1] - trades)
    more_buys = high_half(words[other + 1] - more)
    unpriced = high_half(words[cell])
    more_unpriced = high_half(words[other])
    if (
        abs(trades) + abs(more) > _HALF_MAX
        or abs(buys) + abs(more_buys) > _HALF_MAX
        or abs(unpriced) + abs(more_unpriced) > _HALF_MAX
    ):
        return False
    for j in (2, 3):
        if abs(words[cell + j]) > _USD_MAX or abs(words[other + j]) > _USD_MAX:
            return False
        if abs(words[cell + j] + words[other + j]) > _USD_MAX:
            return False
    if abs(words[cell + 5]) > _HIGH_MAX // 2 or abs(words[other + 5]) > _HIGH_MAX // 2:
        return False
    words[cell] += more_unpriced << 32
    words[cell + 1] = ((buys + more_buys) << 32) + trades + more
    words[cell + 2] += words[other + 2]
    words[cell + 3] += words[other + 3]
    before = U64(words[cell + 4])
    after = before + U64(words[other + 4])
    words[cell + 4] = I64(after)
    words[cell + 5] += words[other + 5] + (1 if after < before else 0)
    return True


@kernel
def _move_entries(heap: NDArray[np.uint64], record: NDArray[np.int64], to: int, room: int) -> None:
    """Copy the entries that no later one supersedes; STALE ones need the index."""
    halves = heap.view(np.uint32)
    entries = record[ENTRIES]
    states = 2 * (entries + record[CAPACITY])
    places = 2 * record[INDEX]
    mask = record[INDEX_SIZE] - 1
    kept = 0
    for entry in range(record[USED]):
        code = heap[entries + entry]
        if record[STALE]:
            place = I64(code >> U64(32)) & mask
            while heap[entries + I64(halves[places + place]) - 1] != code:
                place = (place + 1) & mask
            if I64(halves[places + place]) != entry + 1:
                continue
        heap[to + kept] = code
        halves[2 * (to + room) + kept] = halves[states + entry]
        kept += 1


@kernel
def _move_cells(
    heap: NDArray[np.uint64],
    record: NDArray[np.int64],
    to: int,
    numbers: NDArray[np.int64],
    cell_of: NDArray[np.int32],
) -> int:
    """Copy cells, those of a token joined if a snapshot parted them; returns how many are left."""
    words = heap.view(np.int64)
    kept = 0
    at = record[CELLS]
    for _ in range(record[CELL_COUNT]):
        token = words[at] & 0xFFFFFFFF
        known = cell_of[token] if record[PARTIALS] else 0
        if known == 0 or not _join(words, to + CELL_WORDS * (known - 1), at):
            target = to + CELL_WORDS * kept
            for j in range(CELL_WORDS):
                words[target + j] = words[at + j]
            kept += 1
            if record[PARTIALS]:
                cell_of[token] = kept
        at += CELL_WORDS
    for cell in range(kept):
        target = to + CELL_WORDS * cell
        token = words[target] & 0xFFFFFFFF
        cell_of[token] = 0
        if numbers.shape[0]:
            words[target] += numbers[token] - token
    return kept


@kernel
def seal(
    heap: NDArray[np.uint64],
    record: NDArray[np.int64],
    numbers: NDArray[np.int64],
    cell_of: NDArray[np.int32],
    bump: NDArray[np.int64],
    live: NDArray[np.int64],
    owner: NDArray[np.int32],
) -> bool:
    """Pack one bucket into blocks of its size; what a snapshot holds of it stays as it was.

    Args:
        heap: uint64[...], changed.
        record: int64[RECORD_WORDS], changed.
        numbers: int64[tokens], new number by old one, or int64[0] to leave them as they are.
        cell_of: int32[tokens], zeros; zeros again afterwards.
        bump: int64[3], see `records.take`.
        live: int64[granules], changed.
        owner: int32[granules].

    Returns:
        True when done; False if there is no room: make some and call again.
    """
    if record[STALE] and record[INDEX] == 0:
        if not index_entries(heap, record, places_for(record[USED]), bump, live, owner):
            return False
    used = record[USED] - record[STALE]
    count = record[CELL_COUNT]
    room = used + min(SPARE, used // SPARE_SHARE)
    room += room & 1
    spare_cells = min(SPARE, count // SPARE_SHARE)
    needed = entry_words(room) + CELL_WORDS * (count + spare_cells)
    if needed == 0:
        record[IS_ROOMY] = 0
        return True
    address = take(needed, bump, live, owner)
    if address == 0:
        return False
    _move_entries(heap, record, address, room)
    cells = address + entry_words(room)
    kept = _move_cells(heap, record, cells, numbers, cell_of)
    give_back(cells, CELL_WORDS * (count - kept), live, owner)
    give_back(record[ENTRIES], entry_words(record[CAPACITY]), live, owner)
    give_back(record[INDEX], index_words(record[INDEX_SIZE]), live, owner)
    give_back(record[CELLS], CELL_WORDS * record[CELL_CAPACITY], live, owner)
    give_back(record[CELL_INDEX], index_words(record[CELL_INDEX_SIZE]), live, owner)
    record[ENTRIES] = address if room else 0
    record[CAPACITY] = room
    record[USED] = used
    record[STALE] = 0
    record[INDEX] = 0
    record[INDEX_SIZE] = 0
    record[CELLS] = cells if kept else 0
    record[CELL_CAPACITY] = kept + spare_cells
    record[CELL_COUNT] = kept
    record[PARTIALS] = 0
    record[CELL_INDEX] = 0
    record[CELL_INDEX_SIZE] = 0
    record[FROZEN_USED] = 0
    record[FROZEN_CELLS] = 0
    record[IS_ROOMY] = 0
    return True


@kernel
def seal_quiet(
    heap: NDArray[np.uint64],
    records: NDArray[np.int64],
    roomy: NDArray[np.int32],
    roomy_count: int,
    quiet_since: int,
    words_max: int,
    numbers: NDArray[np.int64],
    cell_of: NDArray[np.int32],
    bump: NDArray[np.int64],
    live: NDArray[np.int64],
    owner: NDArray[np.int32],
) -> int:
    """Pack the buckets that were not touched lately, up to a bound.

    Args:
        heap: uint64[...], changed.
        records: int64[slots, RECORD_WORDS], changed.
        roomy: int32[...], slots to be packed some day, changed; one that was dropped and begun
            again in between is listed twice, and once afterwards.
        roomy_count: how many.
        quiet_since: a bucket touched by a batch after this one is left alone.
        words_max: stop when so many words were moved.
        numbers: int64[0], see `seal`.
        cell_of: int32[tokens], zeros; zeros again afterwards.
        bump: int64[3], see `records.take`; `bump[WANTED]` is 0 unless there was no room.
        live: int64[granules], changed.
        owner: int32[granules].

    Returns:
        How many are left in `roomy`.
    """
    kept = 0
    moved = 0
    stop = False
    for i in range(roomy_count):
        slot = roomy[i]
        record = records[slot]
        if record[IS_ROOMY] != 1:  # packed or dropped meanwhile, or kept already (2)
            continue
        if not stop and record[TOUCHED] <= quiet_since:
            if moved > words_max or not seal(heap, record, numbers, cell_of, bump, live, owner):
                stop = True
            else:
                moved += entry_words(record[CAPACITY]) + CELL_WORDS * record[CELL_COUNT]
                continue
        record[IS_ROOMY] = 2
        roomy[kept] = slot
        kept += 1
    for i in range(kept):
        records[roomy[i], IS_ROOMY] = 1
    return kept
