"""Where Binance's public market data is, and how its addresses are written. No I/O."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

SPOT_STREAMS_MAX = 1_024
USDM_STREAMS_MAX = 200
"""Binance refuses more streams on one connection."""
SPOT_PAGE_TRADES = 1_000
USDM_PAGE_TRADES = 500
USDM_NEWEST_TRADES = 1_000


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base addresses of one market kind, without a slash at the end.

    Attributes:
        stream_url: WebSocket market streams.
        rest_url: REST API.
        prefix: path of the REST API's version, such as `/api/v3`.
    """

    stream_url: str
    rest_url: str
    prefix: str

    def streams(self, symbols: Sequence[str]) -> str:
        """Address of the combined trade stream of some symbols."""
        names = "/".join(f"{quote(symbol.lower())}@trade" for symbol in symbols)
        return f"{self.stream_url}/stream?streams={names}"

    def exchange_info(self, symbols: Sequence[str]) -> str:
        """Address of what is known about some symbols; of all, if none is given."""
        address = f"{self.rest_url}{self.prefix}/exchangeInfo"
        if not symbols:
            return address
        listed = json.dumps(list(symbols), separators=(",", ":"))
        return f"{address}?symbols={quote(listed)}"

    def trades_from(self, symbol: str, first_id: int, count: int) -> str:
        """Address of the trades of a symbol from an id on, in order."""
        return (
            f"{self.rest_url}{self.prefix}/historicalTrades"
            f"?symbol={quote(symbol)}&fromId={first_id}&limit={count}"
        )

    def newest_trades(self, symbol: str, count: int) -> str:
        """Address of the newest trades of a symbol."""
        return f"{self.rest_url}{self.prefix}/trades?symbol={quote(symbol)}&limit={count}"


SPOT = Endpoints("wss://stream.binance.com:9443", "https://api.binance.com", "/api/v3")
USDM = Endpoints("wss://fstream.binance.com/public", "https://fapi.binance.com", "/fapi/v1")
"""Single trades are sent by the `public` entry only; `market` has aggregated ones."""
