"""Plain twin of `kernels.cells`: messages added to sums of Python integers."""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.cell_index import FEW, SEARCHED_BY_FEW_MAX, SEARCHED_MAX
from swapstats.core.kernels.fate import APPLIED, REMOVED
from swapstats.core.kernels.records import (
    CELL_CAPACITY,
    CELL_COUNT,
    CELL_INDEX,
    FROZEN_AT,
    FROZEN_CELLS,
    NUMBER,
    PARTIALS,
)
from swapstats.core.kernels.reference.cell_index import begin_cell, make_index, newest_cells
from swapstats.core.kernels.reference.records import places_for
from swapstats.core.kernels.reference.rolling import (
    Sum,
    cells_of,
    mark,
    read_cell,
    roll,
    write_cell,
)

COUNT_MAX = (1 << 31) - 2
USD_MAX = 1 << 62
AMOUNT_HIGH_MAX = 3 << 60


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
    """Add each message to its token's newest cell and to every window that covers the bucket."""
    memory = (bump, live, owner)
    signs = {APPLIED: 1, REMOVED: -1}
    for group in range(int(cursor[0]), len(slots)):
        record = records[slots[group]]
        begin, end = max(int(edges[group]), int(cursor[1])), int(edges[group + 1])
        held_by_snapshot = int(record[FROZEN_CELLS]) if record[FROZEN_AT] > settled else 0
        if not _index_in_time(heap, record, end - begin, memory):
            cursor[0] = group
            return False
        number = int(record[NUMBER])
        inside = [w for w, width in enumerate(widths) if end_bucket - width <= number < end_bucket]
        newest = newest_cells(heap, record)
        for position in range(begin, end):
            row = rows[position]
            if int(fate[row]) not in signs:
                continue
            token, sign = int(tokens[row]), signs[int(fate[row])]
            message = _message(row, side, unpriced, usd, lo, hi)
            cell = newest.get(token, -1)
            if not 0 <= cell or cell < held_by_snapshot or _is_full(cells_of(heap, record)[cell]):
                begun = begin_cell(heap, record, token, end - position, *memory)
                if begun < 0:
                    cursor[:2] = group, position
                    return False
                record[PARTIALS] += 0 <= cell < held_by_snapshot
                cell = newest[token] = begun
            words = cells_of(heap, record)[cell]
            write_cell(words, token, read_cell(words).plus(message, sign))
            for window in inside:
                roll(rolling[token, window], message, sign)
            if inside:
                cursor[2] = mark(token, stamps, stamp, changed, int(cursor[2]))
    return True


def _message(
    row: int,
    side: NDArray[np.uint8],
    unpriced: NDArray[np.uint8],
    usd: NDArray[np.int64],
    lo: NDArray[np.uint64],
    hi: NDArray[np.uint64],
) -> Sum:
    """Sum of one message."""
    return Sum(
        usd=int(usd[row]),
        buy_usd=int(usd[row]) * int(side[row]),
        amount=int(hi[row]) << 64 | int(lo[row]),
        trades=1,
        buys=int(side[row]),
        unpriced=int(unpriced[row]),
    )


def _is_full(cell: NDArray[np.int64]) -> bool:
    """Whether one more message might not fit into the cell."""
    total = read_cell(cell)
    return (
        max(abs(total.trades), abs(total.buys), abs(total.unpriced)) > COUNT_MAX
        or max(abs(total.usd), abs(total.buy_usd)) > USD_MAX
        or abs(total.amount >> 64) > AMOUNT_HIGH_MAX
    )


def _index_in_time(
    heap: NDArray[np.uint64],
    record: NDArray[np.int64],
    more: int,
    memory: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]],
) -> bool:
    """Make an index of the cells if there is none and so many messages are worth one."""
    count = int(record[CELL_COUNT])
    many = count + more > SEARCHED_MAX and (more > FEW or count > SEARCHED_BY_FEW_MAX)
    if record[CELL_INDEX] or not many:
        return True
    size = places_for(max(int(record[CELL_CAPACITY]), 2 * count))
    return make_index(heap, record, size, *memory)
