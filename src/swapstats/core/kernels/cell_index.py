"""Where the cells of a bucket are: found by token, grown, begun.

A small or quiet bucket has no index and is searched from its newest cell back.
"""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.compiling import kernel, part
from swapstats.core.kernels.records import (
    CELL_CAPACITY,
    CELL_COUNT,
    CELL_INDEX,
    CELL_INDEX_SIZE,
    CELL_WORDS,
    CELLS,
    give_back,
    index_words,
    take,
)

U64 = np.uint64
U32 = np.uint32
I64 = np.int64
SEARCHED_MAX = 16
"""So many cells are searched without an index."""
FEW = 2
"""So few messages do not pay for an index ..."""
SEARCHED_BY_FEW_MAX = 4_096
"""... unless it is to be had for more cells than this."""


@part
def _spread(token: int) -> np.uint64:
    return (U64(token) * U64(0x9E3779B97F4A7C15)) >> U64(32)


@part
def _put(
    words: NDArray[np.int64],
    halves: NDArray[np.uint32],
    cells: int,
    places: int,
    mask: int,
    token: int,
    cell: int,
) -> None:
    """Point the place of a token at a cell, a newer one instead of an older one."""
    place = I64(_spread(token)) & mask
    while True:
        found = I64(halves[places + place])
        if found == 0 or (words[cells + CELL_WORDS * (found - 1)] & 0xFFFFFFFF) == token:
            halves[places + place] = U32(cell + 1)
            return
        place = (place + 1) & mask


@part
def wants_index(count: int, more: int) -> bool:
    """Whether `more` look-ups in `count` cells are worth an index."""
    if count + more <= SEARCHED_MAX:
        return False
    return more > FEW or count > SEARCHED_BY_FEW_MAX


@part
def find_cell(
    words: NDArray[np.int64], halves: NDArray[np.uint32], record: NDArray[np.int64], token: int
) -> int:
    """Newest cell of a token, -1 if there is none."""
    cells = record[CELLS]
    if record[CELL_INDEX] == 0:
        for cell in range(record[CELL_COUNT] - 1, -1, -1):
            if (words[cells + CELL_WORDS * cell] & 0xFFFFFFFF) == token:
                return int(cell)
        return -1
    places = 2 * record[CELL_INDEX]
    mask = record[CELL_INDEX_SIZE] - 1
    place = I64(_spread(token)) & mask
    while True:
        found = I64(halves[places + place])
        if found == 0 or (words[cells + CELL_WORDS * (found - 1)] & 0xFFFFFFFF) == token:
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
    """Index the cells of a bucket anew; False if there is no room."""
    address = take(index_words(size), bump, live, owner)
    if address == 0:
        return False
    give_back(record[CELL_INDEX], index_words(record[CELL_INDEX_SIZE]), live, owner)
    record[CELL_INDEX] = address
    record[CELL_INDEX_SIZE] = size
    words = heap.view(np.int64)
    halves = heap.view(np.uint32)
    for place in range(2 * address, 2 * address + size):
        halves[place] = U32(0)
    cells = record[CELLS]
    for cell in range(record[CELL_COUNT]):
        token = words[cells + CELL_WORDS * cell] & 0xFFFFFFFF
        _put(words, halves, cells, 2 * address, size - 1, token, cell)
    return True


@kernel
def grow_cells(
    heap: NDArray[np.uint64],
    record: NDArray[np.int64],
    capacity: int,
    bump: NDArray[np.int64],
    live: NDArray[np.int64],
    owner: NDArray[np.int32],
) -> bool:
    """Move the cells of a bucket into another block; False if there is no room."""
    address = take(CELL_WORDS * capacity, bump, live, owner)
    if address == 0:
        return False
    old = record[CELLS]
    for word in range(CELL_WORDS * record[CELL_COUNT]):
        heap[address + word] = heap[old + word]
    give_back(old, CELL_WORDS * record[CELL_CAPACITY], live, owner)
    record[CELLS] = address
    record[CELL_CAPACITY] = capacity
    return True


@kernel
def begin_cell(
    heap: NDArray[np.uint64],
    record: NDArray[np.int64],
    token: int,
    more: int,
    bump: NDArray[np.int64],
    live: NDArray[np.int64],
    owner: NDArray[np.int32],
) -> int:
    """Append an empty cell; `more` messages may still come. -1 if there is no room."""
    count = record[CELL_COUNT]
    if count == record[CELL_CAPACITY]:
        capacity = count + max(min(more, 16), more // 4, count // 2)
        if not grow_cells(heap, record, capacity, bump, live, owner):
            return -1
    if record[CELL_INDEX] != 0 and 4 * (count + 1) > 3 * record[CELL_INDEX_SIZE]:
        if not make_index(heap, record, 2 * record[CELL_INDEX_SIZE], bump, live, owner):
            return -1
    words = heap.view(np.int64)
    cells = record[CELLS]
    at = cells + CELL_WORDS * count
    words[at] = token
    for j in range(1, CELL_WORDS):
        words[at + j] = 0
    record[CELL_COUNT] = count + 1
    if record[CELL_INDEX] != 0:
        _put(
            words,
            heap.view(np.uint32),
            cells,
            2 * record[CELL_INDEX],
            record[CELL_INDEX_SIZE] - 1,
            token,
            count,
        )
    return int(count)
