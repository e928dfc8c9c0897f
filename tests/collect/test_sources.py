"""Chains and exchanges on local servers, over kills, reorgs and closed loops."""

import asyncio
import sys
from contextlib import aclosing
from pathlib import Path
from random import Random

import psutil
import pytest
from tests.adapters.sources.evm.collected import MemoryLog, check
from tests.adapters.sources.evm.fake_chain import CHAIN_ID, FakeChain, FakeNode
from tests.adapters.sources.evm.http_node import HttpNode, serving
from tests.adapters.sources.exchange.played import made, played

from swapstats.adapters.sources.exchange.source import ExchangeSource
from swapstats.collect.events import Events
from swapstats.collect.sources import evm, exchange
from swapstats.errors import Rejected, UsageError
from swapstats.model.raw_event import ExchangeTrade, PoolSwap
from swapstats.testing.eventually import eventually_async
from swapstats.testing.exchange_replay import ReplayExchange

PROCESS = Path(__file__).with_name("collector_process.py")
TIMEOUT_MS = 60_000
KILLS = 3


def sockets() -> int:
    """Connections of this process that are open."""
    return len(psutil.Process().net_connections("tcp"))


def of_chain(node: HttpNode, state: Path, **given: object) -> Events[PoolSwap]:
    values: dict[str, object] = {"start": 0, "poll_interval_ms": 1, "state": state}
    values |= {"factories": "any"} | given
    return evm(node.provider.url, CHAIN_ID, **values)  # type: ignore[arg-type]


async def take(events: Events[PoolSwap], log: MemoryLog, count: int) -> None:
    """Take so many swaps and stop, wherever that is."""
    async with asyncio.timeout(TIMEOUT_MS / 1_000), aclosing(events):
        for _ in range(count):
            log.messages.append(await anext(events))


async def take_all(events: Events[PoolSwap], log: MemoryLog, chain: FakeChain) -> None:
    """Take swaps until what counts is what the chain holds."""

    async def follow() -> None:
        async for swap in events:
            log.messages.append(swap)

    def is_complete() -> bool:
        if following.done():
            following.result()
        try:
            check(log, chain)
        except AssertionError:
            return False
        return True

    following = asyncio.create_task(follow())
    await eventually_async(is_complete, TIMEOUT_MS, "all swaps of the chain")
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_chain_goes_on_over_stops_and_reorgs(tmp_path: Path, seed: int) -> None:
    print("seed", seed)
    random, chain, log = Random(seed), FakeChain(seed, 60), MemoryLog()
    chain.finalise(20)
    async with serving(HttpNode(FakeNode(chain))) as node:
        await take_all(of_chain(node, tmp_path / "state.db"), log, chain)
        for _ in range(6):
            depth = random.randrange(1, 8)
            chain.fork(depth, depth + random.randrange(1, 4))
            chain.extend(swaps=3)
            await take(of_chain(node, tmp_path / "state.db"), log, random.randrange(1, 4))
        await take_all(of_chain(node, tmp_path / "state.db"), log, chain)
    check(log, chain)
    assert any(swap.removed for swap in log.messages)


async def test_a_chain_may_have_several_nodes_and_a_name(tmp_path: Path) -> None:
    chain = FakeChain(7, 30)
    chain.finalise(10)
    async with serving(HttpNode(FakeNode(chain))) as node:
        urls = ["http://127.0.0.1:1/key", node.provider.url]
        events = evm(
            urls, CHAIN_ID, start=0, factories="any", state=tmp_path / "state.db", name="mine"
        )
        assert events.name == "evm:mine"
        async with events:
            first = await anext(events)
            assert isinstance(first, PoolSwap)
            assert "key" not in events.status().detail
        pool = [first.pool.upper().replace("0X", "0x")]
        async with evm(node.provider.url, CHAIN_ID, start=0, pools=pool) as events:
            assert (await anext(events)).pool == first.pool


def test_what_cannot_be_is_told_at_once() -> None:
    with pytest.raises(Rejected, match="at least one provider"):
        evm([], 1)
    with pytest.raises(Rejected, match="lower-case hex"):
        evm("http://127.0.0.1:1", 1, pools=["0x12"])
    with pytest.raises(UsageError, match="Expected a venue of"):
        exchange("nope", ["BTCUSDT"])
    with pytest.raises(Rejected, match="each once"):
        exchange("binance", ["BTCUSDT", "btcusdt"])


def of_exchange(played_one: ReplayExchange, state: Path | None = None) -> Events[ExchangeTrade]:
    return exchange(
        "binance", ["BTCUSDT"], state=state,
        stream_url=played_one.stream_url, rest_url=played_one.rest_url,
    )  # fmt: skip


def test_all_sources_of_a_venue_share_what_may_be_asked() -> None:
    one, other = exchange("binance", "BTCUSDT"), exchange("binance", "ETHUSDT", name="ether")
    assert (one.name, other.name) == ("binance", "ether")
    sources = [events._source for events in (one, other)]
    assert all(isinstance(source, ExchangeSource) for source in sources)
    assert len({source._budget for source in sources if isinstance(source, ExchangeSource)}) == 1


async def test_a_closed_exchange_leaves_no_connection() -> None:
    before = sockets()
    async with played(made(2_000), per_tick=1).serving() as served:
        async with of_exchange(served) as trades:
            assert (await anext(trades)).market == "BTCUSDT"
            assert trades.status().state == "live"
            assert served.counts.connections == 1
        await eventually_async(lambda: not served._clients, TIMEOUT_MS, "nobody to be connected")
    await eventually_async(lambda: sockets() == before, TIMEOUT_MS, "no socket to be open")


async def test_a_cancelled_exchange_leaves_no_connection() -> None:
    got = []

    async def collect_trades(served: ReplayExchange) -> None:
        async for trade in of_exchange(served):
            got.append(trade)  # noqa: PERF401 - one by one, to be seen

    async with played(made(200), per_tick=1).serving() as served:
        running = asyncio.all_tasks()
        task = asyncio.create_task(collect_trades(served))
        await eventually_async(lambda: len(got) == 200, TIMEOUT_MS, "all trades")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually_async(
            lambda: not served._clients and asyncio.all_tasks() <= running,
            TIMEOUT_MS, "nobody to be connected",
        )  # fmt: skip


async def test_an_exchange_misses_nothing_over_kills(tmp_path: Path) -> None:
    recording = made(6_000)
    ids = [int(one.trade.trade_id) for one in recording]
    done = 0

    def take_line(line: bytes) -> None:
        nonlocal done
        at = ids.index(int(line))
        assert at <= done, "a trade was missed"
        done = max(done, at + 1)

    async with played(recording, per_tick=2).serving() as served:
        for life in range(KILLS + 1):
            arguments = (served.stream_url, served.rest_url, str(tmp_path / "state.db"))
            process = await asyncio.create_subprocess_exec(
                sys.executable, str(PROCESS), *arguments, stdout=asyncio.subprocess.PIPE
            )
            assert process.stdout is not None
            until = done + 300 if life < KILLS else len(ids)
            try:
                async with asyncio.timeout(TIMEOUT_MS / 1_000):
                    while done < until:
                        take_line(await process.stdout.readline())
            finally:
                process.kill()
                await process.wait()
            async for line in process.stdout:
                take_line(line)
    assert done == len(ids)
