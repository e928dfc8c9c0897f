"""Where candles are kept."""

from collections.abc import Sequence
from typing import Protocol

from swapstats.model.preprocessed import Candle
from swapstats.model.writer import Writer


class CandleSink(Protocol):
    """Takes candles."""

    def put(self, candles: Sequence[Candle], writer: Writer) -> None:
        """Put whole candles in place of what was there; one without trades is deleted.

        Putting them again changes nothing. From its first put on, a writer keeps those of lower
        epochs out.

        Raises:
            Fenced: a writer of a higher epoch has put something; nothing was put.
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
