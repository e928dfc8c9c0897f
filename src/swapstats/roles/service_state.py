"""What the running service says about itself: health, readiness, status."""

from collections.abc import Sequence

from swapstats.core.progress_watch import ProgressWatch
from swapstats.model.health import Health, PartitionState, Readiness, ServiceState, SourceState
from swapstats.ports.clock import Clock
from swapstats.ports.source import Source
from swapstats.roles.aggregator.run import Aggregator
from swapstats.roles.service_time import ServiceTime

NOTES_MAX = 20


class ServiceWatch:
    """Looks at the aggregator and the sources, and answers for them.

    Args:
        aggregator: whose status is read.
        sources: whose statuses are read.
        time: T, and why it is held.
        clock: for the watch on progress (monotonic).
        no_progress_ms: unread records and no progress for so long is unhealthy.

    Attributes:
        notes: sentences for people; the newest NOTES_MAX are shown.
        sources: whose statuses are read.
    """

    def __init__(
        self,
        aggregator: Aggregator,
        sources: Sequence[Source],
        time: ServiceTime,
        clock: Clock,
        no_progress_ms: int,
    ) -> None:
        self._aggregator = aggregator
        self.sources = sources
        self._time = time
        self._clock = clock
        self._progress = ProgressWatch(no_progress_ms)
        self._health = Health(healthy=True)
        self.notes: list[str] = []

    def look(self) -> None:
        """Look once at the progress; call it about once a second."""
        places = self._aggregator.status.places
        self._health = self._progress.observe(
            self._clock.monotonic_ms(),
            [place.next_offset for place in places],
            [place.end_offset for place in places],
        )

    def health(self) -> Health:
        """Whether unread records are being read."""
        return self._health

    def readiness(self) -> Readiness:
        """Whether the state is whole and time is trusted."""
        status = self._aggregator.status
        if not status.ready:
            return Readiness(
                ready=False, progress=status.progress, reason=f"{status.phase} after a start"
            )
        if self._time.held is not None:
            return Readiness(ready=False, reason=self._time.held, retry_after_ms=5_000)
        return Readiness(ready=True, warning=self._failed_sources())

    def service(self) -> ServiceState:
        """The part of `/api/status` that the API cannot know by itself."""
        status = self._aggregator.status
        notes = self.notes[-NOTES_MAX:]
        problem = self._aggregator.problem
        notes = [said for said in (self._time.held, problem) if said] + notes
        return ServiceState(
            source=self._source(),
            partitions=tuple(
                PartitionState(
                    place.partition, place.next_offset, place.end_offset, place.t_ms, status.ready
                )
                for place in status.places
            ),
            counters=status.counters,
            warnings=tuple(notes),
        )

    def lag_ms(self) -> int:
        """Longest lag of any partition."""
        return max((place.lag_ms for place in self._aggregator.status.places), default=0)

    def _failed_sources(self) -> str | None:
        """What does not come any more, although all that came is served; None if all is well."""
        states = [(source.name, source.status()) for source in self.sources]
        failed = [f"{name}: {state.detail}" for name, state in states if state.state == "failed"]
        return "; ".join(failed) or None

    def _source(self) -> SourceState | None:
        """All sources as one: the worst state, every detail."""
        if not self.sources:
            return None
        order = ("failed", "connecting", "waiting", "live", "done")
        states = [source.status() for source in self.sources]
        worst = min(states, key=lambda state: order.index(state.state))
        return SourceState(
            name=", ".join(source.name for source in self.sources),
            state=worst.state,
            detail="; ".join(state.detail for state in states),
        )
