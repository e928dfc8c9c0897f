"""A clock that moves only when told: for tests and for replays that need a fixed moment."""

from swapstats.errors import UsageError


class ManualClock:
    """The `Clock` port with both clocks in the hands of the caller.

    Args:
        wall: wall time at the start, milliseconds since the Unix epoch.
        monotonic: monotonic time at the start, milliseconds.
    """

    def __init__(self, wall: int = 0, monotonic: int = 0) -> None:
        self._wall_ms = wall
        self._monotonic_ms = monotonic

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return self._wall_ms

    def monotonic_ms(self) -> int:
        """Milliseconds since some fixed moment."""
        return self._monotonic_ms

    def advance(self, span_ms: int) -> None:
        """Let time pass: both clocks move by `span_ms` milliseconds.

        Raises:
            UsageError: the span is negative; monotonic time never goes back.
        """
        if span_ms < 0:
            raise UsageError(
                f"Expected a span of 0 ms or more, was {span_ms}: use jump() to set the wall back"
            )
        self._wall_ms += span_ms
        self._monotonic_ms += span_ms

    def jump(self, span_ms: int) -> None:
        """Set the wall clock forward (or, negative, back) by `span_ms`; no time passes."""
        self._wall_ms += span_ms
