"""The source against a local exchange: recorded frames, disconnects, stalls, floods, refusals."""

import asyncio
import gzip
import json
import os
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import WSCloseCode, web

from swapstats.adapters.sources.binance.connect import BinanceSource, reachable
from swapstats.adapters.sources.binance.endpoints import Endpoints
from swapstats.adapters.sources.binance.session import Limits
from swapstats.adapters.system_clock import SystemClock
from swapstats.errors import Rejected
from swapstats.testing.eventually import eventually_async

DATA = Path(os.environ.get("SWAPSTATS_DATA", Path(__file__).parents[5] / "shared/data"))
QUICK = Limits(stall_ms=5_000, backoff_ms_min=1, backoff_ms_max=20)
TICK_S = 0.002


def frame(trade_id: int) -> str:
    data = {
        "e": "trade",
        "s": "BTCUSDT",
        "t": trade_id,
        "p": "2",
        "q": "3",
        "T": 1_723_161_255_342,
        "m": True,
    }
    return json.dumps({"stream": "btcusdt@trade", "data": data})


FRAMES = [frame(1_000 + number) for number in range(2_000)]
INFO = {"symbols": [{"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT"}]}


class Exchange:
    """Plays frames; each connection gets the next step of the plan.

    A step is (frames to send, how it ends): `abort` cuts the wire, `close` says goodbye, `stay`
    sends nothing more. Frames are sent once, to whoever is connected: what happens while nobody
    is, is gone. `skip` lets frames pass unseen before the connection.
    """

    def __init__(self, frames: list[str], plan: list[tuple[int, str]], skip: int = 0) -> None:
        self.frames = frames
        self.plan = plan
        self.skip = skip
        self.at = 0
        self.connections = 0
        self.ended = 0
        self.queries: list[str] = []
        self.info: Callable[[], web.Response] = lambda: web.json_response(INFO)
        self.live: list[web.WebSocketResponse] = []
        self.is_live = False

    async def stream(self, request: web.Request) -> web.StreamResponse:
        self.queries.append(request.query_string)
        response = web.WebSocketResponse()
        await response.prepare(request)
        self.connections += 1
        if self.connections > 1:
            self.at += self.skip
        if self.is_live:
            self.live.append(response)
        count, end = self.plan.pop(0) if self.plan else (0, "stay")
        sending, self.at = self.frames[self.at : self.at + count], self.at + count
        try:
            for text in sending:
                await response.send_str(text)
            if end == "close":
                await response.close(code=WSCloseCode.GOING_AWAY)
            elif end == "abort":
                assert request.transport is not None
                request.transport.abort()
            elif end == "binary":
                await response.send_bytes(b"x")
            async for _ in response:
                pass
        except ConnectionError:
            pass  # the client went away
        finally:
            self.ended += 1
        return response

    async def broadcast(self, stop: asyncio.Event) -> None:
        """Send a trade to all who listen, every TICK_S, as long as there are any."""
        for text in self.frames:
            for listener in list(self.live):
                try:
                    await listener.send_str(text)
                except ConnectionError:
                    self.live.remove(listener)
            try:
                async with asyncio.timeout(TICK_S):
                    await stop.wait()
            except TimeoutError:
                continue
            return

    async def exchange_info(self, request: web.Request) -> web.Response:
        self.queries.append(request.query_string)
        return self.info()


@asynccontextmanager
async def serving(exchange: Exchange) -> AsyncGenerator[Endpoints, None]:
    app = web.Application()
    app.router.add_get("/stream", exchange.stream)
    app.router.add_get("/api/v3/exchangeInfo", exchange.exchange_info)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield Endpoints(f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{port}")
    finally:
        await runner.cleanup()


def binance(
    endpoints: Endpoints, limits: Limits = QUICK, queue_frames_max: int = 100_000
) -> BinanceSource:
    return BinanceSource(
        ["btcusdt"], SystemClock(), endpoints=endpoints, limits=limits,
        queue_frames_max=queue_frames_max,
    )  # fmt: skip


async def read(
    source: BinanceSource, last_id: int, position: str | None = None
) -> tuple[list[bytes], str]:
    """Read until a trade id came."""
    found: list[bytes] = []
    async with asyncio.timeout(60), aclosing(source.open(position)) as batches:  # type: ignore[type-var]
        async for batch in batches:
            found += [batch.block.message(index) for index in range(len(batch.block))]
            position = batch.position
            if trade_ids(found[-1:])[0] >= last_id:
                break
    assert position is not None
    return found, position


def trade_ids(messages: list[bytes]) -> list[int]:
    return [int(json.loads(message)["event_id"].rpartition(":")[2]) for message in messages]


def recorded() -> tuple[list[str], list[bytes]]:
    frames = DATA / "exchange/hft_binance_spot_btcusdt_20240808.gz"
    swaps = DATA / "wire/binance-spot-btc-2024-08-08.ndjson.gz"
    if not frames.exists() or not swaps.exists():
        pytest.skip(f"no real data at {DATA}: set SWAPSTATS_DATA to the folder that holds wire/")
    lines = gzip.decompress(frames.read_bytes()).decode().splitlines()
    return (
        [line.partition(" ")[2] for line in lines if '"stream"' in line],
        gzip.decompress(swaps.read_bytes()).splitlines(),
    )


async def test_recorded_trades_come_once_each_in_order() -> None:
    frames, swaps = recorded()
    exchange = Exchange(frames, [(len(frames), "stay")])
    async with serving(exchange) as endpoints:
        source = binance(endpoints)
        found, position = await read(source, trade_ids(swaps[-1:])[0])
    assert found == swaps
    assert json.loads(position) == {"BTCUSDT": trade_ids(swaps[-1:])[0]}
    assert source.status().detail == "Live trades of BTCUSDT"
    assert exchange.queries == ['symbols=["BTCUSDT"]', "streams=btcusdt@trade"]


async def test_recorded_trades_over_disconnects() -> None:
    frames, swaps = recorded()
    trades = [text for text in frames if '@trade"' in text[:40]]
    plan = [(1_000, "close"), (2_500, "close"), (0, "close"), (3, "close"), (len(trades), "stay")]
    exchange = Exchange(trades, plan)
    async with serving(exchange) as endpoints:
        source = binance(endpoints)
        found, _ = await read(source, trade_ids(swaps[-1:])[0])
    assert found == swaps
    assert exchange.connections == 5
    assert source.status().detail.endswith("connected 5 times")


async def test_a_cut_wire_is_a_gap_that_is_told() -> None:
    exchange = Exchange(FRAMES, [(300, "abort"), (300, "abort"), (2_000, "stay")], skip=7)
    async with serving(exchange) as endpoints:
        source = binance(endpoints)
        found, _ = await read(source, 2_999)
    ids = trade_ids(found)
    assert ids == sorted(set(ids))
    counts = source._session and source._session.counts
    assert counts
    assert counts.connections == 3
    assert 1 <= counts.gaps <= 2
    missing = ids[-1] - ids[0] + 1 - len(ids)
    assert counts.missing == missing >= 14
    assert f"{missing} trades missing in {counts.gaps} gaps" in source.status().detail


async def test_a_resume_tells_what_happened_meanwhile() -> None:
    exchange = Exchange(FRAMES, [(100, "stay"), (100, "stay")], skip=25)
    async with serving(exchange) as endpoints:
        _, position = await read(binance(endpoints), 1_099)
        source = binance(endpoints)
        found, _ = await read(source, 1_224, position)
    assert trade_ids(found) == list(range(1_125, 1_225))
    assert "25 trades missing in 1 gaps" in source.status().detail


async def test_a_silent_connection_is_replaced() -> None:
    exchange = Exchange(FRAMES, [(10, "stay"), (10, "stay")])
    async with serving(exchange) as endpoints:
        source = binance(endpoints, Limits(stall_ms=100, backoff_ms_min=1))
        found, _ = await read(source, 1_019)
    assert trade_ids(found) == list(range(1_000, 1_020))
    assert source._session is not None
    assert source._session.counts.stalls == 1


async def test_a_planned_end_misses_nothing() -> None:
    exchange = Exchange([frame(1_000 + number) for number in range(100_000)], [])
    exchange.is_live = True
    stop = asyncio.Event()
    async with serving(exchange) as endpoints:
        source = binance(endpoints, Limits(lifetime_ms=200, backoff_ms_min=1))
        sending = asyncio.create_task(exchange.broadcast(stop))
        found: list[int] = []
        async with asyncio.timeout(60), aclosing(source.open(None)) as batches:  # type: ignore[type-var]
            async for batch in batches:
                messages = [batch.block.message(index) for index in range(len(batch.block))]
                found += trade_ids(messages)
                if exchange.connections >= 4:
                    break
        stop.set()
        await sending
    assert set(found) == set(range(found[0], max(found) + 1))
    assert source._session is not None
    assert source._session.counts.gaps == 0
    assert source._session.counts.stalls == 0


async def test_a_full_queue_drops_the_connection_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    exchange = Exchange(FRAMES, [(500, "stay"), (50, "stay")])
    async with serving(exchange) as endpoints:
        source = binance(endpoints, queue_frames_max=100)
        found: list[int] = []
        async with asyncio.timeout(60), aclosing(source.open(None)) as batches:  # type: ignore[type-var]
            async for batch in batches:
                messages = [batch.block.message(index) for index in range(len(batch.block))]
                found += trade_ids(messages)
                # Busy elsewhere until the source has given up on its own.
                await eventually_async(lambda: exchange.ended >= 1, 60_000, "a dropped connection")
                if found[-1] == 1_549:
                    break
    kept = len(found) - 50
    assert 100 <= kept < 500
    assert found == [*range(1_000, 1_000 + kept), *range(1_500, 1_550)]
    session = source._session
    assert session is not None
    assert (session.counts.overflows, session.counts.missing) == (1, 500 - kept)
    assert "100 frames wait to be taken" in caplog.text
    assert f"{500 - kept} are missing" in caplog.text


async def test_frames_that_cannot_be_read_are_counted_not_fatal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    frames = [FRAMES[0], "no json", '{"stream":"btcusdt@trade","data":{}}', FRAMES[1]]
    async with serving(Exchange(frames, [(4, "stay")])) as endpoints:
        source = binance(endpoints)
        found, _ = await read(source, 1_001)
    assert trade_ids(found) == [1_000, 1_001]
    assert "2 frames could not be read" in source.status().detail
    assert "Expected a trade frame, was 'no json'" in caplog.text


async def test_a_binary_frame_ends_the_connection_not_the_source() -> None:
    exchange = Exchange(FRAMES, [(10, "binary"), (10, "stay")])
    async with serving(exchange) as endpoints:
        source = binance(endpoints)
        found, _ = await read(source, 1_019)
    assert trade_ids(found) == list(range(1_000, 1_020))
    assert exchange.connections == 2


@pytest.mark.parametrize("answer", ["error", "html"])
async def test_without_a_list_of_markets_the_built_in_one_must_do(answer: str) -> None:
    exchange = Exchange(FRAMES, [(10, "stay")])
    exchange.info = lambda: web.Response(status=503 if answer == "error" else 429)
    async with serving(exchange) as endpoints:
        found, _ = await read(binance(endpoints), 1_009)
        unknown = BinanceSource(["NEWUSDT"], SystemClock(), endpoints=endpoints)
        with pytest.raises(Rejected, match="'NEWUSDT'"):
            await read(unknown, 0)
    assert json.loads(found[0])["token_address"] == "BTC"
    assert unknown.status().state == "failed"


async def test_symbols_binance_refuses() -> None:
    exchange = Exchange([], [])
    exchange.info = lambda: web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
    async with serving(exchange) as endpoints:
        with pytest.raises(Rejected, match=r"Binance says: Invalid symbol\."):
            await read(binance(endpoints), 0)
        exchange.info = lambda: web.json_response({"symbols": []})
        with pytest.raises(Rejected, match="'BTCUSDT'"):
            await read(binance(endpoints), 0)


async def test_an_exchange_that_comes_back() -> None:
    """Refused at first, with growing waits, then there."""
    port = free_port()
    endpoints = Endpoints(f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{port}")
    waits: list[float] = []
    exchange = Exchange(FRAMES, [(10, "stay")])
    runner = web.AppRunner(web.Application(), shutdown_timeout=0.1)
    runner.app.router.add_get("/stream", exchange.stream)
    await runner.setup()

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        assert source.status().state == "waiting"
        if len(waits) == 4:
            await web.TCPSite(runner, "127.0.0.1", port).start()

    source = BinanceSource(
        ["BTCUSDT"], SystemClock(), endpoints=endpoints, sleep=pause, jitter=lambda: 1.0
    )
    try:
        found, _ = await read(source, 1_009)
    finally:
        await runner.cleanup()
    assert trade_ids(found) == list(range(1_000, 1_010))
    assert waits == [0.25, 0.5, 1.0, 2.0]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_reachable() -> None:
    async with serving(Exchange([], [])) as endpoints:
        assert await reachable(3_000, endpoints) == (True, "Binance can be reached")


async def test_not_reachable_and_why() -> None:
    address = f"ws://127.0.0.1:{free_port()}"
    answer, why = await reachable(3_000, Endpoints(address))
    assert not answer
    assert "Binance cannot be reached (Cannot connect" in why
    async with serving(Exchange([], [])) as endpoints:
        answer, why = await reachable(3_000, Endpoints(endpoints.stream_url + "/nowhere"))
        assert (answer, why) == (False, "Binance cannot be reached (HTTP 404)")


async def test_an_exchange_that_never_answers_costs_the_time_limit_only() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        clock = SystemClock()
        start_ms = clock.monotonic_ms()
        answer, why = await reachable(200, Endpoints(f"ws://127.0.0.1:{silent.getsockname()[1]}"))
        assert (answer, why) == (False, "Binance did not answer within 0.2 s")
        assert 150 <= clock.monotonic_ms() - start_ms < 3_000


@pytest.mark.parametrize("symbols", [[], ["BTCUSDT", "btcusdt"], [f"A{n}" for n in range(2_000)]])
def test_symbols_that_cannot_be_asked_for(symbols: list[str]) -> None:
    with pytest.raises(Rejected, match="symbols, each once"):
        BinanceSource(symbols, SystemClock())
