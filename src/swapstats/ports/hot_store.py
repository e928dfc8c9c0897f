"""The newest statistics of every token, kept where any number of API processes can read them.

It never goes back: a lower epoch is refused, atomically with the write.
"""

from dataclasses import dataclass
from typing import Protocol

from swapstats.model.effects import StatsUpdate


@dataclass(frozen=True, slots=True)
class HotHead:
    """Where a partition's entry stands.

    Attributes:
        epoch: ownership number of its last writer.
        seq: change number of the newest update in it.
        offset: next offset to be read: it holds exactly the records before it.
        t_ms: T of the newest update.
        put_ms: wall clock of the writer at the last `put`, of an update without tokens too.
        lag_ms: how far the writer was behind the log then, see `Place.lag_ms`.
    """

    epoch: int
    seq: int
    offset: int
    t_ms: int
    put_ms: int
    lag_ms: int


class HotStoreReader(Protocol):
    """Reads what shards' owners wrote; works from any process."""

    def head(self, partition: int) -> HotHead | None:
        """Where a partition stands; None if nothing was ever put."""
        ...

    def changes(self, partition: int, after_seq: int) -> StatsUpdate | None:
        """Read what changed after an update.

        Args:
            partition: the shard.
            after_seq: seq of the newest update the reader has; 0 = none.

        Returns:
            One update that brings a reader of `after_seq` to the newest state, with the names of
            all tokens in it; `whole` if it holds every token (after 0, or when the tokens were
            numbered anew since). None if there is nothing newer.

        Raises:
            Transient: the store cannot be reached.
        """
        ...

    def close(self) -> None:
        """Release connections."""
        ...


class HotStore(HotStoreReader, Protocol):
    """The writer's side."""

    def put(self, update: StatsUpdate, now_ms: int, lag_ms: int) -> None:
        """Take an update in, all of it or nothing.

        Args:
            update: updates of one partition come in order of seq; the first of an epoch, and the
                first after an error, must be whole.
            now_ms: the writer's wall clock.
            lag_ms: how far the writer is behind the log.

        Raises:
            Fenced: a higher epoch wrote this partition; nothing was changed.
            Transient: the store cannot be reached, or does not hold what the update builds on (it
                was emptied); the next `put` must be a whole update.
            StoreFull: no room; the next `put` must be a whole update.
            InvariantBroken: this update, or a newer one, was put before.
        """
        ...
