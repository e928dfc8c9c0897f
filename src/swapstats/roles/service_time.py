"""T for a whole process: one guarded wall clock, read by the threads that need it."""

import threading

from swapstats.core.clock_guard import JUMP_MS_MAX_DEFAULT, ClockGuard
from swapstats.ports.clock import Clock


class ServiceTime:
    """The guarded wall clock.

    Args:
        clock: where readings come from.
        jump_max_ms: forward jumps beyond this are held back.
        initial_ms: T never goes below this (a checkpointed T); 0 = none.
    """

    def __init__(
        self, clock: Clock, jump_max_ms: int = JUMP_MS_MAX_DEFAULT, initial_ms: int = 0
    ) -> None:
        self._clock = clock
        self._jump_max_ms = jump_max_ms
        self._guard = ClockGuard(jump_max_ms, initial_ms)
        self._lock = threading.Lock()
        self._held: str | None = None

    @property
    def held(self) -> str | None:
        """Why T does not follow the wall clock; None if it does."""
        return self._held

    def now_ms(self) -> int:
        """Read T in milliseconds since the Unix epoch; never lower than before."""
        with self._lock:
            guarded = self._guard.read(self._clock.wall_ms(), self._clock.monotonic_ms())
            self._held = guarded.held
            return guarded.t_ms

    def go_on_from(self, t_ms: int) -> None:
        """Take a checkpointed T, once the state is back: T is not below it from now on.

        A wall clock far behind it is told by `held`, like one that was set back while running.
        """
        with self._lock:
            if t_ms > self._guard.t_ms:
                self._guard = ClockGuard(self._jump_max_ms, t_ms)

    def confirm(self) -> None:
        """Take the operator's word that the wall clock is right."""
        with self._lock:
            self._guard.confirm()
