"""Kraken's side of a played exchange."""

from swapstats.adapters.sources.exchange.kraken.endpoints import subscription
from swapstats.adapters.sources.exchange.kraken.parse import (
    parse_frame,
    parse_markets,
    parse_page,
)
from swapstats.adapters.sources.exchange.venue import Market
from swapstats.testing.exchange_replay import Answer, Question
from swapstats.testing.kraken_replay import KrakenDialect, kraken_recording
from swapstats.testing.made_trades import made_trades

MARKETS = [Market("BTC/USD", "BTC", "USD"), Market("DOGE/BTC", "DOGE", "BTC")]
TRADES = made_trades(7, ["BTC/USD"], 1_500)
RECORDING = kraken_recording(TRADES)


def asked(name: str, **query: str) -> Answer:
    question = Question(f"/0/public/{name}", query, {})
    return KrakenDialect(MARKETS).answer(question, {"BTC/USD": RECORDING})


def test_a_subscription_brings_a_snapshot_of_fifty() -> None:
    dialect = KrakenDialect(MARKETS)
    dialect.played = lambda: RECORDING[:80]
    one = dialect.connect("/v2", {})
    answers = [parse_frame(text) for text in one.hear(subscription(["BTC/USD", "DOGE/BTC"]))]
    assert answers == [[], TRADES[30:80], [], []]
    assert one.markets == {"BTC/USD", "DOGE/BTC"}
    (batch,) = one.frames(RECORDING[:3])
    assert parse_frame(batch) == TRADES[:3]


def test_an_unknown_symbol_and_an_unknown_version() -> None:
    one = KrakenDialect(MARKETS).connect("/v2", {})
    assert "Currency pair not supported BTC/XYZ" in one.hear(subscription(["BTC/XYZ"]))[0]
    assert one.markets == set()
    old = KrakenDialect(MARKETS).connect("/", {})
    old.hear(subscription(["BTC/USD"]))
    assert old.markets == set()


def test_history_is_oldest_first_after_a_time() -> None:
    assert parse_page("BTC/USD", asked("Trades", pair="XBTUSD", since="0").body) == TRADES[:1_000]
    since_ns = TRADES[700].time_ms * 1_000_000 - 1
    later = [trade for trade in TRADES if trade.time_ms >= TRADES[700].time_ms]
    page = asked("Trades", pair="XBTUSD", since=str(since_ns), count="100")
    assert parse_page("BTC/USD", page.body) == later[:100]
    assert b"Unknown asset pair" in asked("Trades", pair="BTCUSD").body
    assert parse_markets(asked("AssetPairs").body) == {each.symbol: each for each in MARKETS}


def test_it_refuses_within_an_answer() -> None:
    dialect = KrakenDialect(MARKETS, busy_every=2)
    bodies = [dialect.answer(Question("/0/public/AssetPairs", {}, {}), {}).body for _ in range(4)]
    assert [b"Rate limit" in body for body in bodies] == [False, True, False, True]
