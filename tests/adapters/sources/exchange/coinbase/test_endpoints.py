"""Addresses of Coinbase Exchange, as its documentation writes them."""

import json

from swapstats.adapters.sources.exchange.coinbase.endpoints import PUBLIC, Endpoints, subscription


def test_the_feed_and_its_subscription() -> None:
    assert PUBLIC.stream() == "wss://ws-feed.exchange.coinbase.com/"
    assert json.loads(subscription(["BTC-USD", "ETH-EUR"])) == {
        "type": "subscribe",
        "product_ids": ["BTC-USD", "ETH-EUR"],
        "channels": ["matches"],
    }


def test_rest() -> None:
    endpoints = Endpoints("ws://127.0.0.1:1", "http://127.0.0.1:1")
    assert endpoints.products() == "http://127.0.0.1:1/products"
    address = "http://127.0.0.1:1/products/BTC-USD/trades?limit=1000"
    assert endpoints.trades_below("BTC-USD", None) == address
    assert endpoints.trades_below("BTC-USD", 7) == f"{address}&after=7"
