"""Plain twin of `kernels.dedup`: the same table, one entry looked up at a time."""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.dedup import CANCELLED, CONFLICT, DUPLICATE, NEW, REMOVED


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
    """Let two sets of pairs decide: what was added, and what was removed."""
    for position in range(first, len(rows)):
        row = rows[position]
        slot = _entry_slot(fingerprints, int(fingerprint[row]))
        content = int(check[row])
        bit, other = (2, 1) if removed[row] else (1, 2)
        if fingerprints[slot] == 0:
            if used >= used_max:
                return position, used
            used += 1
            fingerprints[slot] = fingerprint[row]
            states[slot] = content << 2 | bit
            outcome[row] = CANCELLED if removed[row] else NEW
        elif int(states[slot]) >> 2 != content:
            outcome[row] = CONFLICT
        elif int(states[slot]) & bit:
            outcome[row] = DUPLICATE
        else:
            assert int(states[slot]) & other
            states[slot] = content << 2 | bit | other
            outcome[row] = REMOVED if removed[row] else CANCELLED
    return len(rows), used


def refill(
    old_fingerprints: NDArray[np.uint64],
    old_states: NDArray[np.uint32],
    fingerprints: NDArray[np.uint64],
    states: NDArray[np.uint32],
) -> None:
    """Put every entry of the old table at its first free slot of the new one."""
    for code, state in zip(old_fingerprints.tolist(), old_states.tolist(), strict=True):
        if code:
            slot = _entry_slot(fingerprints, code)
            fingerprints[slot] = code
            states[slot] = state


def pack(
    fingerprints: NDArray[np.uint64],
    states: NDArray[np.uint32],
    out_fingerprints: NDArray[np.uint64],
    out_states: NDArray[np.uint32],
) -> int:
    """Copy the entries, leave out the gaps."""
    held = np.flatnonzero(fingerprints)
    out_fingerprints[: len(held)] = fingerprints[held]
    out_states[: len(held)] = states[held]
    return len(held)


def _entry_slot(fingerprints: NDArray[np.uint64], code: int) -> int:
    """First slot from the entry's place on that is empty or holds it."""
    capacity = len(fingerprints)
    slot = (code >> 32) * capacity >> 32
    while int(fingerprints[slot]) not in {0, code}:
        slot = (slot + 1) % capacity
    return slot
