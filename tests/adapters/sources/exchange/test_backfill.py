"""Questions to history; what a whole source does with the answers is in `test_source.py`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
from tests.adapters.sources.exchange.played import QUICK, made, played, spot

from swapstats.adapters.sources.exchange.backfill import Backfill
from swapstats.adapters.sources.exchange.binance.parse import SPOT_MARKETS
from swapstats.adapters.sources.exchange.feed import Feed
from swapstats.adapters.sources.exchange.inbox import Inbox
from swapstats.adapters.sources.exchange.rate_budget import RateBudget
from swapstats.adapters.sources.exchange.rest import Rest
from swapstats.testing.eventually import eventually_async
from swapstats.testing.exchange_replay import ReplayExchange
from swapstats.testing.manual_clock import ManualClock


class Asking:
    """A feed and its backfill, told the time by the test."""

    def __init__(self, exchange: ReplayExchange, http: aiohttp.ClientSession) -> None:
        venue, inbox = spot(exchange), Inbox(10, 1 << 20)
        clock = self.clock = ManualClock()
        self.stalls: list[tuple[str, bool]] = []
        self.feed = Feed(venue, {"BTCUSDT": SPOT_MARKETS["BTCUSDT"]}, None, QUICK, 0)
        rest = Rest(http, RateBudget(6_000, 60_000), clock, 5_000, asyncio.sleep)
        self.backfill = Backfill(
            venue, self.feed, rest, inbox, QUICK, clock, asyncio.sleep, lambda: 0.0,
            lambda market, is_certain: self.stalls.append((market, is_certain)),
        )  # fmt: skip

    def came(self, *orders: int) -> None:
        frames: list[str | bytes] = [
            f'{{"stream":"btcusdt@trade","data":{made(1, order)[0].payload}}}' for order in orders
        ]
        self.feed.read(0, frames, self.clock.monotonic_ms())

    def look(self, after_ms: int) -> bool:
        self.clock.advance(after_ms)
        self.backfill.look(self.clock.monotonic_ms())
        return True


@asynccontextmanager
async def asking(exchange: ReplayExchange) -> AsyncGenerator[Asking, None]:
    """With everything played already, to somebody else."""
    async with exchange.serving(), aiohttp.ClientSession() as http:
        socket = await http.ws_connect(f"{exchange.stream_url}/stream?streams=btcusdt@trade")
        await eventually_async(lambda: exchange.is_over, 20_000, "the end")
        await socket.close()
        one = Asking(exchange, http)
        try:
            yield one
        finally:
            await one.backfill.close()


async def test_a_gap_is_asked_for_after_a_while() -> None:
    async with asking(played(made(3_000))) as one:
        one.came(1_000, 3_500)
        one.look(QUICK.gap_patience_ms - 1)
        await asyncio.sleep(0)
        assert one.feed.ready_count == 1
        one.look(1)
        await eventually_async(lambda: one.feed.ready_count == 2_501, 10_000, "the gap's trades")
        assert one.feed.counts.gaps == 1


async def test_a_market_that_is_silent_is_not_a_stall() -> None:
    async with asking(played(made(10))) as one:
        one.came(1_009)
        assert one.feed.silent(400) == ["BTCUSDT"]
        one.look(400)
        await eventually_async(lambda: not one.feed.silent(400), 10_000, "an answer")
        assert one.stalls == []
        assert one.feed.ready_count == 1


async def test_trades_that_do_not_come_over_an_open_connection_are_a_stall() -> None:
    async with asking(played(made(10))) as one:
        one.came(1_004)
        one.look(400)
        await eventually_async(lambda: one.stalls, 10_000, "a stall")
        assert one.stalls == [("BTCUSDT", True)]
        assert one.feed.ready_count == 6


async def test_what_came_before_a_connection_is_no_stall() -> None:
    async with asking(played(made(2_500))) as one:
        one.came(1_000)
        one.feed.connected(["BTCUSDT"], 0)
        await eventually_async(
            lambda: one.look(50) and one.feed.ready_count == 2_500, 10_000, "all pages"
        )
        assert one.stalls == []


async def test_without_an_answer_nobody_can_say() -> None:
    exchange = played(made(10))
    async with asking(exchange) as one:
        one.came(1_004)
        exchange.has_history = False
        one.look(400)
        await eventually_async(lambda: one.stalls, 10_000, "a doubt")
        assert one.stalls == [("BTCUSDT", False)]
