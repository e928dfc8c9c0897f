"""The source against a played exchange: every trade once and its worth to the last digit."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

import msgspec
import pytest
from tests.adapters.sources.exchange.played import (
    QUICK,
    TIMEOUT_MS,
    Pretending,
    made,
    played,
    recorded,
    source,
    spot,
    usdm,
)

from swapstats.adapters.sources.exchange.pulse import SilenceBounds
from swapstats.adapters.sources.exchange.source import ExchangeSource
from swapstats.adapters.sources.exchange.venue import IdRule
from swapstats.adapters.system_clock import SystemClock
from swapstats.errors import Rejected
from swapstats.model.raw_event import ExchangeTrade
from swapstats.testing.eventually import eventually_async
from swapstats.testing.exchange_faults import FAULT_KINDS, ExchangeFault, FaultKind, seeded_faults
from swapstats.testing.exchange_replay import Recorded
from swapstats.testing.exchange_verdict import Collected, all_of

decode = msgspec.json.Decoder(ExchangeTrade).decode
BOTH = ("btcusdt", "ETHUSDT")
FOREVER = 1 << 40


async def collected(one: ExchangeSource, recording: Sequence[Recorded]) -> Collected:
    got = Collected()
    await got.read(one, all_of(recording), TIMEOUT_MS)
    return got


async def test_recorded_spot_trades_come_once_each_in_order() -> None:
    recording = recorded("spot")
    async with played(recording).serving() as exchange:
        one = source(spot(exchange), BOTH)
        got = await collected(one, recording)
    got.check(recording)
    assert got.detail == "Live trades of BTCUSDT, ETHUSDT from Binance"
    assert {(trade.venue, trade.base, trade.quote) for trade in got.trades} == {
        ("binance", "BTC", "USDT"), ("binance", "ETH", "USDT"),
    }  # fmt: skip


async def test_recorded_usdm_trades_come_once_each_in_order() -> None:
    recording = recorded("usdm")
    async with played(recording, is_usdm=True, per_tick=200).serving() as exchange:
        got = await collected(source(usdm(exchange)), recording)
    got.check(recording)
    assert {(trade.venue, trade.base) for trade in got.trades} == {("binance-usdm", "BTC")}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", FAULT_KINDS)
async def test_spot_trades_under_each_fault(kind: FaultKind, seed: int) -> None:
    recording = recorded("spot", 4_000)
    faults = seeded_faults(seed, [kind], len(recording), 3, 1_000)
    faults += [ExchangeFault(kind, 1_500, 1_000), ExchangeFault("abort", 2_000, 300)]
    print("seed", seed, faults)
    async with played(recording, faults).serving() as exchange:
        one = source(spot(exchange), BOTH)
        got = await collected(one, recording)
    got.check(recording)
    feed = one.feed
    assert feed is not None
    assert not feed.holes
    assert feed.counts.filled > 0
    if kind in {"abort", "close"}:
        assert exchange.counts.connections > 2
    if kind == "doubled":
        assert feed.repeats > 500


@pytest.mark.parametrize("seed", [3])
@pytest.mark.parametrize("kind", FAULT_KINDS)
async def test_usdm_trades_under_each_fault(kind: FaultKind, seed: int) -> None:
    """Without a key the newest thousand trades are all the history there is: short faults."""
    recording = recorded("usdm", 2_500)
    faults = seeded_faults(seed, [kind], len(recording), 3, 200)
    faults += [ExchangeFault(kind, 1_000, 200), ExchangeFault("abort", 1_100, 100)]
    print("seed", seed, faults)
    async with played(recording, faults, is_usdm=True, per_tick=5).serving() as exchange:
        one = source(usdm(exchange))
        got = await collected(one, recording)
    got.check(recording)
    assert one.feed is not None
    assert not one.feed.holes
    assert one.feed.counts.filled > 0


async def test_usdm_with_a_key_asks_for_more_than_the_newest() -> None:
    recording = recorded("usdm", 4_000)
    faults = [ExchangeFault("abort", 1_000, 1_500)]
    async with played(recording, faults, is_usdm=True).serving() as exchange:
        one = source(usdm(exchange, "a key"))
        got = await collected(one, recording)
    got.check(recording)
    assert one.feed is not None
    assert one.feed.counts.filled >= 1_500
    assert any("historicalTrades" in asked for asked in exchange.counts.asked)


async def test_usdm_without_a_key_tells_what_history_no_longer_has() -> None:
    recording = made(9_000)
    faults = [ExchangeFault("abort", 1_000, 4_000)]
    got = Collected()
    async with played(recording, faults, is_usdm=True).serving() as exchange:
        one = source(usdm(exchange))
        await got.read(one, lambda it: it.trades[-1].trade_id == "9999", TIMEOUT_MS)
    assert one.feed is not None
    missing = one.feed.missing
    assert missing.trades == len(recording) - len(got.trades) > 1_000
    assert "older than what the exchange still tells" in one.feed.holes[0].reason
    assert f"{missing.trades} trades missing in {missing.holes} holes" in one.status().detail


@pytest.mark.parametrize("seed", [11, 12, 13])
async def test_spot_trades_under_many_faults(seed: int) -> None:
    recording = recorded("spot")
    faults = seeded_faults(seed, FAULT_KINDS, len(recording), 25, 600)
    print("seed", seed, faults)
    async with played(recording, faults).serving() as exchange:
        got = await collected(source(spot(exchange), BOTH), recording)
    got.check(recording)


async def test_markets_are_spread_over_connections() -> None:
    recording = recorded("spot", 2_000)
    faults = [ExchangeFault("abort", 1_000, 200)]
    async with played(recording, faults, starts_at=2).serving() as exchange:
        one = source(Pretending(spot(exchange), streams_max=1), BOTH)
        got = await collected(one, recording)
        assert exchange.counts.connections >= 4
    got.check(recording)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_ids_that_only_rise_lose_nothing_either(seed: int) -> None:
    recording = recorded("spot", 4_000)
    faults = seeded_faults(seed, ["abort", "late", "doubled", "close"], len(recording), 6, 300)
    print("seed", seed, faults)
    async with played(recording, faults).serving() as exchange:
        one = source(Pretending(spot(exchange), id_rule=IdRule.ORDERED), BOTH)
        got = await collected(one, recording)
    got.check(recording)
    assert one.feed is not None
    assert one.feed.counts.filled > 0


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_ids_that_tell_nothing_lose_nothing_either(seed: int) -> None:
    """Two connections, and the newest page compared with what was seen."""
    recording = recorded("usdm", 2_500)
    faults = seeded_faults(seed, ["abort", "doubled", "close"], len(recording), 4, 200)
    print("seed", seed, faults)
    async with played(recording, faults, is_usdm=True, per_tick=5).serving() as exchange:
        venue = Pretending(usdm(exchange), id_rule=IdRule.OPAQUE, connections=2)
        one = source(venue)
        got = await collected(one, recording)
    got.check(recording, is_in_order=False)
    assert one.feed is not None
    assert one.feed.counts.filled > 0
    assert not one.feed.holes


async def test_trades_the_exchange_lost_are_holes_and_told() -> None:
    """History answers past them: they are not asked for again and again."""
    recording = made(3_000)
    hidden = frozenset({1_500, 1_501, 1_502, 2_700})
    left = [one for one in recording if one.trade.order not in hidden]
    async with played(recording, hidden={"BTCUSDT": hidden}).serving() as exchange:
        one = source(spot(exchange))
        got = await collected(one, left)
        assert "4 trades missing in 2 holes" in one.status().detail
    got.check(left)
    assert one.feed is not None
    holes = [(hole.first, hole.last, hole.missing) for hole in one.feed.holes]
    assert holes == [(1_500, 1_502, 3), (2_700, 2_700, 1)]
    assert exchange.counts.requests < 10


async def test_a_market_that_goes_silent_alone_is_noticed() -> None:
    recording = [
        one
        for at in range(400)
        for one in (*made(10, 1_000 + 10 * at), *made(1, 70_000 + at, "ETHUSDT"))
    ]
    faults = [ExchangeFault("stall", 2_000, FOREVER, "ETHUSDT")]
    async with played(recording, faults, per_tick=4).serving() as exchange:
        one = source(spot(exchange), BOTH)
        got = await collected(one, recording)
    got.check(recording)
    assert one.feed is not None
    assert one.feed.counts.stalls >= 1
    assert exchange.counts.connections >= 2


async def test_a_cut_at_the_end_of_a_market_is_made_up_for() -> None:
    """No trade comes after it that could show the gap."""
    recording = made(1_000)
    faults = [ExchangeFault("abort", 600, 399)]
    async with played(recording, faults).serving() as exchange:
        one = source(spot(exchange))
        got = await collected(one, recording)
    got.check(recording)
    assert one.feed is not None
    assert one.feed.counts.stalls == 0


async def test_a_restart_asks_for_what_came_meanwhile() -> None:
    recording = made(6_000)
    got = Collected()
    async with played(recording).serving() as exchange:
        await got.read(source(spot(exchange)), lambda it: len(it.trades) > 500, TIMEOUT_MS)
        seen = len(got.trades)
        await eventually_async(lambda: exchange.played > seen + 2_000, 20_000, "trades")
        one = source(spot(exchange))
        await got.read(one, all_of(recording), TIMEOUT_MS)
    got.check(recording)
    assert one.feed is not None
    assert one.feed.counts.filled >= 2_000


async def test_a_restart_after_the_market_closed_asks_too() -> None:
    recording = made(2_500)
    got = Collected()
    async with played(recording).serving() as exchange:
        await got.read(source(spot(exchange)), lambda it: len(it.trades) > 100, TIMEOUT_MS)
        await eventually_async(lambda: exchange.is_over, 20_000, "the end")
        await got.read(source(spot(exchange)), all_of(recording), TIMEOUT_MS)
    got.check(recording)


async def test_every_position_is_one_to_go_on_from() -> None:
    recording = recorded("spot", 4_000)
    faults = seeded_faults(5, ["abort", "late", "doubled"], len(recording), 8, 200)
    got = Collected()
    rounds = 0
    async with played(recording, faults).serving() as exchange:
        while not got.trades or not all_of(recording)(got):
            rounds += 1
            step = len(got.trades) + 400
            await got.read(
                source(spot(exchange), BOTH),
                lambda it, step=step: len(it.trades) >= step or all_of(recording)(it),  # type: ignore[misc]
                TIMEOUT_MS,
            )
    got.check(recording)
    assert rounds > 3


async def test_more_than_is_asked_for_becomes_a_hole() -> None:
    recording = made(6_000)
    options = replace(QUICK, backfill_trades_max=1_500)
    got = Collected()
    async with played(recording).serving() as exchange:
        await got.read(source(spot(exchange)), lambda it: len(it.trades) > 100, TIMEOUT_MS)
        seen = len(got.trades)
        await eventually_async(lambda: exchange.played > seen + 3_000, 20_000, "trades")
        one = source(spot(exchange), options=options)
        await got.read(one, lambda it: it.trades[-1].trade_id == "6999", TIMEOUT_MS)
    assert one.feed is not None
    missing = one.feed.missing.trades
    assert missing >= 1_400
    assert len(got.trades) == len(recording) - missing
    assert "more than are asked for" in one.feed.holes[0].reason


async def test_holes_are_told_after_a_restart_too() -> None:
    hidden = frozenset({1_100})
    left = [one for one in made(600) if one.trade.order not in hidden]
    async with played(made(600), hidden={"BTCUSDT": hidden}).serving() as exchange:
        got = await collected(source(spot(exchange)), left)
    async with played(made(600, 1_600)).serving() as exchange:
        one = source(spot(exchange))
        await got.read(one, all_of(left + made(600, 1_600)), TIMEOUT_MS)
    assert "1 trades missing in 1 holes" in got.detail


async def test_history_that_never_answers_does_not_hold_the_market_for_ever() -> None:
    recording = made(2_000)
    faults = [ExchangeFault("broken", 300, FOREVER), ExchangeFault("abort", 500, 300)]
    options = replace(QUICK, backfill_ms_max=200)
    got = Collected()
    async with played(recording, faults, per_tick=5).serving() as exchange:
        one = source(spot(exchange), options=options)
        await got.read(one, lambda it: it.trades[-1].trade_id == "2999", TIMEOUT_MS)
    assert one.feed is not None
    assert one.feed.missing.trades == len(recording) - len(got.trades) > 200
    assert "HTTP 503" in one.feed.holes[0].reason


async def test_a_slow_reader_loses_nothing() -> None:
    """Frames that nobody takes end the connection; history has what it would have brought."""
    recording = made(8_000)
    got = Collected()
    options = replace(QUICK, queue_frames_max=200)
    async with played(recording).serving() as exchange:
        one = source(spot(exchange), options=options)
        async with asyncio.timeout(TIMEOUT_MS / 1_000), aclosing(one.open(None)) as batches:  # type: ignore[type-var]
            async for batch in batches:
                got.position = batch.position
                got.trades += [decode(batch.block.message(at)) for at in range(len(batch.block))]
                if all_of(recording)(got):
                    break
                seen = exchange.played
                await eventually_async(
                    lambda seen=seen: exchange.played >= min(seen + 300, len(recording)),  # type: ignore[misc]
                    20_000,
                    "trades that nobody takes",
                )
    got.check(recording)
    assert one.feed is not None
    assert one.feed.counts.overflows >= 2
    assert one.feed.counts.filled > 1_000


async def test_few_may_wait_for_history_and_none_is_lost() -> None:
    recording = made(6_000)
    faults = [ExchangeFault("abort", 1_000, 500), ExchangeFault("late", 1_000, 3_000)]
    options = replace(QUICK, waiting_trades_max=100)
    async with played(recording, faults).serving() as exchange:
        one = source(spot(exchange), options=options)
        got = await collected(one, recording)
    got.check(recording)
    assert one.feed is not None
    assert one.feed.postponed > 0


async def test_planned_replacements_lose_and_double_nothing() -> None:
    recording = made(12_000)
    options = replace(QUICK, lifetime_ms=150)
    async with played(recording, per_tick=20).serving() as exchange:
        one = source(spot(exchange), options=options)
        got = await collected(one, recording)
    got.check(recording)
    assert one.feed is not None
    assert exchange.counts.connections >= 4
    assert one.feed.repeats > 0
    assert not one.feed.holes
    assert one.feed.counts.stalls == 0


async def test_a_connection_that_never_brings_anything_is_replaced() -> None:
    recording = made(100)
    options = replace(QUICK, silence=SilenceBounds(50, 200))
    exchange = played(recording, [ExchangeFault("stall", 0, 50)])
    exchange.running.clear()
    async with exchange.serving():
        one = source(spot(exchange), options=options)
        reading = asyncio.create_task(Collected().read(one, lambda it: False, TIMEOUT_MS))
        await eventually_async(lambda: exchange.counts.connections >= 3, 20_000, "connections")
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_trades_that_are_none_of_the_market_only_count_by_their_id() -> None:
    recording = made(300) + made(20, 1_300, X="INSURANCE_FUND") + made(300, 1_320)
    async with played(recording, is_usdm=True).serving() as exchange:
        one = source(usdm(exchange))
        got = await collected(one, recording)
    got.check(recording)
    assert one.feed is not None
    assert one.feed.counts.gaps == 0


async def test_an_exchange_that_is_away_is_waited_for() -> None:
    recording = made(200)
    waits: list[float] = []
    exchange = played(recording)
    async with exchange.serving():
        venue = spot(exchange)
        port = int(exchange.rest_url.rpartition(":")[2])
    again = played(recording)
    got = Collected()

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            assert one.status().state == "waiting"
            assert "Binance cannot be reached" in one.status().detail
            away.set()
        await asyncio.sleep(0)

    one = ExchangeSource(
        venue, ["BTCUSDT"], SystemClock(), options=QUICK, sleep=pause, jitter=lambda: 1.0
    )
    away = asyncio.Event()
    reading = asyncio.create_task(got.read(one, all_of(recording), TIMEOUT_MS))
    await away.wait()
    async with again.serving(port):
        await reading
    got.check(recording)
    assert waits[:3] == [0.005, 0.01, 0.02]


@pytest.mark.parametrize("symbols", [[], ["BTCUSDT", "btcusdt"]])
async def test_symbols_that_make_no_source(symbols: list[str]) -> None:
    with pytest.raises(Rejected, match="each once"):
        ExchangeSource(spot(played([])), symbols, SystemClock())


async def test_what_cannot_be_opened_is_told() -> None:
    async with played(made(10)).serving() as exchange:
        one = source(spot(exchange), ["NOPE"])
        with pytest.raises(Rejected, match="Invalid symbol"):
            await Collected().read(one, lambda it: True, TIMEOUT_MS)
        assert one.status().state == "failed"
        other = source(spot(exchange))
        got = Collected()
        got.position = '{"BTCUSDT":17}'
        with pytest.raises(Rejected, match="position of binance"):
            await got.read(other, lambda it: True, TIMEOUT_MS)
