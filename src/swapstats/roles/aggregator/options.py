"""Limits and cadences of the aggregator."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AggregatorOptions:
    """How the aggregator works through its shards.

    Attributes:
        chunk_bytes_max: bytes read from a partition at a time.
        snapshot_interval_ms: time between two checkpoints.
        tick_ms: longest time between two looks at the clock while nothing arrives.
        event_clock: True if T follows event times (replay).
        accept_gap: go on where the log begins if it no longer holds the offset to resume from.
        from_end: without a checkpoint begin at the end of the log instead of its beginning.
        rebuild: throw the checkpoints away and read the log from its beginning.
    """

    chunk_bytes_max: int = 1 << 20
    snapshot_interval_ms: int = 5_000
    tick_ms: int = 100
    event_clock: bool = False
    accept_gap: bool = False
    from_end: bool = False
    rebuild: bool = False
