"""Bybit as a venue: what is asked where, and what the answers are read as."""

import json

from swapstats.adapters.sources.exchange.bybit.endpoints import Endpoints, subscriptions
from swapstats.adapters.sources.exchange.bybit.venue import Bybit
from swapstats.adapters.sources.exchange.venue import IdRule, Mark, Market, Paging, Venue

LOCAL = Endpoints("ws://127.0.0.1:1", "http://127.0.0.1:2")
PAGE = (
    b'{"retCode":0,"result":{"list":[{"execId":"7","symbol":"BTCUSDT","price":"2","size":"3",'
    b'"side":"Sell","time":"1672052955758"}]}}'
)


def test_what_it_is() -> None:
    """Ids tell nothing: two connections, and the newest page to compare with."""
    venue: Venue = Bybit()
    facts = venue.facts
    assert (facts.name, facts.id_rule, facts.paging) == ("bybit", IdRule.OPAQUE, Paging.NEWEST)
    assert facts.connections == 2
    assert facts.built_in_markets[facts.example] == Market("BTCUSDT", "BTC", "USDT")


def test_it_speaks_often_enough_not_to_be_cut_off() -> None:
    venue = Bybit()
    assert json.loads(venue.facts.ping) == {"op": "ping"}
    assert 0 < venue.facts.ping_ms <= 20_000
    assert venue.read('{"success":true,"ret_msg":"pong","op":"ping"}') == []


def test_its_opening() -> None:
    opening = Bybit(LOCAL).opening(["BTCUSDT", "ETHUSDT"])
    assert opening.url == "ws://127.0.0.1:1/v5/public/spot"
    assert list(opening.frames) == subscriptions(["BTCUSDT", "ETHUSDT"])


def test_a_page_is_the_newest_one_whatever_is_asked() -> None:
    venue = Bybit(LOCAL)
    asks = [
        venue.page("BTCUSDT", Mark(3, "3", 0), Mark(7, "7", 1)),
        venue.page("BTCUSDT", Mark(3, "3", 0), None),
    ]
    assert {ask.url for ask in asks} == {
        "http://127.0.0.1:2/v5/market/recent-trade?category=spot&symbol=BTCUSDT&limit=60"
    }
    assert [trade.trade_id for trade in asks[0].read(PAGE)] == ["7"]


def test_its_markets() -> None:
    ask = Bybit(LOCAL).market_list(["BTCUSDT"])
    assert ask.url == "http://127.0.0.1:2/v5/market/instruments-info?category=spot"
    body = (
        b'{"retCode":0,"result":{"list":[{"symbol":"BTCUSDT","baseCoin":"BTC",'
        b'"quoteCoin":"USDT"}]}}'
    )
    assert ask.read(body) == {"BTCUSDT": Market("BTCUSDT", "BTC", "USDT")}
