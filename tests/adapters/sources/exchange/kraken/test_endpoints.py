"""Addresses of Kraken, as its documentation writes them."""

import json

from swapstats.adapters.sources.exchange.kraken.endpoints import PUBLIC, Endpoints, subscription


def test_the_stream_and_its_subscription() -> None:
    assert PUBLIC.stream() == "wss://ws.kraken.com/v2"
    assert json.loads(subscription(["BTC/USD", "ETH/EUR"])) == {
        "method": "subscribe",
        "params": {"channel": "trade", "symbol": ["BTC/USD", "ETH/EUR"], "snapshot": True},
    }


def test_rest() -> None:
    endpoints = Endpoints("ws://127.0.0.1:1", "http://127.0.0.1:1")
    assert endpoints.pairs() == "http://127.0.0.1:1/0/public/AssetPairs"
    address = "http://127.0.0.1:1/0/public/Trades?pair=XBTUSD"
    assert (
        endpoints.trades_since("XBTUSD", 1688669597827)
        == f"{address}&since=1688669597825999999&count=1000"
    )
    assert endpoints.trades_since("XBTUSD", 0) == f"{address}&since=0&count=1000"
