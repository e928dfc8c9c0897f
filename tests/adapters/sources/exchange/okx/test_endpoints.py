"""Addresses of OKX, as its documentation writes them."""

import json

from swapstats.adapters.sources.exchange.okx.endpoints import PUBLIC, Endpoints, subscription


def test_the_stream_and_its_subscription() -> None:
    assert PUBLIC.stream() == "wss://ws.okx.com:8443/ws/v5/business"
    assert json.loads(subscription(["BTC-USDT", "ETH-USDT"])) == {
        "op": "subscribe",
        "args": [
            {"channel": "trades-all", "instId": "BTC-USDT"},
            {"channel": "trades-all", "instId": "ETH-USDT"},
        ],
    }


def test_rest() -> None:
    endpoints = Endpoints("ws://127.0.0.1:1", "http://127.0.0.1:1")
    assert endpoints.instruments() == "http://127.0.0.1:1/api/v5/public/instruments?instType=SPOT"
    address = "http://127.0.0.1:1/api/v5/market/history-trades?instId=BTC-USDT&type=1&limit=100"
    assert endpoints.trades_below("BTC-USDT", None) == address
    assert endpoints.trades_below("BTC-USDT", 7) == f"{address}&after=7"
