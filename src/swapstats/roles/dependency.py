"""Something a role calls and can do without for a while, behind a circuit breaker.

While the breaker is open, calls fail at once instead of after a timeout: what does not need the
dependency goes on. Its status is for `/readyz` and the metrics.
"""

import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from swapstats.core.circuit_breaker import BreakerState, CircuitBreaker
from swapstats.errors import Transient
from swapstats.model.health import DependencyStatus
from swapstats.ports.clock import Clock

ArgumentsT = ParamSpec("ArgumentsT")
ResultT = TypeVar("ResultT")


def _unheard(status: DependencyStatus) -> None:
    """Listen to nothing."""
    del status


class Dependency:
    """Calls something, unless it has been failing; from any thread.

    Only Transient counts as a failure: other errors are answers, and are passed on.

    Args:
        name: what people call it.
        breaker: belongs to this object from now on.
        clock: monotonic time.
        changed: told, after each change of state, by the thread that called; must be quick.
    """

    def __init__(
        self,
        name: str,
        breaker: CircuitBreaker,
        clock: Clock,
        changed: Callable[[DependencyStatus], None] = _unheard,
    ) -> None:
        self.name = name
        self._breaker = breaker
        self._clock = clock
        self._changed = changed
        self._lock = threading.Lock()
        self._reason: str | None = None
        self._told: BreakerState = "closed"

    def call(
        self,
        function: Callable[ArgumentsT, ResultT],
        *args: ArgumentsT.args,
        **kwargs: ArgumentsT.kwargs,
    ) -> ResultT:
        """Call a function of the dependency.

        Raises:
            Transient: the call failed so, or was not made because the breaker is open.
        """
        with self._lock:
            now_ms = self._clock.monotonic_ms()
            if not self._breaker.allows(now_ms):
                raise Transient(
                    f"Expected {self.name} to answer, was given up after failures ({self._reason})",
                    max(1, self._breaker.retry_after_ms(now_ms)),
                )
        try:
            result = function(*args, **kwargs)
        except Transient as error:
            self._report(str(error))
            raise
        except BaseException:
            self._report(None)
            raise
        self._report(None)
        return result

    def status(self) -> DependencyStatus:
        """Tell how it does now."""
        with self._lock:
            return self._status()

    def _report(self, failure: str | None) -> None:
        with self._lock:
            now_ms = self._clock.monotonic_ms()
            if failure is None:
                self._breaker.succeeded(now_ms)
            else:
                self._reason = failure
                self._breaker.failed(now_ms)
            status = self._status()
            is_news, self._told = status.state != self._told, status.state
        if is_news:
            self._changed(status)

    def _status(self) -> DependencyStatus:
        state = self._breaker.state(self._clock.monotonic_ms())
        return DependencyStatus(
            self.name,
            state,
            self._breaker.opens,
            self._breaker.refused,
            None if state == "closed" else self._reason,
        )
