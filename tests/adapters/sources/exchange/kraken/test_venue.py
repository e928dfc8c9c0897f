"""Kraken as a venue: what is asked where, and what the answers are read as."""

from swapstats.adapters.sources.exchange.kraken.endpoints import Endpoints, subscription
from swapstats.adapters.sources.exchange.kraken.venue import Kraken
from swapstats.adapters.sources.exchange.venue import IdRule, Mark, Market, Paging, Venue

LOCAL = Endpoints("ws://127.0.0.1:1", "http://127.0.0.1:2")
PAGE = (
    b'{"error":[],"result":{"XXDGZUSD":[["2.0","3.0",1688669597.8277369,"b","m","",7]],'
    b'"last":"1688669597827736900"}}'
)


def test_what_it_is() -> None:
    venue: Venue = Kraken()
    facts = venue.facts
    assert (facts.name, facts.id_rule, facts.paging) == (
        "kraken", IdRule.DENSE, Paging.FORWARD,
    )  # fmt: skip
    assert facts.built_in_markets[facts.example] == Market("BTC/USD", "BTC", "USD")


def test_its_opening() -> None:
    opening = Kraken(LOCAL).opening(["BTC/USD", "DOGE/USD"])
    assert opening.url == "ws://127.0.0.1:1/v2"
    assert list(opening.frames) == [subscription(["BTC/USD", "DOGE/USD"])]


def test_a_page_begins_with_the_millisecond_of_the_trade_before_the_gap() -> None:
    """By time, under the name that REST has for the pair; the answer may name it otherwise."""
    ask = Kraken(LOCAL).page("DOGE/USD", Mark(6, "6", 1688669597827), None)
    assert ask.url == (
        "http://127.0.0.1:2/0/public/Trades?pair=XDGUSD&since=1688669597825999999&count=1000"
    )
    (trade,) = ask.read(PAGE)
    assert (trade.market, trade.trade_id, trade.price) == ("DOGE/USD", "7", "2")


def test_its_markets() -> None:
    ask = Kraken(LOCAL).market_list(["DOGE/USD"])
    assert ask.url == "http://127.0.0.1:2/0/public/AssetPairs"
    body = b'{"error":[],"result":{"XDGUSD":{"altname":"XDGUSD","wsname":"XDG/USD"}}}'
    assert ask.read(body) == {"DOGE/USD": Market("DOGE/USD", "DOGE", "USD")}
