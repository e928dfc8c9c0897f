"""Waits between tries: each twice the one before, up to a bound, and spread by chance. Pure."""

DOUBLINGS_MAX = 20


class Backoff:
    """Waits after failures in a row.

    Args:
        first_ms: the first wait.
        last_ms: no wait is longer.
    """

    def __init__(self, first_ms: int, last_ms: int) -> None:
        self._first_ms = first_ms
        self._last_ms = last_ms
        self._failures = 0

    def next_ms(self, jitter: float) -> int:
        """How long to wait before the next try.

        Args:
            jitter: 0 to 1; spreads those who lost their connection together.
        """
        span_ms = min(self._last_ms, self._first_ms << min(self._failures, DOUBLINGS_MAX))
        self._failures += 1
        return int(span_ms * (0.5 + 0.5 * jitter))

    def worked(self) -> None:
        """Start over: a try worked."""
        self._failures = 0
