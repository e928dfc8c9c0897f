"""What an ingest says of itself: whether the log can be written, and how long it takes."""

import threading
from collections.abc import Callable
from typing import Final

from swapstats.model.health import DependencyStatus, Health, Readiness, RoleState
from swapstats.ports.clock import Clock

LOG: Final = "log"


def _unheard(took_ms: int) -> None:
    """Listen to nothing."""
    del took_ms


class IngestWatch:
    """Takes note of every append, and answers for the process; from any thread.

    Args:
        clock: monotonic time.
        attempt_ms_max: an attempt to append ends within this, in whatever way; one that does not
            is unhealthy.
        acked: told how long each block took, in milliseconds.
    """

    def __init__(
        self, clock: Clock, attempt_ms_max: int, acked: Callable[[int], None] = _unheard
    ) -> None:
        self._clock = clock
        self._attempt_ms_max = attempt_ms_max
        self._acked = acked
        self._lock = threading.Lock()
        self._block_ms: int | None = None
        self._attempt_ms: int | None = None
        self._trouble = ""
        self._times_away = 0

    def began(self) -> None:
        """A block is about to be appended, for the first time or again."""
        with self._lock:
            self._attempt_ms = self._clock.monotonic_ms()
            if self._block_ms is None:
                self._block_ms = self._attempt_ms

    def failed(self, trouble: str) -> None:
        """The attempt was not acknowledged; the block waits."""
        with self._lock:
            self._attempt_ms = None
            self._times_away += not self._trouble
            self._trouble = trouble

    def acknowledged(self) -> None:
        """The block is in the log."""
        took_ms = self.unacked_ms()
        with self._lock:
            self._block_ms = self._attempt_ms = None
            self._trouble = ""
        self._acked(took_ms)

    def unacked_ms(self) -> int:
        """How long the block under way has waited, in milliseconds; 0 if there is none."""
        with self._lock:
            return 0 if self._block_ms is None else self._clock.monotonic_ms() - self._block_ms

    def health(self) -> Health:
        """Whether attempts to append end."""
        with self._lock:
            began_ms = self._attempt_ms
        waited_ms = 0 if began_ms is None else self._clock.monotonic_ms() - began_ms
        if waited_ms <= self._attempt_ms_max:
            return Health(healthy=True)
        return Health(
            healthy=False,
            reason=f"Expected an attempt to append to end within {self._attempt_ms_max} ms, was "
            f"one of {waited_ms} ms",
        )

    def state(self) -> RoleState:
        """What it says of itself: ready while the log can be written."""
        unacked_ms = self.unacked_ms()
        with self._lock:
            trouble = self._trouble or None
            log = DependencyStatus(
                LOG, "half_open" if trouble else "closed", self._times_away, 0, trouble
            )
        return RoleState(
            readiness=Readiness(ready=trouble is None, reason=trouble),
            phase="waiting for the brokers" if trouble else "writing",
            dependencies=(log,),
            lag_ms=unacked_ms,
        )
