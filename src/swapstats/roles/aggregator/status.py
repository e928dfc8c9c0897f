"""What an aggregator says of itself: plain values, safe to read from anywhere."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from swapstats.model.effects import COUNTER_NAMES
from swapstats.roles.aggregator.owned import OwnedShard


@dataclass(frozen=True, slots=True)
class Place:
    """Where one partition stands.

    Attributes:
        partition: number.
        next_offset: next offset to be read.
        end_offset: offset the next record will get.
        t_ms: the shard's T.
        lag_ms: while anything is unread, now - append time of the last record read or, if later,
            the last moment when nothing was unread; else 0.
    """

    partition: int
    next_offset: int
    end_offset: int
    t_ms: int
    lag_ms: int


@dataclass(frozen=True, slots=True)
class AggregatorStatus:
    """What the aggregator says of itself; replaced as a whole, safe to read anywhere.

    Attributes:
        ready: True once every shard has passed the end the log had when it was restored, and
            was published.
        progress: 0.0 to 1.0 on the way there.
        phase: `restoring`, `waiting for partitions`, `catching up` or `live`.
        places: by partition, those owned.
        counters: totals over all shards owned.
        token_count: tokens known over all shards owned.
    """

    ready: bool = False
    progress: float = 0.0
    phase: str = "restoring"
    places: tuple[Place, ...] = ()
    counters: dict[str, int] = field(default_factory=dict)
    token_count: int = 0


def status_of(owned: Collection[OwnedShard], places: Sequence[Place]) -> AggregatorStatus:
    """Sum up the shards that are owned and where they stand."""
    todo = sum(max(0, one.target - one.begun) for one in owned)
    left = sum(max(0, one.target - one.shard.next_offset) for one in owned)
    ready = left == 0 and all(one.is_published for one in owned)
    phase = "live" if owned else "waiting for partitions"
    return AggregatorStatus(
        ready=ready,
        progress=1.0 if ready else 0.5 + 0.5 * (1.0 - left / todo if todo else 1.0),
        phase=phase if ready else "catching up",
        places=tuple(places),
        counters={name: sum(one.shard.counters[name] for one in owned) for name in COUNTER_NAMES},
        token_count=sum(one.shard.tokens.count for one in owned),
    )
