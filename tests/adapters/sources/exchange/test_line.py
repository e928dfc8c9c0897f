"""Markets kept connected; what a whole source does with it is in `test_source.py`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count

from tests.adapters.sources.exchange.played import QUICK, made, played, spot

from swapstats.adapters.sources.exchange.binance.parse import SPOT_MARKETS
from swapstats.adapters.sources.exchange.feed import Feed
from swapstats.adapters.sources.exchange.inbox import Inbox
from swapstats.adapters.sources.exchange.line import Line
from swapstats.adapters.sources.exchange.options import Options
from swapstats.adapters.sources.exchange.pace import Pace
from swapstats.adapters.system_clock import SystemClock
from swapstats.testing.eventually import eventually_async
from swapstats.testing.exchange_replay import ReplayExchange


@asynccontextmanager
async def running(
    exchange: ReplayExchange, inbox: Inbox, options: Options = QUICK
) -> AsyncGenerator[tuple[Line, Feed], None]:
    venue, clock = spot(exchange), SystemClock()
    markets = {"BTCUSDT": SPOT_MARKETS["BTCUSDT"]}
    feed = Feed(venue, markets, None, options, clock.monotonic_ms())
    line = Line(
        venue, ["BTCUSDT"], feed, inbox, Pace(1), count(), options, clock, asyncio.sleep,
        lambda: 0.0,
    )  # fmt: skip
    run = asyncio.create_task(line.run())
    try:
        yield line, feed
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)


async def test_a_line_that_is_dropped_connects_again() -> None:
    async with played(made(10)).serving() as exchange:
        async with running(exchange, Inbox(100, 1 << 20)) as (line, feed):
            await eventually_async(lambda: line.is_live, 10_000, "a connection")
            line.drop("the test wants another")
            await eventually_async(lambda: feed.counts.connections == 2, 10_000, "another")
            await eventually_async(lambda: line.is_live, 10_000, "a connection")
            assert line.silent_ms(SystemClock().monotonic_ms()) >= 0
        assert "the test wants another" in line.detail


async def test_a_line_waits_for_room_before_it_connects_again() -> None:
    inbox = Inbox(10, 1 << 20)
    async with (
        played(made(500)).serving() as exchange,
        running(exchange, inbox) as (line, feed),
    ):
        await eventually_async(lambda: feed.counts.overflows == 1, 10_000, "no room")
        await eventually_async(lambda: exchange.is_over, 10_000, "the end")
        assert feed.counts.connections == 1
        inbox.take(1_000)
        await eventually_async(lambda: feed.counts.connections == 2, 10_000, "another")
        assert line.markets == ["BTCUSDT"]


async def test_nothing_to_drop() -> None:
    exchange = played([])
    async with exchange.serving():
        pass
    async with running(exchange, Inbox(10, 1 << 20)) as (line, _):
        line.drop("nothing")
        await eventually_async(
            lambda: "cannot be reached" in line.detail, 10_000, "an exchange that is away"
        )
        assert line.silent_ms(1 << 40) == 0
        assert not line.is_live
