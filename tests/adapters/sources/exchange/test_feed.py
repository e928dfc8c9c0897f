"""All markets of a source, without a network."""

import json

import msgspec
from tests.adapters.sources.exchange.played import made

from swapstats.adapters.sources.exchange.binance.parse import SPOT_MARKETS, USDM_MARKETS
from swapstats.adapters.sources.exchange.binance.venue import BinanceSpot, BinanceUsdm
from swapstats.adapters.sources.exchange.feed import NOTES_MAX, Feed
from swapstats.adapters.sources.exchange.gap import Step
from swapstats.adapters.sources.exchange.hole_notes import HOLES_KEPT
from swapstats.adapters.sources.exchange.options import Options
from swapstats.adapters.sources.exchange.position import read_position
from swapstats.model.raw_event import ExchangeTrade


def feed(position: str | None = None, notes: dict[str, str] | None = None) -> Feed:
    markets = {symbol: SPOT_MARKETS[symbol] for symbol in ("BTCUSDT", "ETHUSDT")}
    return Feed(BinanceSpot(), markets, position, Options(), 0, notes or {})


def frames(first: int, count: int = 1, market: str = "BTCUSDT") -> list[str | bytes]:
    return [
        f'{{"stream":"{market.lower()}@trade","data":{one.payload}}}'
        for one in made(count, first, market)
    ]


def taken(one: Feed) -> list[tuple[str, str]]:
    batch = one.take()
    if batch is None:
        return []
    found = [
        msgspec.json.decode(batch.block.message(at), type=ExchangeTrade)
        for at in range(len(batch.block))
    ]
    return [(trade.market, trade.trade_id) for trade in found]


def test_markets_have_ids_of_their_own() -> None:
    one = feed()
    one.read(0, [*frames(5, 2), *frames(70, 1, "ETHUSDT"), *frames(7)], 10)
    batch = one.take()
    assert batch is not None
    assert len(batch.block) == 4
    position = read_position(batch.position, "binance")
    assert {market: mark.order for market, mark in position.last.items()} == {
        "BTCUSDT": 7, "ETHUSDT": 70,
    }  # fmt: skip
    assert one.take() is None
    assert one.counts.trades == 4


def test_raw_events_say_what_the_exchange_said() -> None:
    markets = {"1000PEPEUSDT": USDM_MARKETS["1000PEPEUSDT"]}
    one = Feed(BinanceUsdm(), markets, None, Options(), 0)
    one.read(0, frames(5, 1, "1000PEPEUSDT"), 10)
    batch = one.take()
    assert batch is not None
    assert json.loads(batch.block.message(0)) == {
        "kind": "exchange_trade", "version": 1, "venue": "binance-usdm",
        "market": "1000PEPEUSDT", "trade_id": "5", "base": "PEPE", "quote": "USDT",
        "multiplier": 1000, "price": "2.05", "quantity": "3.5", "side": "buy", "event_time": 5,
    }  # fmt: skip


def test_a_gap_is_told_and_closed() -> None:
    one = feed()
    one.read(0, [*frames(5), *frames(9)], 10)
    assert one.gapped == {"BTCUSDT": 10}
    assert taken(one) == [("BTCUSDT", "5")]
    gap = one.gap("BTCUSDT")
    assert gap is not None
    rows = [each.trade for each in made(3, 6)]
    assert one.fill("BTCUSDT", Step(rows, 8), 20) == 4
    assert not one.gapped
    assert [trade_id for _, trade_id in taken(one)] == ["6", "7", "8", "9"]
    assert one.counts.filled == 3
    assert one.take_notes() == []


def test_holes_are_counted_over_restarts_and_noted() -> None:
    one = feed()
    one.read(0, [*frames(5), *frames(9)], 10)
    one.give_up("BTCUSDT", "nobody answered", 20)
    (note,) = one.take_notes()
    assert note == "Expected trades 6 to 8 of BTCUSDT, was 3 missing: nobody answered"
    batch = one.take()
    assert batch is not None
    assert list(batch.notes) == ["hole:0"]
    kept = {key: text for key, text in batch.notes.items() if text is not None}
    again = feed(batch.position, notes=kept)
    assert list(again.holes) == list(one.holes)
    assert (again.missing.holes, again.missing.trades) == (1, 3)
    assert again.open_end("BTCUSDT") is not None
    assert again.open_end("ETHUSDT") is None


def test_what_cannot_be_read_is_counted_and_not_fatal() -> None:
    one = feed()
    bad = ["x", '{"stream":"btcusdt@trade","data":{}}', *frames(6, 1, "SOLUSDT")]
    one.read(0, [*frames(5), *bad, '{"result":null,"id":1}', *frames(6)], 10)
    assert [trade_id for _, trade_id in taken(one)] == ["5", "6"]
    assert one.counts.unreadable == 3
    notes = one.take_notes()
    assert len(notes) == 3
    assert "SOLUSDT" in notes[2]


def test_what_is_kept_for_people_is_bounded() -> None:
    one = feed()
    one.read(0, ["x"] * (3 * NOTES_MAX), 10)
    assert len(one.take_notes()) == NOTES_MAX
    for at in range(2 * HOLES_KEPT):
        one.read(0, frames(10 + 2 * at), 10)
        one.give_up("BTCUSDT", "gone", 10)
    assert len(one.holes) == HOLES_KEPT
    assert one.missing.holes == 2 * HOLES_KEPT - 1


def test_markets_that_are_silent_for_too_long() -> None:
    one = feed()
    assert one.silent(1 << 30) == []
    one.read(0, [*frames(5), *frames(7, 1, "ETHUSDT")], 1_000)
    one.connected(["BTCUSDT"], 2_000)
    assert one.catches_up("BTCUSDT")
    assert not one.catches_up("ETHUSDT")
    assert one.silent(12_000) == ["BTCUSDT"]
    one.quiet("BTCUSDT", 12_000)
    assert one.silent(12_001) == []
    one.look_again("BTCUSDT", 12_002)
    assert one.silent(12_002) == ["BTCUSDT"]
    assert set(one.silent(1 << 30)) == {"BTCUSDT", "ETHUSDT"}
