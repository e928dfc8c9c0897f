"""The two clocks."""

from typing import Protocol


class Clock(Protocol):
    """Wall and monotonic time, both in integer milliseconds."""

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch; may jump."""
        ...

    def monotonic_ms(self) -> int:
        """Milliseconds since some fixed moment; never goes back."""
        ...
