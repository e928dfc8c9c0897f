"""Where Bybit's public market data is, and how its addresses are written. No I/O."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

STREAMS_MAX = 100
TOPICS_MAX = 10
"""Bybit takes no more topics of the spot market in one request."""
PAGE_TRADES = 60
"""Bybit gives no more of the spot market, and nothing older."""
PING = '{"op":"ping"}'


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base addresses, without a slash at the end.

    Attributes:
        stream_url: WebSocket, without the path.
        rest_url: REST API.
    """

    stream_url: str
    rest_url: str

    def stream(self) -> str:
        """Address of the spot market's stream."""
        return f"{self.stream_url}/v5/public/spot"

    def instruments(self) -> str:
        """Address of the list of all spot instruments; it comes in one piece."""
        return f"{self.rest_url}/v5/market/instruments-info?category=spot"

    def newest_trades(self, symbol: str) -> str:
        """Address of the newest trades of a symbol."""
        return (
            f"{self.rest_url}/v5/market/recent-trade"
            f"?category=spot&symbol={quote(symbol)}&limit={PAGE_TRADES}"
        )


PUBLIC = Endpoints("wss://stream.bybit.com", "https://api.bybit.com")


def subscriptions(symbols: Sequence[str]) -> list[str]:
    """The frames that ask for the trades of some symbols."""
    topics = [f"publicTrade.{symbol}" for symbol in symbols]
    return [
        json.dumps({"op": "subscribe", "args": topics[at : at + TOPICS_MAX]})
        for at in range(0, len(topics), TOPICS_MAX)
    ]
