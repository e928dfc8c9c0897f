"""How statistics travel from the aggregator to those who serve them."""

from typing import Protocol

from swapstats.model.effects import StatsUpdate


class FanOut(Protocol):
    """Takes every update of every shard, in order per shard."""

    def publish(self, update: StatsUpdate) -> None:
        """Hand an update on; never blocks and never raises for a slow reader."""
        ...
