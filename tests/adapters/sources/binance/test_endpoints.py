"""Addresses of the exchange, as its documentation writes them."""

from swapstats.adapters.sources.binance.endpoints import Endpoints


def test_the_combined_trade_stream() -> None:
    assert (
        Endpoints().trades(["BTCUSDT", "ETHUSDT"])
        == "wss://stream.binance.com:9443/stream?streams=btcusdt@trade/ethusdt@trade"
    )


def test_exchange_info_of_some_symbols() -> None:
    endpoints = Endpoints(rest_url="http://127.0.0.1:1")
    assert (
        endpoints.exchange_info(["BTCUSDT", "ETHUSDT"])
        == "http://127.0.0.1:1/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22%2C%22ETHUSDT%22%5D"
    )


def test_odd_symbols_stay_within_their_place() -> None:
    assert Endpoints(stream_url="ws://h").trades(["A&b=?"]).endswith("streams=a%26b%3D%3F@trade")
