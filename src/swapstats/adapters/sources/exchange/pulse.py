"""How long a market may be silent before it is worth a look. Pure: told the time.

A market that trades ten times a second has stalled after seconds, one that trades twice an hour
has not after minutes. So the span follows the market's own rate, within bounds, and doubles each
time a look found nothing.
"""

from dataclasses import dataclass
from math import exp

RATE_SPAN_MS = 600_000
"""Trades of longer ago hardly count for the rate."""
SILENCE_FACTOR = 40
"""Expected intervals of silence before a look: trades come in bursts."""


@dataclass(frozen=True, slots=True)
class SilenceBounds:
    """Bounds of a span of silence.

    Attributes:
        min_ms: no look sooner.
        max_ms: a look no later.
    """

    min_ms: int = 10_000
    max_ms: int = 600_000


class Pulse:
    """The rate of one market.

    Args:
        bounds: of a span of silence.
        now_ms: monotonic time.

    Attributes:
        catches_up: whether a connection began and nothing came since.
    """

    def __init__(self, bounds: SilenceBounds, now_ms: int) -> None:
        self._bounds = bounds
        self._beat_ms = now_ms
        self._count = 0.0
        self._span_ms = 0.0
        self._look_ms: int | None = now_ms + bounds.min_ms
        self.catches_up = False

    @property
    def look_ms(self) -> int:
        """When the market has been silent for too long."""
        if self._look_ms is None:
            self._look_ms = self._beat_ms + self._silence_ms()
        return self._look_ms

    def beat(self, count: int, now_ms: int) -> None:
        """Note that `count` trades came."""
        elapsed_ms = max(now_ms - self._beat_ms, 0)
        fading = exp(-elapsed_ms / RATE_SPAN_MS)
        self._count = self._count * fading + count
        self._span_ms = self._span_ms * fading + elapsed_ms
        self._beat_ms = now_ms
        self._look_ms = None  # worked out when asked for, which is far more seldom
        self.catches_up = False

    def quiet(self, now_ms: int) -> None:
        """Note that a look found the market silent, not the connection."""
        silent_ms = max(now_ms - self._beat_ms, self._bounds.min_ms)
        self._look_ms = now_ms + min(silent_ms, self._bounds.max_ms)
        self.catches_up = False

    def soon(self, now_ms: int) -> None:
        """Ask for a look soon: a connection began, and what came before it is not known."""
        self._look_ms = min(self.look_ms, now_ms + self._bounds.min_ms)
        self.catches_up = True

    def again(self, now_ms: int) -> None:
        """Ask for a look now, as part of the same search."""
        self._look_ms = now_ms
        self.catches_up = True

    def _silence_ms(self) -> int:
        mean_ms = self._span_ms / self._count
        return int(min(max(SILENCE_FACTOR * mean_ms, self._bounds.min_ms), self._bounds.max_ms))
