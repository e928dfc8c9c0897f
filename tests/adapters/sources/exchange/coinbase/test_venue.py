"""Coinbase as a venue: what is asked where, and what the answers are read as."""

from swapstats.adapters.sources.exchange.coinbase.endpoints import Endpoints, subscription
from swapstats.adapters.sources.exchange.coinbase.venue import Coinbase
from swapstats.adapters.sources.exchange.venue import IdRule, Mark, Market, Paging, Venue

LOCAL = Endpoints("ws://127.0.0.1:1", "http://127.0.0.1:2")
PAGE = b'[{"time":"2021-04-17T16:43:37.089723Z","trade_id":7,"price":"2","size":"3","side":"sell"}]'


def test_what_it_is() -> None:
    venue: Venue = Coinbase()
    facts = venue.facts
    assert (facts.name, facts.id_rule, facts.paging) == (
        "coinbase", IdRule.DENSE, Paging.BACKWARD,
    )  # fmt: skip
    assert facts.built_in_markets[facts.example] == Market("BTC-USD", "BTC", "USD")


def test_its_opening() -> None:
    opening = Coinbase(LOCAL).opening(["BTC-USD", "ETH-USD"])
    assert opening.url == "ws://127.0.0.1:1/"
    assert list(opening.frames) == [subscription(["BTC-USD", "ETH-USD"])]


def test_a_page_ends_with_the_trade_after_the_gap() -> None:
    """`after=8` gives what is below 8: the answer shows by 7 itself that it is not late."""
    venue = Coinbase(LOCAL)
    ask = venue.page("BTC-USD", Mark(3, "3", 0), Mark(7, "7", 1))
    assert ask.url == "http://127.0.0.1:2/products/BTC-USD/trades?limit=1000&after=8"
    assert [trade.trade_id for trade in ask.read(PAGE)] == ["7"]
    newest = venue.page("BTC-USD", Mark(3, "3", 0), None)
    assert newest.url == "http://127.0.0.1:2/products/BTC-USD/trades?limit=1000"


def test_its_markets() -> None:
    ask = Coinbase(LOCAL).market_list(["BTC-GBP"])
    assert ask.url == "http://127.0.0.1:2/products"
    body = b'[{"id":"BTC-GBP","base_currency":"BTC","quote_currency":"GBP"}]'
    assert ask.read(body) == {"BTC-GBP": Market("BTC-GBP", "BTC", "GBP")}
