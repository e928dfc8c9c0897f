"""Okx as a venue: what is asked where, and what the answers are read as."""

from swapstats.adapters.sources.exchange.okx.endpoints import Endpoints, subscription
from swapstats.adapters.sources.exchange.okx.venue import Okx
from swapstats.adapters.sources.exchange.venue import IdRule, Mark, Market, Paging, Venue

LOCAL = Endpoints("ws://127.0.0.1:1", "http://127.0.0.1:2")
PAGE = (
    b'{"code":"0","data":[{"instId":"BTC-USDT","side":"sell","sz":"3","px":"2","tradeId":"7",'
    b'"ts":"1654161646974"}]}'
)
HISTORY = "http://127.0.0.1:2/api/v5/market/history-trades?instId=BTC-USDT&type=1&limit=100"


def test_what_it_is() -> None:
    venue: Venue = Okx()
    facts = venue.facts
    assert (facts.name, facts.id_rule, facts.paging) == ("okx", IdRule.DENSE, Paging.BACKWARD)
    assert facts.built_in_markets[facts.example] == Market("BTC-USDT", "BTC", "USDT")


def test_it_speaks_often_enough_not_to_be_cut_off() -> None:
    venue = Okx()
    assert venue.facts.ping == "ping"
    assert 0 < venue.facts.ping_ms < 30_000
    assert venue.read(b"pong") == []


def test_its_opening() -> None:
    opening = Okx(LOCAL).opening(["BTC-USDT", "ETH-USDT"])
    assert opening.url == "ws://127.0.0.1:1/ws/v5/business"
    assert list(opening.frames) == [subscription(["BTC-USDT", "ETH-USDT"])]


def test_a_page_ends_with_the_trade_after_the_gap() -> None:
    """`after=8` gives what is below 8: the answer shows by 7 itself that it is not late."""
    venue = Okx(LOCAL)
    ask = venue.page("BTC-USDT", Mark(3, "3", 0), Mark(7, "7", 1))
    assert ask.url == f"{HISTORY}&after=8"
    assert [trade.trade_id for trade in ask.read(PAGE)] == ["7"]
    assert venue.page("BTC-USDT", Mark(3, "3", 0), None).url == HISTORY


def test_its_markets() -> None:
    ask = Okx(LOCAL).market_list(["BTC-USDT"])
    assert ask.url == "http://127.0.0.1:2/api/v5/public/instruments?instType=SPOT"
    body = (
        b'{"code":"0","data":[{"instId":"BTC-USDT","instType":"SPOT","baseCcy":"BTC",'
        b'"quoteCcy":"USDT"}]}'
    )
    assert ask.read(body) == {"BTC-USDT": Market("BTC-USDT", "BTC", "USDT")}
