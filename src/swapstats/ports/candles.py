"""Where candles are kept."""

from collections.abc import Sequence
from typing import Protocol

from swapstats.model.preprocessed import Candle


class CandleSink(Protocol):
    """Takes candles."""

    def put(self, candles: Sequence[Candle]) -> None:
        """Put whole candles in place of what was there; one without trades is deleted.

        Putting them again changes nothing.

        Raises:
            Transient: the store cannot be reached; some may be there, put them all again.
            StoreFull: no space.
        """
        ...


class CandleStore(CandleSink, Protocol):
    """Keeps candles, and gives them back."""

    def scan(self, token: str, from_ms: int, to_ms: int) -> list[Candle]:
        """Candles of a token whose minutes begin in [from_ms, to_ms), oldest first."""
        ...

    def trim(self, before_ms: int) -> int:
        """Drop candles whose minutes begin earlier; returns how many were dropped."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...
