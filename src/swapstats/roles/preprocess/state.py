"""What a preprocessor's process says of itself: health and readiness."""

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
from swapstats.roles.preprocess.status import PreprocessStatus

SETTLE_MS: Final = 15_000
"""A group gives partitions sooner than that."""
SPARE: Final = "it owns no partition: there are more preprocessors than partitions of the raw log"


class PreprocessWatch:
    """Looks at a preprocessor, and answers for its process.

    Args:
        status: what it says of itself.
        clock: monotonic time.
        no_progress_ms: unread events, or no turn, for so long is unhealthy.
        dependencies: what it stands on.
        waits_for: what outside of the process keeps it from reading or writing; empty if nothing.
    """

    def __init__(
        self,
        status: Callable[[], PreprocessStatus],
        clock: Clock,
        no_progress_ms: int,
        dependencies: Callable[[], tuple[DependencyStatus, ...]] = lambda: (),
        waits_for: Callable[[], str] = lambda: "",
    ) -> None:
        self._status = status
        self._clock = clock
        self._no_progress_ms = no_progress_ms
        self._dependencies = dependencies
        self._waits_for = waits_for
        self._began_ms = self._turned_ms = clock.monotonic_ms()
        self._turns = -1
        self._owned: tuple[int, ...] = ()
        self._had_partitions = False
        self._progress = ProgressWatch(no_progress_ms)
        self._health = Health(healthy=True)

    def look(self) -> None:
        """Look once; call it about once a second, from one thread."""
        status, now_ms = self._status(), self._clock.monotonic_ms()
        waits = bool(self._waits_for() or status.problem)
        if status.turns != self._turns or waits:
            self._turns, self._turned_ms = status.turns, now_ms
        owned = tuple(place.partition for place in status.places)
        self._had_partitions = self._had_partitions or bool(owned)
        if owned != self._owned or waits:
            self._owned, self._progress = owned, ProgressWatch(self._no_progress_ms)
        self._health = self._progress.observe(
            now_ms,
            [place.next_offset for place in status.places],
            [place.end_offset for place in status.places],
        )
        still_ms = now_ms - self._turned_ms
        if still_ms >= self._no_progress_ms:
            self._health = Health(
                healthy=False,
                reason=f"Expected a turn of the preprocessor's loop within "
                f"{self._no_progress_ms} ms, was none for {still_ms} ms",
            )

    def health(self) -> Health:
        """Whether its loop turns and raw events are being taken, as last looked."""
        return self._health

    def state(self) -> RoleState:
        """What it says of itself."""
        status = self._status()
        return RoleState(
            readiness=self._readiness(status),
            phase="live" if status.places else "waiting",
            partitions=tuple(
                PartitionState(place.partition, place.next_offset, place.end_offset, 0, ready=True)
                for place in status.places
            ),
            dependencies=self._dependencies(),
            lag_ms=status.lag_ms,
        )

    def _readiness(self, status: PreprocessStatus) -> Readiness:
        trouble = self._waits_for() or status.problem or None
        if status.places:
            return Readiness(ready=True, warning=trouble)
        waited_ms = self._clock.monotonic_ms() - self._began_ms
        if self._had_partitions or waited_ms >= SETTLE_MS:
            return Readiness(ready=True, warning=trouble or SPARE)
        return Readiness(
            ready=False,
            progress=0.0,
            reason=trouble or "waiting for the group to give partitions",
        )
