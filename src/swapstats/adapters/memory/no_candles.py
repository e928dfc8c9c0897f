"""Candles for nobody: where none are wanted."""

from collections.abc import Sequence

from swapstats.model.preprocessed import Candle
from swapstats.model.writer import Writer


class NoCandles:
    """Keeps nothing."""

    def put(self, candles: Sequence[Candle], writer: Writer) -> None:
        """Ignore."""

    def scan(self, token: str, from_ms: int, to_ms: int) -> list[Candle]:
        """Find nothing."""
        del token, from_ms, to_ms
        return []

    def trim(self, before_ms: int) -> int:
        """Drop nothing."""
        del before_ms
        return 0

    def close(self) -> None:
        """Do nothing."""
