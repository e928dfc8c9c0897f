"""The first words about several partitions, held back until there are some of each.

A reader's moment is the one that all partitions it knows have reached. Told of them one by one, it
would see that moment go back with each partition that is further behind; so the first updates wait
for each other, and the one furthest behind comes first.
"""

from collections.abc import Callable

from swapstats.core.merge_updates import merge_updates
from swapstats.model.effects import StatsUpdate


class FirstRound:
    """Holds updates back until `end`; hands them on at once from then on.

    Args:
        publish: takes updates; those of one partition come in order.
    """

    def __init__(self, publish: Callable[[StatsUpdate], None]) -> None:
        self._publish = publish
        self._held: dict[int, StatsUpdate] | None = {}

    @property
    def is_over(self) -> bool:
        """True once updates are handed on as they come."""
        return self._held is None

    @property
    def partitions(self) -> int:
        """Partitions that something is held of; 0 once it is over."""
        return 0 if self._held is None else len(self._held)

    def take(self, update: StatsUpdate) -> None:
        """Take an update; what is held of its partition is merged with it."""
        if self._held is None:
            self._publish(update)
            return
        held = self._held.get(update.partition)
        merged = update if held is None or update.whole else merge_updates(held, update)
        self._held[update.partition] = merged

    def end(self) -> None:
        """Hand on what is held, the partition furthest behind first; harmless when repeated."""
        held, self._held = self._held, None
        for update in sorted((held or {}).values(), key=lambda update: update.t_ms):
            self._publish(update)
