"""Where an aggregator's statistics go: to readers of this process, or to a store for many."""

from typing import Protocol

from swapstats.model.effects import StatsUpdate
from swapstats.ports.hot_store import HotHead


class StatsPublisher(Protocol):
    """Takes the updates of the shards one aggregator owns; never blocks on readers."""

    def head(self, partition: int) -> HotHead | None:
        """What readers have seen of a partition that an earlier owner published; None = nothing.

        Raises:
            Transient: it cannot be told now.
        """
        ...

    def publish(self, update: StatsUpdate, lag_ms: int) -> None:
        """Take an update; updates of one partition come in order, a whole one first.

        Args:
            update: what changed.
            lag_ms: how far the shard is behind the log.
        """
        ...

    def forget(self, partition: int) -> None:
        """Drop what waits of a partition that was given up."""
        ...

    def take_requests(self) -> tuple[set[int], set[tuple[int, int]]]:
        """Partitions that must be published whole again, and (partition, epoch) that are stale."""
        ...

    def flush(self, timeout_ms: int) -> bool:
        """Wait until nothing waits; False if that took too long."""
        ...
