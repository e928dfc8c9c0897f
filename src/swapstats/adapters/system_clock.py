"""The machine's clocks: the `Clock` port in production.

It never judges them: `core.clock_guard` does.
"""

import time

NS_PER_MS = 1_000_000

# CLOCK_MONOTONIC stands still while a machine is suspended, CLOCK_BOOTTIME does not. With the
# former, every laptop that wakes up would look like a wall clock that jumped forward for hours.
_MONOTONIC_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)


class SystemClock:
    """Wall time and monotonic time of this machine, in integer milliseconds."""

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch; may jump."""
        return time.time_ns() // NS_PER_MS

    def monotonic_ms(self) -> int:
        """Milliseconds since some fixed moment; never goes back.

        On Linux the time a machine spends suspended counts; elsewhere it may not.
        """
        if _MONOTONIC_CLOCK is None:
            return time.monotonic_ns() // NS_PER_MS
        return time.clock_gettime_ns(_MONOTONIC_CLOCK) // NS_PER_MS
