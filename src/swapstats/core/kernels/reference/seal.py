"""Plain twin of `kernels.seal`: what is left of a bucket, written into one tight block."""

import numpy as np
from numpy.typing import NDArray

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
)
from swapstats.core.kernels.reference.bucket_lists import blocks_of
from swapstats.core.kernels.reference.cells import AMOUNT_HIGH_MAX, COUNT_MAX, USD_MAX
from swapstats.core.kernels.reference.dedup import codes_of, make_index, newest_entries, states_of
from swapstats.core.kernels.reference.records import entry_words, give_back, places_for, take
from swapstats.core.kernels.reference.rolling import Sum, cells_of, read_cell, token_of, write_cell
from swapstats.core.kernels.seal import SPARE, SPARE_SHARE

_EMPTIED = (
    STALE,
    INDEX,
    INDEX_SIZE,
    PARTIALS,
    CELL_INDEX,
    CELL_INDEX_SIZE,
    FROZEN_USED,
    FROZEN_CELLS,
    IS_ROOMY,
)


def seal(
    heap: NDArray[np.uint64],
    record: NDArray[np.int64],
    numbers: NDArray[np.int64],
    cell_of: NDArray[np.int32],  # noqa: ARG001 - the compiled twin's
    bump: NDArray[np.int64],
    live: NDArray[np.int64],
    owner: NDArray[np.int32],
) -> bool:
    """Read a bucket, take a block of the size it may need, write it there, give the old back."""
    memory = (bump, live, owner)
    if record[STALE] and not record[INDEX]:
        if not make_index(heap, record, places_for(int(record[USED])), *memory):
            return False
    entries, sums = _entries_left(heap, record), _sums_left(heap, record)
    room = (len(entries) + _spare(len(entries)) + 1) // 2 * 2
    count, spare = int(record[CELL_COUNT]), _spare(int(record[CELL_COUNT]))
    if not entries and not sums:
        record[IS_ROOMY] = 0
        return True
    address = take(entry_words(room) + CELL_WORDS * (count + spare), *memory)
    if not address:
        return False
    for block, words in blocks_of(record):
        give_back(block, words, live, owner)
    cells = address + entry_words(room)
    give_back(cells, CELL_WORDS * (count - len(sums)), live, owner)
    record[list(_EMPTIED)] = 0
    record[[ENTRIES, CAPACITY, USED]] = address if room else 0, room, len(entries)
    record[[CELLS, CELL_CAPACITY]] = cells if sums else 0, len(sums) + spare
    record[CELL_COUNT] = len(sums)
    codes_of(heap, record)[:] = [code for code, _ in entries]
    states_of(heap, record)[:] = [state for _, state in entries]
    for cell, (token, total) in zip(cells_of(heap, record), sums, strict=True):
        write_cell(cell, int(numbers[token]) if len(numbers) else token, total)
    return True


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
    """Seal what is quiet until the bound is passed or room is wanted; list the rest, each once."""
    left: list[int] = []
    moved, goes_on = 0, True
    for slot in dict.fromkeys(roomy[:roomy_count].tolist()):
        record = records[slot]
        if not record[IS_ROOMY]:
            continue
        if goes_on and record[TOUCHED] <= quiet_since:
            goes_on = moved <= words_max and seal(heap, record, numbers, cell_of, bump, live, owner)
            if goes_on:
                moved += entry_words(int(record[CAPACITY])) + CELL_WORDS * int(record[CELL_COUNT])
                continue
        left.append(slot)
    roomy[: len(left)] = left
    return len(left)


def _spare(count: int) -> int:
    """Room left for latecomers."""
    return min(SPARE, count // SPARE_SHARE)


def _entries_left(heap: NDArray[np.uint64], record: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Fingerprints and states, without those superseded if any are known to be."""
    codes, states = codes_of(heap, record).tolist(), states_of(heap, record).tolist()
    entries = list(zip(codes, states, strict=True))
    if not record[STALE]:
        return entries
    newest = newest_entries(codes_of(heap, record))
    return [(code, state) for at, (code, state) in enumerate(entries) if newest[code] == at]


def _sums_left(heap: NDArray[np.uint64], record: NDArray[np.int64]) -> list[tuple[int, Sum]]:
    """Tokens and sums of the cells; each is joined to its token's last one where both fit."""
    sums: list[tuple[int, Sum]] = []
    last: dict[int, int] = {}
    for cell in cells_of(heap, record):
        token, total = token_of(cell), read_cell(cell)
        if record[PARTIALS] and token in last:
            before = sums[last[token]][1]
            if _fits(before, total):
                sums[last[token]] = (token, before.plus(total))
                continue
        last[token] = len(sums)
        sums.append((token, total))
    return sums


def _fits(one: Sum, other: Sum) -> bool:
    """Whether two sums can be one cell, by bounds that no sum of two can pass unseen."""
    counts = ((one.trades, other.trades), (one.buys, other.buys), (one.unpriced, other.unpriced))
    dollars = ((one.usd, other.usd), (one.buy_usd, other.buy_usd))
    return (
        all(abs(a) + abs(b) <= COUNT_MAX for a, b in counts)
        and all(max(abs(a), abs(b), abs(a + b)) <= USD_MAX for a, b in dollars)
        and all(abs(sum_.amount >> 64) <= AMOUNT_HIGH_MAX // 2 for sum_ in (one, other))
    )
