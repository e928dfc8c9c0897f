"""Deltas for the tests of the checkpoint store."""

import random

from swapstats.model.checkpoint import CHECKPOINT_FORMAT, CheckpointDelta, CheckpointHeader


def header(revision: int, epoch: int, *, shard: int = 0, min_bucket: int = 0) -> CheckpointHeader:
    return CheckpointHeader(
        format=CHECKPOINT_FORMAT,
        shard=shard,
        epoch=epoch,
        revision=revision,
        t_ms=1_000 * revision,
        newest_ms=7,
        complete_since_ms=3,
        next_offset=10 * revision,
        min_bucket=min_bucket,
        token_count=revision,
        step_ms=5_000,
        widths_ms=(300_000,),
        key_id="0123456789abcdef",
        clock="wall",
        counters={"ingested": revision},
        reasons={},
    )


def delta(
    revision: int,
    epoch: int,
    buckets: dict[int, bytes] | None = None,
    tokens: bytes = b"",
    *,
    shard: int = 0,
    min_bucket: int = 0,
    full: bool = False,
) -> CheckpointDelta:
    return CheckpointDelta(
        header(revision, epoch, shard=shard, min_bucket=min_bucket), buckets or {}, tokens, full
    )


def many(count: int, size_bytes: int, seed: int = 1) -> dict[int, bytes]:
    """So many buckets of random bytes."""
    chance = random.Random(seed)
    return {number: chance.randbytes(size_bytes) for number in range(count)}
