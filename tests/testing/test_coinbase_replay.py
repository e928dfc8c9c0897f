"""Coinbase's side of a played exchange."""

import json

import msgspec
from tests.adapters.sources.exchange.recorded import DATA, recorded_frames

from swapstats.adapters.sources.exchange.coinbase.endpoints import subscription
from swapstats.adapters.sources.exchange.coinbase.parse import (
    parse_frame,
    parse_markets,
    parse_page,
)
from swapstats.adapters.sources.exchange.venue import Market
from swapstats.testing.coinbase_replay import CoinbaseDialect, coinbase_recording, read_matches
from swapstats.testing.exchange_replay import Answer, Question
from swapstats.testing.made_trades import made_trades

MARKETS = [Market("BTC-USD", "BTC", "USD")]
TRADES = made_trades(7, ["BTC-USD"], 1_500)
RECORDING = coinbase_recording(TRADES)


def asked(path: str, **query: str) -> Answer:
    return CoinbaseDialect(MARKETS).answer(Question(path, query, {}), {"BTC-USD": RECORDING})


def test_a_subscription_brings_the_last_trade_first() -> None:
    dialect = CoinbaseDialect(MARKETS)
    dialect.played = lambda: RECORDING[:10]
    one = dialect.connect("/", {})
    answer, last = one.hear(subscription(["BTC-USD"]))
    assert json.loads(answer)["type"] == "subscriptions"
    assert json.loads(last)["type"] == "last_match"
    assert parse_frame(last) == [TRADES[9]]
    assert one.markets == {"BTC-USD"}
    assert [parse_frame(frame) for frame in one.frames(RECORDING[:3])] == [
        [trade] for trade in TRADES[:3]
    ]


def test_an_unknown_product_is_refused() -> None:
    one = CoinbaseDialect(MARKETS).connect("/", {})
    (error,) = one.hear(subscription(["BTC-XYZ"]))
    assert json.loads(error)["reason"] == "BTC-XYZ is not valid"
    assert one.markets == set()


def test_history_is_newest_first_below_an_id() -> None:
    path = "/products/BTC-USD/trades"
    assert parse_page("BTC-USD", asked(path).body) == TRADES[:-1_001:-1]
    below = asked(path, after=str(TRADES[100].order), limit="50")
    assert parse_page("BTC-USD", below.body) == TRADES[99:49:-1]
    assert asked("/products/BTC-XYZ/trades").status == 404
    assert parse_markets(asked("/products").body) == {"BTC-USD": MARKETS[0]}
    assert asked("/nothing").status == 404


def test_recorded_matches() -> None:
    frames = recorded_frames("COINBASE.ws.28.0")
    recording = read_matches(DATA / "exchange/cryptofeed_COINBASE.ws.28.0.gz")
    assert len(recording) == 107
    assert [one.trade for one in recording] == [
        trade for frame in frames if b'match"' in frame[:25] for trade in parse_frame(frame)
    ]
    assert {msgspec.json.decode(one.payload)["type"] for one in recording} == {"match"}
