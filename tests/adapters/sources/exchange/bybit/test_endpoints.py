"""Addresses of Bybit, as its documentation writes them."""

import json

from swapstats.adapters.sources.exchange.bybit.endpoints import PUBLIC, Endpoints, subscriptions


def test_the_stream_and_its_subscriptions() -> None:
    """Ten topics of the spot market in one request, no more."""
    assert PUBLIC.stream() == "wss://stream.bybit.com/v5/public/spot"
    frames = [json.loads(frame) for frame in subscriptions([f"A{n}USDT" for n in range(23)])]
    assert [len(frame["args"]) for frame in frames] == [10, 10, 3]
    assert {frame["op"] for frame in frames} == {"subscribe"}
    assert [topic for frame in frames for topic in frame["args"]] == [
        f"publicTrade.A{n}USDT" for n in range(23)
    ]


def test_rest() -> None:
    endpoints = Endpoints("ws://127.0.0.1:1", "http://127.0.0.1:1")
    assert endpoints.instruments() == "http://127.0.0.1:1/v5/market/instruments-info?category=spot"
    assert (
        endpoints.newest_trades("BTCUSDT")
        == "http://127.0.0.1:1/v5/market/recent-trade?category=spot&symbol=BTCUSDT&limit=60"
    )
