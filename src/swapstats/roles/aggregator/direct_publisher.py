"""Statistics for readers of this process: nothing in between that could refuse or lose them."""

from swapstats.core.first_round import FirstRound
from swapstats.model.effects import StatsUpdate
from swapstats.ports.fan_out import FanOut
from swapstats.ports.hot_store import HotHead


class DirectPublisher:
    """Hands updates to a fan-out; the first ones once there is one of each partition.

    Args:
        fan_out: who takes them.
        partition_count: partitions of the log; this process owns all of them.
    """

    def __init__(self, fan_out: FanOut, partition_count: int) -> None:
        self._first_round = FirstRound(fan_out.publish)
        self._partition_count = partition_count

    def head(self, partition: int) -> HotHead | None:
        """Nothing: readers begin with this process."""
        del partition
        return None

    def publish(self, update: StatsUpdate, lag_ms: int) -> None:
        """Hand an update on; the lag is known to the process's own watch."""
        del lag_ms
        self._first_round.take(update)
        if self._first_round.partitions == self._partition_count:
            self._first_round.end()

    def forget(self, partition: int) -> None:
        """Nothing waits."""

    def take_requests(self) -> tuple[set[int], set[tuple[int, int]]]:
        """Nothing is ever asked for again, or refused."""
        return set(), set()

    def flush(self, timeout_ms: int) -> bool:
        """Nothing waits."""
        del timeout_ms
        return True
