"""What a revision's index becomes: a delta laid over the revision before it, blobs moved.

Pure: values in, values out; `checkpoints.py` writes what is decided here.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from swapstats.adapters.object_store.layout import (
    TOKENS_PLACE,
    Blobs,
    RevisionIndex,
    blob_crc,
    joined,
    no_blobs,
    replaced,
)
from swapstats.model.checkpoint import CheckpointDelta

Starts = Mapping[tuple[bool, int], int]
"""(is a token blob, number) -> first byte in the segment it was moved to."""


def laid_over(
    name: str, delta: CheckpointDelta, base: RevisionIndex | None
) -> tuple[bytearray, RevisionIndex]:
    """Lay a delta's blobs end to end, and its index over that of the revision before it.

    Args:
        name: of the segment the blobs go into; the last one of the new index.
        delta: what the revision adds.
        base: index of the revision it builds on; None if it is full.

    Returns:
        The segment's bytes, and the new index.
    """
    shard = delta.header.shard
    segments = () if base is None else base.segments
    own = len(segments)
    numbers = sorted(delta.buckets)
    sizes = [len(delta.buckets[number]) for number in numbers]
    content = bytearray().join(delta.buckets[number] for number in numbers)
    changed = Blobs(
        np.array(numbers, dtype=np.int64),
        np.full(len(numbers), own, dtype=np.int32),
        np.cumsum([0, *sizes[:-1]], dtype=np.int64)[: len(sizes)],
        np.array(sizes, dtype=np.int64),
        np.array([blob_crc(delta.buckets[at], shard, at) for at in numbers], dtype=np.uint32),
    )
    buckets = replaced(no_blobs() if base is None else base.buckets, changed)
    tokens = no_blobs() if base is None else base.tokens
    if delta.tokens:
        added = Blobs(
            np.array([len(tokens)], dtype=np.int64),
            np.array([own], dtype=np.int32),
            np.array([len(content)], dtype=np.int64),
            np.array([len(delta.tokens)], dtype=np.int64),
            np.array([blob_crc(delta.tokens, shard, TOKENS_PLACE)], dtype=np.uint32),
        )
        content += delta.tokens
        tokens = joined(tokens, added)
    index = RevisionIndex(
        msgspec.json.encode(delta.header),
        (*segments, name),
        np.append(np.zeros(0, dtype=np.int64) if base is None else base.sizes, len(content)),
        buckets.chosen(buckets.number >= delta.header.min_bucket),
        tokens,
    )
    return content, index


def part_of(index: RevisionIndex, segments: Sequence[int], bytes_max: int) -> RevisionIndex:
    """Only those blobs of an index that lie in some of its segments.

    Args:
        index: what to choose from.
        segments: positions in `index.segments`.
        bytes_max: most bytes of buckets, and of token blobs (at least one of each). The newest
            buckets are taken first: the oldest are soon gone by themselves.
    """
    return RevisionIndex(
        index.header,
        index.segments,
        index.sizes,
        _last_within(index.buckets.chosen(np.isin(index.buckets.segment, segments)), bytes_max),
        _last_within(index.tokens.chosen(np.isin(index.tokens.segment, segments)), bytes_max),
    )


def _last_within(blobs: Blobs, bytes_max: int) -> Blobs:
    after = np.cumsum(blobs.size[::-1])[::-1]
    fits = after <= bytes_max
    fits[-1:] = True
    return blobs.chosen(fits)


def with_moved(index: RevisionIndex, name: str, size_bytes: int, starts: Starts) -> RevisionIndex:
    """The same index after some blobs were copied into a new segment.

    Args:
        index: before.
        name: of the new segment.
        size_bytes: its size.
        starts: where each copied blob begins in it.
    """
    position = len(index.segments)
    return RevisionIndex(
        index.header,
        (*index.segments, name),
        np.append(index.sizes, size_bytes),
        _moved(index.buckets, position, starts, tokens=False),
        _moved(index.tokens, position, starts, tokens=True),
    )


def _moved(blobs: Blobs, position: int, starts: Starts, *, tokens: bool) -> Blobs:
    segment, start = blobs.segment.copy(), blobs.start.copy()
    for row, number in enumerate(blobs.number.tolist()):
        place = starts.get((tokens, number))
        if place is not None:
            segment[row], start[row] = position, place
    return Blobs(blobs.number, segment, start, blobs.size, blobs.crc)
