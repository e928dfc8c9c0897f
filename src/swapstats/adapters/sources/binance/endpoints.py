"""Where Binance's public market data is, and how its addresses are written. No I/O."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

STREAMS_MAX = 1_024
"""Binance refuses more streams on one connection."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base addresses of one exchange, without a slash at the end.

    Attributes:
        stream_url: WebSocket market streams.
        rest_url: REST API.
    """

    stream_url: str = "wss://stream.binance.com:9443"
    rest_url: str = "https://api.binance.com"

    def trades(self, symbols: Sequence[str]) -> str:
        """Address of the combined trade stream of some symbols."""
        streams = "/".join(f"{quote(symbol.lower())}@trade" for symbol in symbols)
        return f"{self.stream_url}/stream?streams={streams}"

    def exchange_info(self, symbols: Sequence[str]) -> str:
        """Address of what is known about some symbols."""
        listed = json.dumps(list(symbols), separators=(",", ":"))
        return f"{self.rest_url}/api/v3/exchangeInfo?symbols={quote(listed)}"
