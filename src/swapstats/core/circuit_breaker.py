"""A circuit breaker: whether it makes sense to call something that has been failing.

    closed ──failures_max failures in a row──> open ──its time is over──> half open
       ^                                        ^                           │   │
       └────────── half_open_max successes ─────┼───────────────────────────┘   │
                                                └──────── one failure ──────────┘

Each opening in a row lasts twice as long as the one before, up to a maximum, shortened by a
jitter made from a seed, so that many instances do not come back in step. Knows no clock: the
caller passes monotonic time in. Not safe for several threads: the caller locks.
"""

from typing import Literal

from swapstats.errors import InvariantBroken

BreakerState = Literal["closed", "open", "half_open"]

JITTER_PERCENT = 20
"""An opening is shortened by up to so much."""
DOUBLINGS_MAX = 32
_WORD = (1 << 64) - 1


class CircuitBreaker:
    """The state of one dependency.

    Args:
        failures_max: failures in a row that open it.
        open_ms: how long the first opening lasts.
        half_open_max: calls let through at a time while half open, and successes in a row that
            close it.
        open_ms_max: how long an opening lasts at most; 0 = 32 times `open_ms`.
        seed: of the jitter.

    Raises:
        InvariantBroken: a limit is not positive, or `open_ms_max` is below `open_ms`.

    Attributes:
        opens: how often it opened.
        refused: how many calls it refused.
    """

    def __init__(
        self,
        failures_max: int,
        open_ms: int,
        half_open_max: int,
        *,
        open_ms_max: int = 0,
        seed: int = 0,
    ) -> None:
        open_ms_max = open_ms_max or 32 * open_ms
        if min(failures_max, open_ms, half_open_max) < 1 or open_ms_max < open_ms:
            raise InvariantBroken(
                f"Expected positive limits of a circuit breaker, was {failures_max} failures, "
                f"{open_ms} to {open_ms_max} ms, {half_open_max} half open"
            )
        self._failures_max = failures_max
        self._open_ms = open_ms
        self._open_ms_max = open_ms_max
        self._half_open_max = half_open_max
        self._seed = seed
        self._failures = 0
        self._opens_in_a_row = 0
        self._open_until_ms: int | None = None
        self._trials = 0
        self._successes = 0
        self.opens = 0
        self.refused = 0

    def state(self, now_ms: int) -> BreakerState:
        """Tell the state at a monotonic time; asking changes nothing."""
        if self._open_until_ms is None:
            return "closed"
        return "open" if now_ms < self._open_until_ms else "half_open"

    def allows(self, now_ms: int) -> bool:
        """Decide whether a call may be made now; one that may must be reported afterwards."""
        state = self.state(now_ms)
        if state == "closed":
            return True
        if state == "half_open" and self._trials < self._half_open_max:
            self._trials += 1
            return True
        self.refused += 1
        return False

    def succeeded(self, now_ms: int) -> None:
        """Report a call that succeeded."""
        state = self.state(now_ms)
        if state == "closed":
            self._failures = 0
        if state != "half_open":
            # While open: a call from before; it says nothing about now.
            return
        self._trials = max(0, self._trials - 1)
        self._successes += 1
        if self._successes >= self._half_open_max:
            self._failures = self._opens_in_a_row = 0
            self._open_until_ms = None

    def failed(self, now_ms: int) -> None:
        """Report a call that failed."""
        state = self.state(now_ms)
        if state == "open":
            return
        self._failures += 1
        if state == "half_open" or self._failures >= self._failures_max:
            self._open(now_ms)

    def retry_after_ms(self, now_ms: int) -> int:
        """How long it stays open from now on, in milliseconds; 0 unless open."""
        return max(0, (self._open_until_ms or 0) - now_ms)

    def _open(self, now_ms: int) -> None:
        doublings = min(self._opens_in_a_row, DOUBLINGS_MAX)
        span_ms = min(self._open_ms << doublings, self._open_ms_max)
        self.opens += 1
        self._opens_in_a_row += 1
        span_ms -= span_ms * JITTER_PERCENT * (_mixed(self._seed + self.opens) % 1_000) // 100_000
        self._open_until_ms = now_ms + max(1, span_ms)
        self._failures = self._trials = self._successes = 0


def _mixed(number: int) -> int:
    """Scatter a number over 64 bits (splitmix64)."""
    value = (number * 0x9E3779B97F4A7C15) & _WORD
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _WORD
    return value ^ (value >> 31)
