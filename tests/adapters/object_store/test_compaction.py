import numpy as np

from swapstats.adapters.object_store.compaction import (
    TIER_LAST_BYTES,
    TIER_SEGMENTS_MAX,
    live_bytes,
    to_rewrite,
)
from swapstats.adapters.object_store.layout import Blobs, RevisionIndex, no_blobs


def index(live: list[int], sizes: list[int]) -> RevisionIndex:
    """One bucket a segment, of so many bytes."""
    count = len(live)
    buckets = Blobs(
        np.arange(count, dtype=np.int64),
        np.arange(count, dtype=np.int32),
        np.zeros(count, dtype=np.int64),
        np.array(live, dtype=np.int64),
        np.zeros(count, dtype=np.uint32),
    )
    names = tuple(f"s{number}" for number in range(count))
    return RevisionIndex(b"", names, np.array(sizes, dtype=np.int64), buckets, no_blobs())


def test_live_bytes_count_buckets_and_tokens() -> None:
    one = index([5, 7], [10, 10])
    both = RevisionIndex(b"", one.segments, one.sizes, one.buckets, one.buckets)
    assert live_bytes(both).tolist() == [10, 14]


def test_a_segment_is_emptied_below_a_third() -> None:
    assert to_rewrite(index([34, 33], [100, 100]), 1 << 20) == [1]
    assert to_rewrite(index([34, 34], [100, 100]), 1 << 20) == []


def test_a_full_tier_is_put_together() -> None:
    for live in (100, 200_000, TIER_LAST_BYTES - 1):
        few = index([live] * (TIER_SEGMENTS_MAX - 1), [live] * (TIER_SEGMENTS_MAX - 1))
        many = index([live] * TIER_SEGMENTS_MAX, [live] * TIER_SEGMENTS_MAX)
        assert to_rewrite(few, 1 << 30) == []
        assert to_rewrite(many, 1 << 30) == list(range(TIER_SEGMENTS_MAX))


def test_large_segments_are_left_alone() -> None:
    count = 5 * TIER_SEGMENTS_MAX
    assert to_rewrite(index([TIER_LAST_BYTES] * count, [TIER_LAST_BYTES] * count), 1 << 40) == []


def test_the_cheapest_come_first_within_the_bound_and_one_at_least() -> None:
    sparse = index([30, 10, 20], [1_000] * 3)
    assert to_rewrite(sparse, 30) == [1, 2]
    assert to_rewrite(sparse, 5) == [1]
