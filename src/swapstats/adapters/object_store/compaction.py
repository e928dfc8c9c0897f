"""Which segments are worth rewriting, so that objects and bytes stay bounded.

Two rules. A segment of which less than a third is still live is emptied into a new one: what is
stored stays below three times what is live. And segments with little in them are put together,
like with like, so that a day of revisions every five seconds does not leave a day of objects:

    live part   < 32 KiB   < 128 KiB   < 512 KiB   < 2 MiB   < 8 MiB   more
    tier            0          1            2          3         4       -
    as soon as a tier holds TIER_SEGMENTS_MAX segments they become one of a higher tier

Pure; carried out by `checkpoints.py`, part by part.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from swapstats.adapters.object_store.layout import RevisionIndex

LIVE_SHARE_MIN: Final = 3
"""A segment is emptied when fewer than one in so many of its bytes are live."""
TIER_SEGMENTS_MAX: Final = 8
TIER_FIRST_BYTES: Final = 32 << 10
TIER_FACTOR: Final = 4
TIER_LAST_BYTES: Final = 8 << 20
"""A segment with this much in it is left alone until a third of it is live."""


def live_bytes(index: RevisionIndex) -> NDArray[np.int64]:
    """Bytes of each segment that the revision reads, int64[segments]."""
    live = np.zeros(len(index.segments), dtype=np.int64)
    for blobs in (index.buckets, index.tokens):
        np.add.at(live, blobs.segment, blobs.size)
    return live


def to_rewrite(index: RevisionIndex, bytes_max: int) -> list[int]:
    """Choose segments to empty.

    Args:
        index: the newest revision.
        bytes_max: most live bytes to move at once; the cheapest segments are taken first, and
            at least one if any qualifies.

    Returns:
        Positions in `index.segments`, ascending.
    """
    live = live_bytes(index)
    chosen = live * LIVE_SHARE_MIN < index.sizes
    tiers = _tiers(live)
    for tier in np.unique(tiers[tiers >= 0]).tolist():
        members = tiers == tier
        if np.count_nonzero(members) >= TIER_SEGMENTS_MAX:
            chosen |= members
    positions = np.flatnonzero(chosen)
    cheapest = positions[np.argsort(live[positions], kind="stable")]
    moved = np.cumsum(live[cheapest])
    count = max(1, int(np.searchsorted(moved, bytes_max, side="right")))
    return sorted(cheapest[:count].tolist())


def _tiers(live: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tier of each segment; -1 for those too large for any."""
    bounds = [TIER_FIRST_BYTES]
    while bounds[-1] < TIER_LAST_BYTES:
        bounds.append(bounds[-1] * TIER_FACTOR)
    tiers = np.searchsorted(np.array(bounds), live, side="right").astype(np.int64)
    tiers[tiers == len(bounds)] = -1
    return tiers
