"""Bybit's side of a played exchange."""

import json

from swapstats.adapters.sources.exchange.bybit.endpoints import PING, subscriptions
from swapstats.adapters.sources.exchange.bybit.parse import parse_frame, parse_markets, parse_page
from swapstats.adapters.sources.exchange.venue import Market
from swapstats.testing.bybit_replay import BybitDialect, bybit_recording
from swapstats.testing.exchange_replay import Answer, Question
from swapstats.testing.made_trades import made_trades

MARKETS = [Market("BTCUSDT", "BTC", "USDT")]
TRADES = made_trades(7, ["BTCUSDT"], 1_500, are_ids_opaque=True)
RECORDING = bybit_recording(TRADES)


def asked(name: str, **query: str) -> Answer:
    question = Question(f"/v5/market/{name}", query, {})
    return BybitDialect(MARKETS).answer(question, {"BTCUSDT": RECORDING})


def test_a_subscription_and_a_ping() -> None:
    one = BybitDialect(MARKETS).connect("/v5/public/spot", {})
    for text in [PING, *subscriptions(["BTCUSDT"])]:
        assert [parse_frame(answer) for answer in one.hear(text)] == [[]]
    assert one.markets == {"BTCUSDT"}
    frames = one.frames(RECORDING)
    assert [len(parse_frame(frame)) for frame in frames] == [1_024, 476]
    assert [trade for frame in frames for trade in parse_frame(frame)] == TRADES


def test_what_is_refused() -> None:
    one = BybitDialect(MARKETS).connect("/v5/public/spot", {})
    (unknown,) = one.hear(subscriptions(["BTCXYZ"])[0])
    assert json.loads(unknown)["ret_msg"] == "Invalid symbol :[publicTrade.BTCXYZ]"
    (many,) = one.hear(json.dumps({"op": "subscribe", "args": ["publicTrade.BTCUSDT"] * 11}))
    assert json.loads(many)["ret_msg"] == "args size >10"
    assert one.markets == set()


def test_history_is_the_newest_sixty() -> None:
    page = asked("recent-trade", category="spot", symbol="BTCUSDT", limit="1000")
    assert parse_page("BTCUSDT", page.body) == TRADES[:-61:-1]
    assert b"10001" in asked("recent-trade", symbol="BTCXYZ").body
    assert parse_markets(asked("instruments-info").body) == {"BTCUSDT": MARKETS[0]}


def test_it_refuses_within_an_answer() -> None:
    dialect = BybitDialect(MARKETS, busy_every=1)
    answer = dialect.answer(Question("/v5/market/recent-trade", {"symbol": "BTCUSDT"}, {}), {})
    assert b"10006" in answer.body


def test_a_connection_may_lose_trades() -> None:
    dialect = BybitDialect(MARKETS, loss=lambda connection, one: connection == 1)
    first, second = (dialect.connect("/v5/public/spot", {}) for _ in range(2))
    assert len(first.frames(RECORDING[:3])) == 1
    assert second.frames(RECORDING[:3]) == []
