"""Plain twin of `kernels.dedup`: two sets as a dictionary from fingerprint to newest entry.

An index is always what its entries, put in one by one, come to; so it is written anew as a whole.
"""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.dedup import (
    CANCELLED,
    CONFLICT,
    DUPLICATE,
    FEW,
    NEW,
    REMOVED,
    SEARCHED_BY_FEW_MAX,
    SEARCHED_MAX,
)
from swapstats.core.kernels.records import (
    CAPACITY,
    ENTRIES,
    FROZEN_AT,
    FROZEN_USED,
    INDEX,
    INDEX_SIZE,
    STALE,
    USED,
)
from swapstats.core.kernels.reference.records import (
    entry_words,
    give_back,
    index_words,
    places_for,
    take,
)


def codes_of(heap: NDArray[np.uint64], record: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Fingerprints of a bucket in order of arrival (a view)."""
    return heap[record[ENTRIES] :][: record[USED]]


def states_of(heap: NDArray[np.uint64], record: NDArray[np.int64]) -> NDArray[np.uint32]:
    """States of a bucket in order of arrival (a view)."""
    block = heap[record[ENTRIES] + record[CAPACITY] :]
    return block.view(np.uint32)[: record[USED]]


def newest_entries(codes: NDArray[np.uint64]) -> dict[int, int]:
    """Newest entry by fingerprint, in order of first arrival."""
    return {code: entry for entry, code in enumerate(codes.tolist())}


def filled_places(homes: dict[int, int], size: int) -> list[int]:
    """Put numbers at the first free place from their home on, around the end.

    Args:
        homes: home by number, in order of arrival; a home is taken modulo `size`.
        size: places.
    """
    places = [0] * size
    for number, home in homes.items():
        place = home % size
        while places[place]:
            place = (place + 1) % size
        places[place] = number
    return places


def make_index(
    heap: NDArray[np.uint64],
    record: NDArray[np.int64],
    size: int,
    bump: NDArray[np.int64],
    live: NDArray[np.int64],
    owner: NDArray[np.int32],
) -> bool:
    """Give a bucket an index of so many places instead of the one it has."""
    address = take(index_words(size), bump, live, owner)
    if not address:
        return False
    give_back(record[INDEX], index_words(record[INDEX_SIZE]), live, owner)
    record[[INDEX, INDEX_SIZE]] = address, size
    _write_index(heap, record)
    return True


def grow_entries(
    heap: NDArray[np.uint64],
    record: NDArray[np.int64],
    capacity: int,
    bump: NDArray[np.int64],
    live: NDArray[np.int64],
    owner: NDArray[np.int32],
) -> bool:
    """Write the same entries into a block of another capacity."""
    codes, states = codes_of(heap, record), states_of(heap, record)
    address = take(entry_words(capacity), bump, live, owner)
    if not address:
        return False
    give_back(record[ENTRIES], entry_words(record[CAPACITY]), live, owner)
    record[[ENTRIES, CAPACITY]] = address, capacity
    codes_of(heap, record)[:] = codes
    states_of(heap, record)[:] = states
    return True


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
    """Let the sets of each group's bucket say what they know of each of its messages."""
    memory = (bump, live, owner)
    for group in range(int(cursor[0]), len(slots)):
        record = records[slots[group]]
        begin, end = max(int(edges[group]), int(cursor[1])), int(edges[group + 1])
        held_by_snapshot = int(record[FROZEN_USED]) if record[FROZEN_AT] > settled else 0
        if not _index_in_time(heap, record, end - begin, memory):
            cursor[0] = group
            return False
        newest = newest_entries(codes_of(heap, record))
        for position in range(begin, end):
            row = rows[position]
            code = int(fingerprint[row])
            entry = newest.get(code)
            before = None if entry is None else int(states_of(heap, record)[entry])
            said, after = _judge(before, int(check[row]), bool(removed[row]))
            if after != before:
                if entry is not None and entry >= held_by_snapshot:
                    states_of(heap, record)[entry] = after
                else:
                    if not _append(heap, record, code, after, end - position, memory):
                        cursor[:2] = group, position
                        return False
                    record[STALE] += entry is not None
                    newest[code] = int(record[USED]) - 1
            outcome[row] = said
    return True


_Memory = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]


def _judge(before: int | None, content: int, is_removal: bool) -> tuple[int, int]:
    """What is said of a message, and the state of its pair afterwards.

    >>> _judge(None, 7, False) == (NEW, 7 * 4 + 1)
    True
    """
    own, other = (2, 1) if is_removal else (1, 2)
    if before is None:
        return CANCELLED if is_removal else NEW, content * 4 + own
    if before // 4 != content:
        return CONFLICT, before
    if before % 4 in {own, own + other}:
        return DUPLICATE, before
    return REMOVED if is_removal else CANCELLED, before + own


def _index_in_time(
    heap: NDArray[np.uint64], record: NDArray[np.int64], more: int, memory: _Memory
) -> bool:
    """Make an index that is half full at most after so many messages, if one is worth it."""
    used = int(record[USED])
    has_index = bool(record[INDEX])
    many = used + more > SEARCHED_MAX and (more > FEW or used > SEARCHED_BY_FEW_MAX)
    size = places_for(used + more)
    if size <= record[INDEX_SIZE] or not (has_index or many):
        return True
    return make_index(heap, record, size, *memory)


def _append(
    heap: NDArray[np.uint64],
    record: NDArray[np.int64],
    code: int,
    state: int,
    more: int,
    memory: _Memory,
) -> bool:
    """Add an entry; a full block grows by half, a full index (three quarters) is doubled."""
    used = int(record[USED])
    if used == record[CAPACITY]:
        wanted = used + max(more, used // 2, 2) if used else more
        if not grow_entries(heap, record, (wanted + 1) // 2 * 2, *memory):
            return False
    size = int(record[INDEX_SIZE])
    if size and (used + 1) / size > 0.75 and not make_index(heap, record, 2 * size, *memory):
        return False
    record[USED] = used + 1
    codes_of(heap, record)[-1] = code
    states_of(heap, record)[-1] = state
    _write_index(heap, record)
    return True


def _write_index(heap: NDArray[np.uint64], record: NDArray[np.int64]) -> None:
    if not record[INDEX]:
        return
    size = int(record[INDEX_SIZE])
    newest = newest_entries(codes_of(heap, record))
    homes = {entry + 1: code >> 32 for code, entry in newest.items()}
    heap[record[INDEX] :].view(np.uint32)[:size] = filled_places(homes, size)
