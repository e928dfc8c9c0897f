"""What an aggregator's process says of itself, put together: pages, figures, once a second."""

from collections.abc import Callable

from swapstats.observability.health_pages import Pages, health_pages
from swapstats.observability.metrics import Metrics
from swapstats.observability.role_figures import RoleFigures
from swapstats.ports.clock import Clock
from swapstats.roles.aggregator.publisher import ShardPublisher
from swapstats.roles.aggregator.state import AggregatorWatch
from swapstats.roles.aggregator.status import AggregatorStatus
from swapstats.roles.patient_letters import PatientLetters
from swapstats.roles.service_time import ServiceTime
from swapstats.wiring.guards import Guards


class AggregateHealth:
    """Looks at an aggregator; `pages` are for the port of the metrics.

    Args:
        status: the aggregator's status, replaced by it at every turn.
        stale_saves: checkpoints refused because a newer owner exists.
        stale_notes: notes of the archive's batches refused likewise.
        publisher: carries its statistics.
        letters: its dead letters.
        guards: what it stands on.
        time: T, and why it is held.
        clock: monotonic time.
        metrics: where figures go.
        no_progress_ms: setting of that name.
        waits_for: what outside keeps records from coming, empty if nothing does.
        feed_counts: token updates the fan-out has taken, and those given up.
        passed_over: records applied without asking for old duplicates.
    """

    def __init__(
        self,
        status: Callable[[], AggregatorStatus],
        stale_saves: Callable[[], int],
        stale_notes: Callable[[], int],
        publisher: ShardPublisher,
        letters: PatientLetters,
        guards: Guards,
        time: ServiceTime,
        clock: Clock,
        metrics: Metrics,
        no_progress_ms: int,
        waits_for: Callable[[], str],
        feed_counts: Callable[[], tuple[int, int]] = lambda: (0, 0),
        passed_over: Callable[[], int] = lambda: 0,
    ) -> None:
        self._status = status
        self._stale_saves = stale_saves
        self._stale_notes = stale_notes
        self._publisher = publisher
        self._letters = letters
        self._guards = guards
        self._time = time
        self._feed_counts = feed_counts
        self._passed_over = passed_over
        self._metrics = metrics
        self._figures = RoleFigures(metrics)
        self._watch = AggregatorWatch(status, time, clock, no_progress_ms, guards.status, waits_for)

    @property
    def pages(self) -> Pages:
        """`/healthz` and `/readyz`."""
        return health_pages(self._watch.health, self._watch.state)

    def look(self) -> None:
        """Look once; call it about once a second, from one thread."""
        self._watch.look()
        figures = self._figures
        figures.partitions([place.partition for place in self._status().places])
        figures.dependencies(self._guards.status())
        figures.fenced("checkpoints", self._stale_saves())
        figures.fenced("journal", self._stale_notes())
        figures.fenced("hot_store", self._publisher.stale_writes)
        figures.letters_waiting(self._letters.waiting)
        figures.feed(*self._feed_counts())
        figures.passed_over(self._passed_over())
        self._metrics.clock_held_gauge.set(self._time.held is not None)
        self._metrics.set_ready("aggregate", self._watch.state().readiness.ready)
