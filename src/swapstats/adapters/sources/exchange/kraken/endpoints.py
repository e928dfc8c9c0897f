"""Where Kraken's public market data is, and how its addresses are written. No I/O."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

STREAMS_MAX = 100
PAGE_TRADES = 1_000
"""Kraken gives no more at once."""
NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base addresses, without a slash at the end.

    Attributes:
        stream_url: WebSocket, without the version.
        rest_url: REST API.
    """

    stream_url: str
    rest_url: str

    def stream(self) -> str:
        """Address of WebSocket v2."""
        return f"{self.stream_url}/v2"

    def pairs(self) -> str:
        """Address of the list of all pairs."""
        return f"{self.rest_url}/0/public/AssetPairs"

    def trades_since(self, pair: str, time_ms: int) -> str:
        """Address of the oldest trades of a pair from a millisecond on.

        `since` leaves out what happened at that nanosecond, and a stream may round where history
        does not: the millisecond before is asked for as well.
        """
        since_ns = max(0, (time_ms - 1) * NS_PER_MS - 1)
        return (
            f"{self.rest_url}/0/public/Trades"
            f"?pair={quote(pair)}&since={since_ns}&count={PAGE_TRADES}"
        )


PUBLIC = Endpoints("wss://ws.kraken.com", "https://api.kraken.com")


def subscription(symbols: Sequence[str]) -> str:
    """The frame that asks for the trades of some symbols, the last 50 of each first."""
    return json.dumps(
        {
            "method": "subscribe",
            "params": {"channel": "trade", "symbol": list(symbols), "snapshot": True},
        }
    )
