"""Duplicates that come after their bucket has gone: known by a memory longer than the windows.

The windows' own sets alone decide over sums; what such a memory knows changes nothing but the name
of what counts in no window, so a memory that is away, or that forgets, cannot make a sum wrong.
"""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.fate import DUPLICATE, LATE, LATE_REFUSED, TOO_OLD


def recognise(known: NDArray[np.bool_], fate: NDArray[np.uint8], counts: NDArray[np.int64]) -> bool:
    """Make duplicates of what no set was asked about.

    Args:
        known: bool[n], duplicates by the memory.
        fate: uint8[n], changed in place.
        counts: messages by fate, see `core.kernels.fate.settle`; changed in place.

    Returns:
        True if there were any.
    """
    found_any = False
    for unasked in (TOO_OLD, LATE_REFUSED):
        found = known & (fate == unasked)
        count = int(np.count_nonzero(found))
        fate[found] = DUPLICATE
        counts[unasked] -= count
        counts[DUPLICATE] += count
        if unasked == LATE_REFUSED:
            counts[LATE] -= count
        found_any |= count > 0
    return found_any
