"""What roles on real servers tell once a second, written into `Metrics`.

Totals come as they are counted elsewhere; a counter is raised by what came on top.
"""

from collections.abc import Collection, Iterable
from typing import Final

from prometheus_client import Counter

from swapstats.model.health import DependencyStatus
from swapstats.observability.metrics import Metrics
from swapstats.observability.role_metrics import FENCED_STORES

_STATES: Final = {"closed": 0, "half_open": 1, "open": 2}


class RoleFigures:
    """Writes what a role counts into its metrics; used from one thread.

    Args:
        metrics: where the figures go.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._owned: set[int] = set()
        self._seen: dict[Counter, int] = {}
        self._fenced = {store: metrics.fenced_writes_total.labels(store) for store in FENCED_STORES}
        self._taken = metrics.partition_handovers_total.labels("taken_over")
        self._given = metrics.partition_handovers_total.labels("given_up")

    def dependencies(self, statuses: Iterable[DependencyStatus]) -> None:
        """Note how everything does that the role stands on."""
        metrics = self._metrics
        for status in statuses:
            metrics.dependency_state.labels(status.name).set(_STATES[status.state])
            self._raise(metrics.dependency_opens_total.labels(status.name), status.opens)
            self._raise(metrics.dependency_refused_total.labels(status.name), status.refused)

    def partitions(self, owned: Collection[int]) -> None:
        """Note which partitions are owned now; the figures of others vanish."""
        now = set(owned)
        self._metrics.partitions_owned_gauge.set(len(now))
        self._taken.inc(len(now - self._owned))
        self._given.inc(len(self._owned - now))
        for partition in self._owned - now:
            self._metrics.forget_partition(partition)
        self._owned = now

    def fenced(self, store: str, total: int) -> None:
        """Note how many writes a store has refused, by one of FENCED_STORES."""
        self._raise(self._fenced[store], total)

    def letters_waiting(self, count: int) -> None:
        """Note how many dead letters wait in memory."""
        self._metrics.dead_letters_waiting_gauge.set(count)

    def passed_over(self, total: int) -> None:
        """Note how many records were applied without asking for old duplicates."""
        self._raise(self._metrics.dedupe_passed_over_total, total)

    def feed(self, published: int, dropped: int) -> None:
        """Note what the fan-out has taken and what was given up."""
        self._raise(self._metrics.feed_published_total, published)
        self._raise(self._metrics.feed_dropped_total, dropped)

    def looks(self, total: int, failed: int) -> None:
        """Note how often the hot store was looked at, and how often in vain."""
        self._raise(self._metrics.replica_looks_total, total)
        self._raise(self._metrics.replica_failed_looks_total, failed)

    def _raise(self, counter: Counter, total: int) -> None:
        counter.inc(max(0, total - self._seen.get(counter, 0)))
        self._seen[counter] = total
