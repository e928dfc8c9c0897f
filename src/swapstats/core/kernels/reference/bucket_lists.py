"""Plain twin of `kernels.bucket_lists`: buckets as a dictionary from number to slot."""

import struct

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.bucket_lists import COUNT, DIRTY, FREE, ROOMY
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
)
from swapstats.core.kernels.reference.dedup import codes_of, states_of
from swapstats.core.kernels.reference.records import entry_words, give_back, index_words
from swapstats.core.kernels.reference.rolling import cells_of, token_of


def blocks_of(record: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Address and words of the four blocks of a bucket; no words where there is no block."""
    return [
        (record[ENTRIES], entry_words(int(record[CAPACITY]))),
        (record[INDEX], index_words(int(record[INDEX_SIZE]))),
        (record[CELLS], CELL_WORDS * int(record[CELL_CAPACITY])),
        (record[CELL_INDEX], index_words(int(record[CELL_INDEX_SIZE]))),
    ]


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
    """Look every number up; the missing ones get free slots, the last slot to the highest."""
    held = _held(numbers, slots, counts)
    for number in sorted(set(found.tolist()) - set(held), reverse=True):
        counts[FREE] -= 1
        held[number] = int(free[counts[FREE]])
        records[held[number]] = 0
        records[held[number], NUMBER] = number
    _hold(held, numbers, slots, counts)
    opened[:] = [held[number] for number in found.tolist()]
    records[opened, TOUCHED] = stamp
    for flag, listed, length in ((IS_ROOMY, roomy, ROOMY), (IS_DIRTY, dirty, DIRTY)):
        added = [slot for slot in opened.tolist() if not records[slot, flag]]
        listed[counts[length] : counts[length] + len(added)] = added
        counts[length] += len(added)
        records[added, flag] = 1


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
    """Give all blocks of the lower buckets back, and their slots, lowest number first."""
    held = _held(numbers, slots, counts)
    for number in sorted(number for number in held if number < below):
        slot = held.pop(number)
        for address, words in blocks_of(records[slot]):
            give_back(address, words, live, owner)
        records[slot] = 0
        free[counts[FREE]] = slot
        counts[FREE] += 1
    _hold(held, numbers, slots, counts)


def mark_tokens(
    heap: NDArray[np.uint64],
    records: NDArray[np.int64],
    slots: NDArray[np.int32],
    seen: NDArray[np.bool_],
) -> None:
    """Mark the token of every cell."""
    for record in records[slots]:
        seen[[token_of(cell) for cell in cells_of(heap, record)]] = True


def pack(heap: NDArray[np.uint64], records: NDArray[np.int64], out: NDArray[np.uint32]) -> int:
    """Write counts, fingerprints, cells and states of each bucket, one behind the other."""
    packed = b"".join(
        struct.pack("<III", record[USED], record[CELL_COUNT], record[STALE])
        + codes_of(heap, record).astype("<u8").tobytes()
        + cells_of(heap, record).astype("<i8").tobytes()
        + states_of(heap, record).astype("<u4").tobytes()
        for record in records
    )
    count = len(packed) // 4
    out[:count] = np.frombuffer(packed, dtype="<u4")
    return count


def _held(
    numbers: NDArray[np.int64], slots: NDArray[np.int32], counts: NDArray[np.int64]
) -> dict[int, int]:
    count = int(counts[COUNT])
    return dict(zip(numbers[:count].tolist(), slots[:count].tolist(), strict=True))


def _hold(
    held: dict[int, int],
    numbers: NDArray[np.int64],
    slots: NDArray[np.int32],
    counts: NDArray[np.int64],
) -> None:
    counts[COUNT] = len(held)
    numbers[: len(held)] = sorted(held)
    slots[: len(held)] = [held[number] for number in sorted(held)]
