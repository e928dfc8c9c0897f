"""Every exchange behind the real source, against its played server with everything going wrong.

What must hold: the ids that come out are the server's, once each, in order where ids have one, with
the same prices, quantities and sides, so that the sum of price x quantity is exact.

Coinbase's server plays recorded trades here (97 and the 10 before them, of 2021), and OKX's where
its recording is at hand; all other trades and all answers of REST are made up by documentation.
"""

import random
from dataclasses import replace
from typing import Any

import pytest
from tests.adapters.sources.exchange.places import (
    DENSE,
    PLACES,
    QUICK,
    assert_same,
    exchange_of,
    paced,
    read,
    source_of,
    told,
    told_of,
)
from tests.adapters.sources.exchange.recorded import DATA

from swapstats.adapters.sources.exchange.venue import Market
from swapstats.errors import Rejected
from swapstats.model.raw_event import ExchangeTrade
from swapstats.testing.bybit_replay import BybitDialect
from swapstats.testing.coinbase_replay import read_matches
from swapstats.testing.exchange_faults import FAULT_KINDS, ExchangeFault, seeded_faults
from swapstats.testing.made_trades import made_trades
from swapstats.testing.okx_replay import read_trades

RECORDINGS = {"coinbase": "COINBASE.ws.28.0", "okx": "OKX.ws.1.0"}
READERS = {"coinbase": read_matches, "okx": read_trades}


@pytest.fixture
def seed() -> int:
    chosen = random.randrange(1 << 32)
    print("seed", chosen)
    return chosen


SCENARIOS: dict[str, list[ExchangeFault]] = {
    "nothing": [],
    "aborts": [ExchangeFault("abort", 40, 20), ExchangeFault("abort", 300, 25)],
    "closes": [ExchangeFault("close", 70, 20), ExchangeFault("close", 400, 20)],
    "stall": [ExchangeFault("stall", 200, 100)],
    "doubled": [ExchangeFault("doubled", 50, 200)],
    "burst": [ExchangeFault("burst", 100, 40)],
    "long burst": [ExchangeFault("burst", 100, 300)],
    "late history": [ExchangeFault("abort", 150, 20), ExchangeFault("late", 150, 40)],
    "refused history": [ExchangeFault("abort", 150, 20), ExchangeFault("refuse", 150, 40)],
    "broken history": [ExchangeFault("abort", 150, 20), ExchangeFault("broken", 150, 40)],
    "lost at the end": [ExchangeFault("abort", 580, 20)],
    "stalled at the end": [ExchangeFault("stall", 560, 40)],
    "stalled for long": [ExchangeFault("stall", 100, 500)],
}
TOO_LONG_FOR_BYBIT = {"stall", "long burst", "stalled for long"}
"""Its history holds 60 trades. And if both connections leave some out, no id tells of it."""


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("name", DENSE)
async def test_made_up_trades_come_out_once_each(name: str, scenario: str, seed: int) -> None:
    place = PLACES[name]
    recording = place.recording(made_trades(seed, place.symbols, 600))
    exchange = exchange_of(
        place, recording, place.dialect(place.markets), faults=SCENARIOS[scenario], per_tick=5
    )
    async with exchange.serving():
        source = source_of(place, exchange, place.symbols)
        found, _ = await read(source, len(recording))
    assert_same(found, recording, place, place.symbols)
    assert source.feed is not None
    assert not source.feed.holes
    assert {(trade.base, trade.quote, trade.multiplier) for trade in found} == {
        (market.base, market.quote, market.multiplier) for market in place.markets
    }


@pytest.mark.parametrize("scenario", sorted(SCENARIOS.keys() - TOO_LONG_FOR_BYBIT))
async def test_made_up_trades_without_order_come_out_once_each(scenario: str, seed: int) -> None:
    """Played only as fast as the source sees what it lacks: history is short."""
    place = PLACES["bybit"]
    recording = place.recording(made_trades(seed, place.symbols, 600, are_ids_opaque=True))
    faults = SCENARIOS[scenario]
    exchange = exchange_of(
        place, recording, place.dialect(place.markets), faults=faults, per_tick=1
    )
    async with exchange.serving():
        source = source_of(place, exchange, place.symbols)
        found, _ = await paced(exchange, source, faults, read(source, len(recording)))
    assert_same(found, recording, place, place.symbols)
    assert source.feed is not None
    assert not source.feed.holes
    assert {(trade.base, trade.multiplier) for trade in found} == {("BTC", 1), ("SATS", 1_000)}


async def test_two_connections_make_up_for_each_other(seed: int) -> None:
    """Each never brings half of the trades, and history is never asked for them."""
    place = PLACES["bybit"]
    recording = place.recording(made_trades(seed, place.symbols, 600, are_ids_opaque=True))
    places = {one.trade.trade_id: number for number, one in enumerate(recording)}
    dialect = BybitDialect(
        place.markets,
        loss=lambda connection, one: places[one.trade.trade_id] // 25 % 2 == connection % 2,
    )
    exchange = exchange_of(place, recording, dialect, per_tick=5)
    async with exchange.serving():
        source = source_of(place, exchange, place.symbols)
        found, _ = await read(source, len(recording))
    assert_same(found, recording, place, place.symbols)


async def test_what_history_no_longer_holds_istold(seed: int) -> None:
    """A gap of hundreds of trades without order: some come, none twice, and a hole is told."""
    place = PLACES["bybit"]
    recording = place.recording(made_trades(seed, place.symbols, 1_200, are_ids_opaque=True))
    faults = [ExchangeFault("abort", 100, 600)]
    exchange = exchange_of(
        place, recording, place.dialect(place.markets), faults=faults, per_tick=5
    )
    async with exchange.serving():
        source = source_of(place, exchange, place.symbols)
        found, _ = await paced(exchange, source, faults, read(source, 600))
    ids = [trade.trade_id for trade in found]
    assert len(set(ids)) == len(ids)
    assert told(found) < told_of(recording)
    assert source.feed is not None
    holes = list(source.feed.holes)
    assert {hole.market for hole in holes} == set(place.symbols)
    assert {hole.reason for hole in holes} == {"older than what the exchange still tells"}
    assert "holes" in source.status().detail


@pytest.mark.parametrize("name", DENSE)
async def test_a_slow_consumer_loses_nothing(name: str, seed: int) -> None:
    """Ten frames may wait: connections are dropped again and again, single trades never.

    Of one market: the first trade that is seen of a market is where it begins.
    """
    place = PLACES[name]
    symbols = place.symbols[:1]
    recording = place.recording(made_trades(seed, symbols, 2_000))
    exchange = exchange_of(place, recording, place.dialect(place.markets), per_tick=25)
    options = replace(QUICK, queue_frames_max=10)
    async with exchange.serving():
        source = source_of(place, exchange, symbols, options)
        found, _ = await read(source, len(recording))
    assert_same(found, recording, place, symbols)
    assert source.feed is not None
    assert not source.feed.holes


@pytest.mark.parametrize("name", PLACES)
async def test_a_restart_goes_on_where_it_stopped(name: str, seed: int) -> None:
    """What happened while nobody listened is asked for; nothing comes again."""
    place = PLACES[name]
    recording = place.recording(
        made_trades(seed, place.symbols, 400, are_ids_opaque=place.is_opaque)
    )
    exchange = exchange_of(place, recording, place.dialect(place.markets), per_tick=1)
    async with exchange.serving():
        hold = exchange.running.clear if place.is_opaque else lambda: None  # short of history
        source = source_of(place, exchange, place.symbols)
        first, position = await read(source, 200, before_closing=hold)
        source = source_of(place, exchange, place.symbols)
        reading = read(source, len(recording) - len(first), position)
        second, _ = await (paced(exchange, source, [], reading) if place.is_opaque else reading)
    assert_same([*first, *second], recording, place, place.symbols)
    assert source.feed is not None
    assert not source.feed.holes


@pytest.mark.parametrize("name", PLACES)
async def test_restarts_amid_faults(name: str, seed: int) -> None:
    """Stopped again and again, wherever it is: what was written last is where it goes on."""
    place = PLACES[name]
    recording = place.recording(
        made_trades(seed, place.symbols, 600, are_ids_opaque=place.is_opaque)
    )
    faults = [ExchangeFault("abort", at, 12) for at in range(60, 560, 100)]
    exchange = exchange_of(
        place, recording, place.dialect(place.markets), faults=faults, per_tick=1
    )
    found: list[ExchangeTrade] = []
    position: str | None = None
    chance = random.Random(seed)
    async with exchange.serving():
        while len(found) < len(recording):
            source = source_of(place, exchange, place.symbols)
            count = min(chance.randrange(60, 200), len(recording) - len(found))
            reading = read(source, count, position, before_closing=exchange.running.clear)
            if place.is_opaque:
                reading = paced(exchange, source, faults, reading)
            else:
                exchange.running.set()
            more, position = await reading
            found += more
    assert_same(found, recording, place, place.symbols)


@pytest.mark.parametrize("name", ["kraken", "okx"])
async def test_refusals_inside_an_answer_are_waited_for(name: str, seed: int) -> None:
    """Status 200 and too many requests in it: every second one."""
    place = PLACES[name]
    recording = place.recording(made_trades(seed, place.symbols, 400))
    dialect = place.dialect(place.markets, busy_every=2)
    faults = [ExchangeFault("abort", 100, 100)]
    exchange = exchange_of(place, recording, dialect, faults=faults, per_tick=5)
    async with exchange.serving():
        found, _ = await read(source_of(place, exchange, place.symbols), len(recording))
    assert_same(found, recording, place, place.symbols)


@pytest.mark.parametrize("name", DENSE)
async def test_what_the_exchange_itself_lost_istold(name: str, seed: int) -> None:
    place = PLACES[name]
    recording = place.recording(made_trades(seed, place.symbols, 400))
    market = place.symbols[0]
    lost = [one for one in recording if one.trade.market == market][50:60]
    hidden = {market: frozenset(one.trade.order for one in lost)}
    exchange = exchange_of(
        replace(place, knows_played=False), recording, place.dialect(place.markets),
        hidden=hidden, per_tick=5,
    )  # fmt: skip
    rest = [one for one in recording if one not in lost]
    async with exchange.serving():
        source = source_of(place, exchange, place.symbols)
        found, _ = await read(source, len(rest))
    assert_same(found, rest, place, place.symbols)
    assert source.feed is not None
    (hole,) = source.feed.holes
    assert (hole.first, hole.last, hole.missing) == (
        lost[0].trade.order, lost[-1].trade.order, 10,
    )  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
async def test_a_symbol_the_exchange_does_not_trade(name: str) -> None:
    place = PLACES[name]
    exchange = exchange_of(place, [], place.dialect(place.markets))
    async with exchange.serving():
        with pytest.raises(Rejected, match="'NOSUCH'"):
            await read(source_of(place, exchange, ["NOSUCH"]), 1)


@pytest.mark.parametrize("kind", ["abort", "close", "stall", "doubled", "burst"])
@pytest.mark.parametrize("name", ["coinbase", "okx"])
async def test_recorded_trades_come_out_once_each(name: str, kind: Any) -> None:
    """Frames that Coinbase (2021) and OKX (2022) really sent; REST by documentation."""
    path = DATA / f"exchange/cryptofeed_{RECORDINGS[name]}.gz"
    if not path.exists():
        pytest.skip(f"no {path.name} at {DATA}: set SWAPSTATS_DATA to the folder with exchange/")
    place = PLACES[name]
    recording = READERS[name](path)
    symbols = list(dict.fromkeys(one.trade.market for one in recording))
    assert len(recording) == {"coinbase": 107, "okx": 74}[name]
    markets = [Market(symbol, symbol.split("-")[0], symbol.split("-")[1]) for symbol in symbols]
    faults = [ExchangeFault(kind, 20, 15), ExchangeFault(kind, 55, 12)]
    exchange = exchange_of(place, recording, place.dialect(markets), faults=faults, per_tick=2)
    async with exchange.serving():
        source = source_of(place, exchange, symbols)
        found, _ = await read(source, len(recording))
    assert_same(found, recording, place, symbols)
    assert source.feed is not None
    assert not source.feed.holes


@pytest.mark.parametrize("name", DENSE)
async def test_many_faults_at_once(name: str, seed: int) -> None:
    place = PLACES[name]
    recording = place.recording(made_trades(seed, place.symbols, 3_000))
    faults = [  # not before each market has begun
        replace(fault, at=fault.at + 100)
        for fault in seeded_faults(seed, FAULT_KINDS, len(recording), 20, 200)
    ]
    exchange = exchange_of(
        place, recording, place.dialect(place.markets), faults=faults, per_tick=20
    )
    async with exchange.serving():
        found, _ = await read(source_of(place, exchange, place.symbols), len(recording))
    assert_same(found, recording, place, place.symbols)
