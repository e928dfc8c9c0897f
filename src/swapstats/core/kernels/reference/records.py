"""Plain twin of `kernels.records`: blocks of words, taken from a slab and given back to it."""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.records import END, GRANULE_BITS, NEXT, WANTED


def take(
    words: int, bump: NDArray[np.int64], live: NDArray[np.int64], owner: NDArray[np.int32]
) -> int:
    """Take the next words of the slab, or say how many were wanted."""
    address, after = int(bump[NEXT]), int(bump[NEXT]) + words
    if after > bump[END]:
        bump[WANTED] = words
        return 0
    bump[NEXT] = after
    live[_slab(address, owner)] += words
    return address


def give_back(address: int, words: int, live: NDArray[np.int64], owner: NDArray[np.int32]) -> None:
    """Count the words of a block out of its slab; a block of none lies nowhere."""
    if words:
        live[_slab(address, owner)] -= words


def entry_words(capacity: int) -> int:
    """So many fingerprints of 64 bits and states of 32 bits, in whole words."""
    return -(-(64 + 32) * capacity // 64)


def index_words(size: int) -> int:
    """So many places of 32 bits, in words."""
    return 32 * size // 64


def places_for(count: int) -> int:
    """Find the least power of two that is twice the count or more, and at least 32."""
    return max(32, 1 << (2 * count - 1).bit_length())


def _slab(address: int, owner: NDArray[np.int32]) -> int:
    return int(owner[int(address) >> GRANULE_BITS])
