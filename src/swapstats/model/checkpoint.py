"""A checkpoint: what a shard needs to go on, as values.

A checkpoint is written as a delta: the header, the bucket groups that changed since the last
revision, and the tokens added since. Applying all deltas in order gives the full state; a store
keeps only what the two newest revisions need.
"""

from dataclasses import dataclass

import msgspec

CHECKPOINT_FORMAT = 1


class CheckpointHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The small part of a checkpoint.

    Attributes:
        format: layout version of header and blobs; a newer one is refused.
        shard: partition number.
        epoch: ownership number under which it was written.
        revision: 1, 2, 3 ... within the life of the shard.
        t_ms: the shard's T.
        newest_ms: newest event_time of a well-formed add, for lateness; 0 = none yet.
        complete_since_ms: from when on the shard saw the whole stream.
        next_offset: the state holds exactly the records before it.
        min_bucket: lowest bucket number still held; lower ones are gone.
        token_count: tokens known.
        step_ms: bucket width that shaped the buckets.
        widths_ms: window widths.
        key_id: name of the hash key (not the key).
        clock: `wall` or `event`.
        counters: totals by `model.effects.COUNTER_NAMES`.
        reasons: dead letters by reason.
    """

    format: int
    shard: int
    epoch: int
    revision: int
    t_ms: int
    newest_ms: int
    complete_since_ms: int
    next_offset: int
    min_bucket: int
    token_count: int
    step_ms: int
    widths_ms: tuple[int, ...]
    key_id: str
    clock: str
    counters: dict[str, int]
    reasons: dict[str, int]


@dataclass(frozen=True, slots=True)
class CheckpointDelta:
    """What one revision adds.

    Attributes:
        header: the new header.
        buckets: changed buckets, number -> encoded bucket (`core.snapshot_codec`).
        tokens: encoded names of the tokens that are new or changed since the last revision;
            empty bytes if none.
        full: True if it does not build on an earlier revision: everything older of this shard
            is superseded.
    """

    header: CheckpointHeader
    buckets: dict[int, bytes]
    tokens: bytes
    full: bool = False


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole state as read back from a store.

    Attributes:
        header: header of the revision.
        buckets: every live bucket, number -> encoded bucket.
        tokens: encoded token names in the order they were written.
    """

    header: CheckpointHeader
    buckets: dict[int, bytes]
    tokens: tuple[bytes, ...]
