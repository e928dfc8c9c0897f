"""Where a bucket's parts lie: one row of integers a bucket, blocks of words in one heap.

A block is taken from the slab that is being filled, and given back to the slab it lies in; a slab
whose blocks are all given back is free as a whole (`core.heap`). Address 0 is no block.

Entries of the sets are appended, never moved within their block: capacity fingerprints, then as
many 32-bit states. So what a snapshot has seen stays as it is while the bucket goes on.
"""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.compiling import part

(
    NUMBER,
    ENTRIES,
    CAPACITY,
    USED,
    STALE,
    INDEX,
    INDEX_SIZE,
    CELLS,
    CELL_CAPACITY,
    CELL_COUNT,
    PARTIALS,
    CELL_INDEX,
    CELL_INDEX_SIZE,
    FROZEN_AT,
    FROZEN_USED,
    FROZEN_CELLS,
    TOUCHED,
    IS_ROOMY,
    IS_DIRTY,
) = range(19)
"""Columns of a bucket's record. ENTRIES, INDEX, CELLS and CELL_INDEX are addresses in words.

USED counts entries, STALE those of them that a later entry of the same pair supersedes. PARTIALS
counts cells begun beside a cell of the same token only because a snapshot had seen that one.
FROZEN_USED entries and FROZEN_CELLS cells are not to be changed while snapshot FROZEN_AT is held.
"""
RECORD_WORDS = 19
CELL_WORDS = 6
GRANULE_BITS = 13
"""A granule is 2^13 words, 64 KiB: what slabs are made of."""

NEXT, END, WANTED = range(3)
"""Columns of a bump: next free word, end of the slab, and how much did not fit."""


@part
def take(
    words: int, bump: NDArray[np.int64], live: NDArray[np.int64], owner: NDArray[np.int32]
) -> int:
    """Take a block from the slab that is being filled.

    Args:
        words: its size, above 0.
        bump: int64[3], changed.
        live: int64[granules], words in use by first granule of a slab, changed.
        owner: int32[granules], first granule of the slab each granule belongs to.

    Returns:
        Its address, or 0 if it does not fit; then `bump[WANTED]` says what was wanted.
    """
    at = bump[NEXT]
    if at + words > bump[END]:
        bump[WANTED] = words
        return 0
    bump[NEXT] = at + words
    live[owner[at >> GRANULE_BITS]] += words
    return int(at)


@part
def give_back(address: int, words: int, live: NDArray[np.int64], owner: NDArray[np.int32]) -> None:
    """Give a block back; one of no words is none, and may lie where the heap ends."""
    if words != 0:
        live[owner[address >> GRANULE_BITS]] -= words


@part
def entry_words(capacity: int) -> int:
    """Words of a block of entries: a fingerprint and half a word of state each."""
    return capacity + (capacity + 1) // 2


@part
def index_words(size: int) -> int:
    """Words of an index: 32 bits a place, an even number of places."""
    return size // 2


@part
def places_for(count: int) -> int:
    """Places of an index that is at most half full with `count` entries: a power of two."""
    size = 32
    while size < 2 * count:
        size *= 2
    return size
