"""Binance's two venues: what they ask for, and how."""

from tests.adapters.sources.exchange.binance.test_messages import SPOT, USDM

from swapstats.adapters.sources.exchange.binance.parse import parse_page
from swapstats.adapters.sources.exchange.binance.venue import BinanceSpot, BinanceUsdm
from swapstats.adapters.sources.exchange.venue import IdRule, Mark, Paging

AFTER = Mark(6, "6", 1)


def test_spot_asks_for_trades_by_id_without_a_key() -> None:
    venue = BinanceSpot()
    assert (venue.facts.name, venue.facts.id_rule) == ("binance", IdRule.DENSE)
    assert venue.facts.paging is Paging.FORWARD
    ask = venue.page("BTCUSDT", AFTER, None)
    assert ask.url.endswith("/api/v3/historicalTrades?symbol=BTCUSDT&fromId=7&limit=1000")
    assert dict(ask.headers) == {}
    assert ask.read(b"[]") == parse_page("BTCUSDT", b"[]")
    assert "symbols=" in venue.market_list(["BTCUSDT"]).url


def test_usdm_without_a_key_has_the_newest_trades_only() -> None:
    venue = BinanceUsdm()
    assert venue.facts.name == "binance-usdm"
    assert venue.facts.paging is Paging.NEWEST
    ask = venue.page("BTCUSDT", AFTER, None)
    assert ask.url.endswith("/fapi/v1/trades?symbol=BTCUSDT&limit=1000")
    assert venue.market_list(["BTCUSDT"]).url.endswith("/fapi/v1/exchangeInfo")


def test_usdm_with_a_key_asks_by_id() -> None:
    venue = BinanceUsdm(api_key="k")
    assert venue.facts.paging is Paging.FORWARD
    ask = venue.page("BTCUSDT", AFTER, None)
    assert ask.url.endswith("/fapi/v1/historicalTrades?symbol=BTCUSDT&fromId=7&limit=500")
    assert dict(ask.headers) == {"X-MBX-APIKEY": "k"}


def test_markets_are_named_in_the_address() -> None:
    opening = BinanceSpot().opening(["BTCUSDT", "ETHUSDT"])
    assert opening.url.endswith("?streams=btcusdt@trade/ethusdt@trade")
    assert list(opening.frames) == []
    assert BinanceUsdm().opening(["BTCUSDT"]).url.startswith("wss://fstream.binance.com/public/")


def test_both_read_single_trades() -> None:
    assert [trade.order for trade in BinanceSpot().read(SPOT)] == [3_735_683_259]
    assert [trade.order for trade in BinanceUsdm().read(USDM)] == [5_266_583_935]
