"""What an aggregator of a group says of itself: health and readiness."""

from collections.abc import Callable
from typing import Final

from swapstats.core.progress_watch import ProgressWatch
from swapstats.model.health import (
    DependencyStatus,
    Health,
    PartitionState,
    Readiness,
    RoleState,
)
from swapstats.ports.clock import Clock
from swapstats.roles.aggregator.status import AggregatorStatus
from swapstats.roles.service_time import ServiceTime

SETTLE_MS: Final = 15_000
"""How long a group may take until an aggregator without partitions is taken for a spare one."""

SPARE: Final = (
    "no partitions: there are more aggregators than partitions; it takes over when another one goes"
)


class AggregatorWatch:
    """Looks at an aggregator about once a second, and answers for it; from any thread.

    Args:
        status: its status, replaced by it at every turn of its loop.
        time: T, and why it is held.
        clock: monotonic time.
        no_progress_ms: unread records without progress, or a loop without a turn, for so long is
            unhealthy.
        dependencies: what it stands on.
        waits_for: what outside keeps records from coming, empty if nothing does: a restart would
            not help then.
    """

    def __init__(
        self,
        status: Callable[[], AggregatorStatus],
        time: ServiceTime,
        clock: Clock,
        no_progress_ms: int,
        dependencies: Callable[[], tuple[DependencyStatus, ...]] = lambda: (),
        waits_for: Callable[[], str] = lambda: "",
    ) -> None:
        self._status = status
        self._time = time
        self._clock = clock
        self._no_progress_ms = no_progress_ms
        self._dependencies = dependencies
        self._waits_for = waits_for
        self._began_ms = clock.monotonic_ms()
        self._turned_ms = self._began_ms
        self._seen: AggregatorStatus | None = None
        self._owned: tuple[int, ...] = ()
        self._had_partitions = False
        self._progress = ProgressWatch(no_progress_ms)
        self._health = Health(healthy=True)

    def look(self) -> None:
        """Look once; call it about once a second, from one thread."""
        status, now_ms = self._status(), self._clock.monotonic_ms()
        if status is not self._seen:
            self._seen, self._turned_ms = status, now_ms
        owned = tuple(place.partition for place in status.places)
        self._had_partitions = self._had_partitions or bool(owned)
        if owned != self._owned or self._waits_for():
            # Waits are counted by place in the list: other partitions are other waits.
            self._owned, self._progress = owned, ProgressWatch(self._no_progress_ms)
        health = self._progress.observe(
            now_ms,
            [place.next_offset for place in status.places],
            [place.end_offset for place in status.places],
        )
        still_ms = now_ms - self._turned_ms
        if still_ms >= self._no_progress_ms:
            health = Health(
                healthy=False,
                reason=f"Expected a turn of the aggregator's loop within {self._no_progress_ms} "
                f"ms, was none for {still_ms} ms",
            )
        self._health = health

    def health(self) -> Health:
        """Whether its loop turns and unread records are being read, as last looked."""
        return self._health

    def state(self) -> RoleState:
        """What it says of itself."""
        status = self._status()
        return RoleState(
            readiness=self._readiness(status),
            phase=status.phase,
            partitions=tuple(
                PartitionState(
                    place.partition, place.next_offset, place.end_offset, place.t_ms, status.ready
                )
                for place in status.places
            ),
            dependencies=self._dependencies(),
            lag_ms=max((place.lag_ms for place in status.places), default=0),
        )

    def _readiness(self, status: AggregatorStatus) -> Readiness:
        held = self._time.held
        if held is not None:
            return Readiness(ready=False, progress=status.progress, reason=held)
        if not status.places:
            return self._without_partitions()
        if not status.ready:
            return Readiness(
                ready=False,
                progress=status.progress,
                reason=self._trouble() or f"{status.phase} after a start or a hand-over",
            )
        return Readiness(ready=True, warning=self._trouble())

    def _without_partitions(self) -> Readiness:
        """A spare one is ready, but not while the group may still be giving partitions."""
        waited_ms = self._clock.monotonic_ms() - self._began_ms
        if self._had_partitions or waited_ms >= SETTLE_MS:
            return Readiness(ready=True, warning=SPARE)
        return Readiness(
            ready=False,
            progress=0.0,
            reason=self._trouble() or "waiting for the group to give partitions",
        )

    def _trouble(self) -> str | None:
        """What keeps it from saving or publishing, if anything does."""
        waits_for = self._waits_for()
        told = [f"reading waits for {waits_for}"] if waits_for else []
        told += [
            f"{status.name} is away ({status.reason})"
            for status in self._dependencies()
            if status.state != "closed"
        ]
        return "; ".join(told) or None
