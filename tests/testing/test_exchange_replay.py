"""The played exchange itself: who gets what, under each fault."""

import asyncio
from collections.abc import Sequence

import aiohttp
import msgspec
import pytest
from tests.adapters.sources.exchange.played import made, played

from swapstats.testing.eventually import eventually_async
from swapstats.testing.exchange_faults import ExchangeFault
from swapstats.testing.exchange_replay import ReplayExchange

FOREVER = 1 << 40


class Listening:
    """A client that keeps every id it is sent."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.ended = False

    async def run(self, http: aiohttp.ClientSession, exchange: ReplayExchange) -> None:
        url = f"{exchange.stream_url}/stream?streams=btcusdt@trade"
        async with http.ws_connect(url) as socket:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self.ids.append(msgspec.json.decode(message.data)["data"]["t"])
        self.ended = True


async def listened(
    faults: Sequence[ExchangeFault], *, hidden: frozenset[int] = frozenset()
) -> tuple[Listening, list[int]]:
    """Play 500 trades to one client; what it got, and what history has at the end."""
    exchange = played(made(500), faults, hidden={"BTCUSDT": hidden})
    one = Listening()
    async with exchange.serving(), aiohttp.ClientSession() as http:
        task = asyncio.create_task(one.run(http, exchange))
        await eventually_async(
            lambda: exchange.is_over and (one.ended or 1_499 in one.ids or bool(faults)),
            20_000,
            "the end",
        )
        await eventually_async(lambda: not exchange._until, 20_000, "the end of all faults")
        history = await ids_of(http, exchange)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return one, history


async def ids_of(http: aiohttp.ClientSession, exchange: ReplayExchange) -> list[int]:
    url = f"{exchange.rest_url}/api/v3/historicalTrades?symbol=BTCUSDT&fromId=0&limit=1000"
    async with http.get(url) as answer:
        return [row["id"] for row in await answer.json()]


ALL = list(range(1_000, 1_500))


async def test_without_faults_a_client_gets_everything() -> None:
    one, history = await listened([])
    assert one.ids == history == ALL


async def test_trades_the_exchange_lost_are_nowhere() -> None:
    one, history = await listened([], hidden=frozenset({1_200}))
    assert one.ids == history == [order for order in ALL if order != 1_200]


@pytest.mark.parametrize("kind", ["abort", "close"])
async def test_a_cut_client_gets_no_more(kind: str) -> None:
    one, history = await listened([ExchangeFault(kind, 200, 100)])  # type: ignore[arg-type]
    assert one.ended
    assert one.ids == ALL[: len(one.ids)]
    assert len(one.ids) <= 200
    assert history == ALL


async def test_a_stall_brings_nothing_for_its_span() -> None:
    one, history = await listened([ExchangeFault("stall", 200, 100)])
    assert history == ALL
    assert one.ids[:200] == ALL[:200]
    assert not set(one.ids) & set(ALL[200:300])


async def test_doubled_frames_come_twice() -> None:
    one, _ = await listened([ExchangeFault("doubled", 200, 100)])
    assert [one.ids.count(order) for order in ALL[190:210]] == [1] * 10 + [2] * 10


async def test_a_market_can_stall_alone() -> None:
    one, _ = await listened([ExchangeFault("stall", 0, FOREVER, "ETHUSDT")])
    assert one.ids[:400] == ALL[:400]


@pytest.mark.parametrize(("kind", "status"), [("refuse", 429), ("broken", 503), ("late", 200)])
async def test_history_fails_as_planned(kind: str, status: int) -> None:
    exchange = played(made(500), [ExchangeFault(kind, 100, 300)])  # type: ignore[arg-type]
    async with exchange.serving(), aiohttp.ClientSession() as http:
        task = asyncio.create_task(Listening().run(http, exchange))
        await eventually_async(lambda: exchange.played >= 200, 20_000, "the fault")
        exchange.running.clear()
        assert exchange.played < 400
        url = f"{exchange.rest_url}/api/v3/historicalTrades?symbol=BTCUSDT&fromId=0&limit=1000"
        async with http.get(url) as answer:
            assert answer.status == status
            if status == 429:
                assert answer.headers["Retry-After"] == "1"
            if status == 200:
                assert len(await answer.json()) == max(exchange.played - 300, 0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_playback_follows_the_recorded_pace() -> None:
    recording = made(3)
    later = [msgspec.structs.replace(one.trade) for one in recording]
    assert [trade.order for trade in later] == [1_000, 1_001, 1_002]
    exchange = ReplayExchange(played([])._dialect, recording, speed=1_000.0)
    async with exchange.serving(), aiohttp.ClientSession() as http:
        task = asyncio.create_task(Listening().run(http, exchange))
        await eventually_async(lambda: exchange.is_over, 20_000, "the end")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
