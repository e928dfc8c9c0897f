"""Addresses of Binance."""

from swapstats.adapters.sources.exchange.binance.endpoints import SPOT, USDM


def test_streams_are_named_in_lower_case() -> None:
    assert SPOT.streams(["BTCUSDT", "ETHUSDT"]) == (
        "wss://stream.binance.com:9443/stream?streams=btcusdt@trade/ethusdt@trade"
    )
    assert USDM.streams(["BTCUSDT"]) == (
        "wss://fstream.binance.com/public/stream?streams=btcusdt@trade"
    )


def test_what_is_asked_of_the_rest_api() -> None:
    assert SPOT.exchange_info(["BTCUSDT", "ETHUSDT"]) == (
        "https://api.binance.com/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22%2C%22ETHUSDT%22%5D"
    )
    assert USDM.exchange_info([]) == "https://fapi.binance.com/fapi/v1/exchangeInfo"
    assert SPOT.trades_from("BTCUSDT", 7, 1_000) == (
        "https://api.binance.com/api/v3/historicalTrades?symbol=BTCUSDT&fromId=7&limit=1000"
    )
    assert USDM.newest_trades("BTCUSDT", 1_000) == (
        "https://fapi.binance.com/fapi/v1/trades?symbol=BTCUSDT&limit=1000"
    )
