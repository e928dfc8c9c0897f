"""Plain twin of `kernels.cell_index`: cells found by looking at each of them."""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.records import (
    CELL_CAPACITY,
    CELL_COUNT,
    CELL_INDEX,
    CELL_INDEX_SIZE,
    CELL_WORDS,
    CELLS,
)
from swapstats.core.kernels.reference.dedup import filled_places
from swapstats.core.kernels.reference.records import give_back, index_words, take
from swapstats.core.kernels.reference.rolling import cells_of, token_of


def newest_cells(heap: NDArray[np.uint64], record: NDArray[np.int64]) -> dict[int, int]:
    """Newest cell by token, in order of the tokens' first cells."""
    return {token_of(cell): number for number, cell in enumerate(cells_of(heap, record))}


def make_index(
    heap: NDArray[np.uint64],
    record: NDArray[np.int64],
    size: int,
    bump: NDArray[np.int64],
    live: NDArray[np.int64],
    owner: NDArray[np.int32],
) -> bool:
    """Give a bucket's cells an index of so many places instead of the one they have."""
    address = take(index_words(size), bump, live, owner)
    if not address:
        return False
    give_back(record[CELL_INDEX], index_words(record[CELL_INDEX_SIZE]), live, owner)
    record[[CELL_INDEX, CELL_INDEX_SIZE]] = address, size
    _write_index(heap, record)
    return True


def grow_cells(
    heap: NDArray[np.uint64],
    record: NDArray[np.int64],
    capacity: int,
    bump: NDArray[np.int64],
    live: NDArray[np.int64],
    owner: NDArray[np.int32],
) -> bool:
    """Write the same cells into a block of another capacity."""
    cells = cells_of(heap, record)
    address = take(CELL_WORDS * capacity, bump, live, owner)
    if not address:
        return False
    give_back(record[CELLS], CELL_WORDS * int(record[CELL_CAPACITY]), live, owner)
    record[[CELLS, CELL_CAPACITY]] = address, capacity
    cells_of(heap, record)[:] = cells
    return True


def begin_cell(
    heap: NDArray[np.uint64],
    record: NDArray[np.int64],
    token: int,
    more: int,
    bump: NDArray[np.int64],
    live: NDArray[np.int64],
    owner: NDArray[np.int32],
) -> int:
    """Add an empty cell; a full block grows by half or by what may come, up to 16 or a quarter."""
    count = int(record[CELL_COUNT])
    if count == record[CELL_CAPACITY]:
        added = max(min(more, 16), more // 4, count // 2)
        if not grow_cells(heap, record, count + added, bump, live, owner):
            return -1
    size = int(record[CELL_INDEX_SIZE])
    if size and (count + 1) / size > 0.75:
        if not make_index(heap, record, 2 * size, bump, live, owner):
            return -1
    record[CELL_COUNT] = count + 1
    cells_of(heap, record)[-1] = [token, 0, 0, 0, 0, 0]
    _write_index(heap, record)
    return count


def _write_index(heap: NDArray[np.uint64], record: NDArray[np.int64]) -> None:
    if not record[CELL_INDEX]:
        return
    size = int(record[CELL_INDEX_SIZE])
    homes = {
        number + 1: token * 0x9E3779B97F4A7C15 % (1 << 64) >> 32
        for token, number in newest_cells(heap, record).items()
    }
    heap[record[CELL_INDEX] :].view(np.uint32)[:size] = filled_places(homes, size)
