"""One connection and the end of it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from swapstats.adapters.sources.exchange.binance.venue import SPOT_FACTS
from swapstats.adapters.sources.exchange.inbox import Inbox, Run
from swapstats.adapters.sources.exchange.link import Link, open_link
from swapstats.adapters.sources.exchange.pace import REST_BYTES_MAX, Pace
from swapstats.adapters.sources.exchange.venue import Opening, VenueFacts
from swapstats.adapters.system_clock import SystemClock
from swapstats.testing.eventually import eventually_async


@asynccontextmanager
async def serving(
    stream: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncGenerator[str, None]:
    app = web.Application()
    app.router.add_get("/", stream)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def linked(
    plan: list[str], inbox: Inbox, facts: VenueFacts = SPOT_FACTS, frames: tuple[str, ...] = ()
) -> AsyncGenerator[tuple[Link, list[str]], None]:
    """A link to a server that sends texts; `binary`, `close` and `abort` do what they say."""
    heard: list[str] = []

    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for step in plan:
            if step == "close":
                await socket.close()
            elif step == "abort":
                assert request.transport is not None
                request.transport.abort()
            elif step == "binary":
                await socket.send_bytes(b"b")
            else:
                await socket.send_str(step)
        async for message in socket:
            heard.append(message.data)  # noqa: PERF401 - while it runs, not after it
        return socket

    async with serving(stream) as url:
        link = Link(7, Opening(url, frames), facts, inbox, SystemClock(), Pace(1))
        await open_link(link, url, 10_000)
        yield link, heard
        await link.close("the test is over")


async def test_frames_come_as_bytes_and_then_the_end() -> None:
    inbox = Inbox(10, 1 << 20)
    async with linked(["one", "binary", "close"], inbox) as (link, _):
        await link.ended.wait()
        assert link.heard.is_set()
        assert "the exchange closed it" in link.reason
    assert inbox.take(10) == [Run(7, [b"one", b"b"], has_ended=True)]


async def test_a_cut_is_an_end() -> None:
    inbox = Inbox(10, 1 << 20)
    async with linked(["abort"], inbox) as (link, _):
        await link.ended.wait()
        assert not link.heard.is_set()
        assert link.reason


async def test_no_room_ends_it_after_what_there_was_room_for() -> None:
    inbox = Inbox(2, 1 << 20)
    async with linked(["a", "b", "c", "d"], inbox) as (link, _):
        await link.ended.wait()
        assert link.overflowed
        assert "dropping the connection, not single trades" in link.reason
    assert inbox.take(10) == [Run(7, [b"a", b"b"], has_ended=True)]


async def test_a_close_keeps_what_was_read() -> None:
    inbox = Inbox(10, 1 << 20)
    async with linked(["a"], inbox) as (link, _):
        await link.heard.wait()
        await link.close("enough")
        assert link.reason == "enough"
    assert inbox.take(10) == [Run(7, [b"a"], has_ended=True)]


async def test_texts_are_sent_first_and_pings_afterwards() -> None:
    facts = replace(SPOT_FACTS, ping="ping", ping_ms=1)
    async with linked([], Inbox(10, 1 << 20), facts, ("subscribe",)) as (_, heard):
        async with asyncio.timeout(20):
            while len(heard) < 3:
                await asyncio.sleep(0)
    assert heard[:3] == ["subscribe", "ping", "ping"]


async def test_what_is_read_during_a_rest_wakes_nobody() -> None:
    more = asyncio.Event()
    noted: list[tuple[int, bool]] = []

    class Noting(Inbox):
        def put(self, connection: int, frames: Sequence[bytes], *, wakes: bool = True) -> bool:
            noted.append((sum(map(len, frames)), wakes))
            more.set()
            return super().put(connection, frames, wakes=wakes)

    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str("a")
        await more.wait()
        await socket.send_str("b" * REST_BYTES_MAX)
        async for _ in socket:
            pass
        return socket

    async with serving(stream) as url:
        inbox = Noting(10, 1 << 20)
        link = Link(7, Opening(url), SPOT_FACTS, inbox, SystemClock(), Pace(3_600_000))
        await open_link(link, url, 10_000)
        await eventually_async(lambda: len(noted) == 2, 20_000, "both texts")
        await link.close("the test is over")
    assert noted == [(1, True), (REST_BYTES_MAX, False)]


async def test_a_refusal_is_told_by_its_status() -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=403, text="not from here")

    link = Link(7, Opening(""), SPOT_FACTS, Inbox(1, 1 << 20), SystemClock(), Pace(1))
    async with serving(refuse) as url:
        with pytest.raises(OSError, match="HTTP 403"):
            await open_link(link, url, 10_000)


async def test_nobody_there() -> None:
    link = Link(7, Opening(""), SPOT_FACTS, Inbox(1, 1 << 20), SystemClock(), Pace(1))
    with pytest.raises(OSError, match=r"refused|failed"):
        await open_link(link, "ws://127.0.0.1:1/", 2_000)
    assert not link.was_opened
