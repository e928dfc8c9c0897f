"""The add and remove sets of one time bucket: fingerprints in an open-addressing table.

An entry is a 64-bit fingerprint (0 = empty) and a 32-bit word: bit 0 = added, bit 1 = removed,
bits 2..31 = content check. Entries are never taken out; the whole bucket is thrown away at once.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

U64 = np.uint64
U32 = np.uint32

ADDED, WAS_REMOVED = 1, 2
NOT_LOOKED, NEW, DUPLICATE, CONFLICT, REMOVED, CANCELLED = 0, 1, 2, 3, 4, 5
"""What the sets say of a message; NOT_LOOKED: it was too old or refused before."""


@njit(cache=True, nogil=True, inline="always")
def _place(fingerprint: np.uint64, capacity: np.uint64) -> np.uint64:
    """Map the upper half of a fingerprint onto [0, capacity) without a division."""
    return ((fingerprint >> U64(32)) * capacity) >> U64(32)


@njit(cache=True, nogil=True)
def decide(
    fingerprints: NDArray[np.uint64],
    states: NDArray[np.uint32],
    used: int,
    used_max: int,
    rows: NDArray[np.int32],
    first: int,
    fingerprint: NDArray[np.uint64],
    check: NDArray[np.uint32],
    removed: NDArray[np.uint8],
    outcome: NDArray[np.uint8],
) -> tuple[int, int]:
    """Put messages into the sets of their bucket, in order.

    Args:
        fingerprints: uint64[capacity], changed.
        states: uint32[capacity], changed.
        used: entries held.
        used_max: stop before the table holds more than this.
        rows: int32[k], rows of this bucket in log order.
        first: position in `rows` to begin at.
        fingerprint: uint64[n], by row.
        check: uint32[n], by row.
        removed: uint8[n], by row.
        outcome: uint8[n], out, by row: NEW, DUPLICATE, CONFLICT, REMOVED or CANCELLED.

    Returns:
        Position in `rows` it got to (len(rows) = done, else the table is full), entries held.
    """
    capacity = U64(fingerprints.shape[0])
    for i in range(first, rows.shape[0]):
        row = rows[i]
        code = fingerprint[row]
        slot = _place(code, capacity)
        while fingerprints[slot] != U64(0) and fingerprints[slot] != code:
            slot += U64(1)
            if slot == capacity:
                slot = U64(0)
        if fingerprints[slot] == U64(0):
            if used >= used_max:
                return i, used
            fingerprints[slot] = code
            used += 1
            content = check[row] << U32(2)
            if removed[row]:
                states[slot] = content | U32(WAS_REMOVED)
                outcome[row] = CANCELLED
            else:
                states[slot] = content | U32(ADDED)
                outcome[row] = NEW
            continue
        state = states[slot]
        if (state >> U32(2)) != check[row]:
            outcome[row] = CONFLICT
            continue
        bit = U32(WAS_REMOVED) if removed[row] else U32(ADDED)
        if state & bit:
            outcome[row] = DUPLICATE
            continue
        states[slot] = state | bit
        outcome[row] = REMOVED if removed[row] else CANCELLED
    return rows.shape[0], used


@njit(cache=True, nogil=True)
def refill(
    old_fingerprints: NDArray[np.uint64],
    old_states: NDArray[np.uint32],
    fingerprints: NDArray[np.uint64],
    states: NDArray[np.uint32],
) -> None:
    """Put all entries of one table into another, empty one with room for them.

    Args:
        old_fingerprints: uint64[any], 0 = empty.
        old_states: uint32[any].
        fingerprints: uint64[capacity], zeros, changed.
        states: uint32[capacity], changed.
    """
    capacity = U64(fingerprints.shape[0])
    for i in range(old_fingerprints.shape[0]):
        code = old_fingerprints[i]
        if code == U64(0):
            continue
        slot = _place(code, capacity)
        while fingerprints[slot] != U64(0):
            slot += U64(1)
            if slot == capacity:
                slot = U64(0)
        fingerprints[slot] = code
        states[slot] = old_states[i]


@njit(cache=True, nogil=True)
def pack(
    fingerprints: NDArray[np.uint64],
    states: NDArray[np.uint32],
    out_fingerprints: NDArray[np.uint64],
    out_states: NDArray[np.uint32],
) -> int:
    """Copy the entries of a table without its gaps; returns how many there are."""
    count = 0
    for i in range(fingerprints.shape[0]):
        if fingerprints[i] != U64(0):
            out_fingerprints[count] = fingerprints[i]
            out_states[count] = states[i]
            count += 1
    return count
