"""Where Coinbase Exchange's public market data is, and how its addresses are written. No I/O."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

STREAMS_MAX = 100
PAGE_TRADES = 1_000
"""Coinbase gives no more at once."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base addresses, without a slash at the end.

    Attributes:
        stream_url: WebSocket feed that needs no key.
        rest_url: REST API.
    """

    stream_url: str
    rest_url: str

    def stream(self) -> str:
        """Address of the feed."""
        return f"{self.stream_url}/"

    def products(self) -> str:
        """Address of the list of all products."""
        return f"{self.rest_url}/products"

    def trades_below(self, product: str, trade_id: int | None) -> str:
        """Address of the newest trades of a product, with ids below one (None = all).

        The API calls what is older `after`. Its `before` (what is newer) is of no use: it gives
        the newest ones there are, not those that follow.
        """
        address = f"{self.rest_url}/products/{quote(product)}/trades?limit={PAGE_TRADES}"
        return address if trade_id is None else f"{address}&after={trade_id}"


PUBLIC = Endpoints("wss://ws-feed.exchange.coinbase.com", "https://api.exchange.coinbase.com")


def subscription(products: Sequence[str]) -> str:
    """The frame that asks for the trades of some products, the last one of each first."""
    return json.dumps({"type": "subscribe", "product_ids": list(products), "channels": ["matches"]})
