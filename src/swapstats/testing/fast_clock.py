"""A clock that runs faster than the machine's: pauses meant for the world pass quickly."""

import asyncio
import time

_NS_PER_MS = 1_000_000


class FastClock:
    """Wall time and monotonic time, `factor` times as fast as they are: the `Clock` port.

    Args:
        factor: how many of its seconds one of the machine's lasts.
    """

    def __init__(self, factor: int) -> None:
        self._factor = factor
        self._begin_wall_ns = time.time_ns()
        self._begin_ns = time.monotonic_ns()

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch, ahead of the machine's ever since it was made."""
        return self._begin_wall_ns // _NS_PER_MS + self.monotonic_ms()

    def monotonic_ms(self) -> int:
        """Milliseconds since it was made."""
        return (time.monotonic_ns() - self._begin_ns) * self._factor // _NS_PER_MS

    async def sleep(self, seconds: float) -> None:
        """Wait for so many of its own seconds."""
        await asyncio.sleep(seconds / self._factor)
