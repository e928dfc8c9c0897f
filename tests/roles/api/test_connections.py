"""The door: too many sockets, silent sockets, and readers that never drain an answer."""

import asyncio
from typing import cast

from aiohttp import web
from structlog.testing import capture_logs

from swapstats.roles.api.options import ApiOptions
from swapstats.testing.eventually import eventually_async

from .running import WAIT_MS, WAIT_S, Running, exactly


async def test_connections_beyond_the_bound_get_503_and_leave_room_when_gone() -> None:
    async with Running(ApiOptions(connections_max=2)) as running:
        held = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(2)]
        gate = running.server._gate
        assert gate is not None
        await eventually_async(lambda: len(gate._open) == 2, WAIT_MS, "both to be let in")
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        async with asyncio.timeout(WAIT_S):
            answer = await reader.read()
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503")
        assert b"Retry-After: 1" in head
        assert exactly(body.decode())["type"] == "urn:swapstats:problem:busy"
        for _, other in held:
            other.close()
        await eventually_async(lambda: not gate._open, WAIT_MS, "all to be forgotten")
        assert (await running.get("/healthz"))[0] == 200


async def test_a_socket_that_never_sends_a_whole_request_is_closed() -> None:
    async with Running(ApiOptions(idle_ms=300)) as running:
        silent = await asyncio.open_connection("127.0.0.1", running.port)
        begun = await asyncio.open_connection("127.0.0.1", running.port)
        begun[1].write(b"GET /healthz HTTP/1.1\r\nHost:")
        for reader, writer in (silent, begun):
            async with asyncio.timeout(WAIT_S):
                assert await reader.read() == b""
            writer.close()


async def test_a_reader_that_never_drains_an_answer_is_dropped() -> None:
    options = ApiOptions(slow_client_ms=300, close_ms=200)
    async with Running(options) as running:
        gate = running.server._gate
        assert gate is not None
        _, writer = await asyncio.open_connection("127.0.0.1", running.port, limit=1_000)
        writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 2_000)
        await eventually_async(
            lambda: any(one.get_write_buffer_size() for one in gate._open.values()),
            WAIT_MS, "the answers to pile up",
        )  # fmt: skip
        await eventually_async(lambda: not gate._open, WAIT_MS, "the deaf to be dropped")
        assert gate._unsent == {}
        writer.close()
        assert (await running.get("/healthz"))[0] == 200


async def test_one_that_drains_slowly_is_kept() -> None:
    class Transport:
        """A transport whose unsent bytes are set by the test."""

        def __init__(self) -> None:
            self.unsent = 0
            self.aborted = False

        def get_write_buffer_size(self) -> int:
            return self.unsent

        def abort(self) -> None:
            self.aborted = True

    async with Running(ApiOptions(slow_client_ms=5_000, close_ms=1_000)) as running:
        gate = running.server._gate
        assert gate is not None
        slow, stuck, idle = Transport(), Transport(), Transport()
        for name, transport in (("slow", slow), ("stuck", stuck), ("idle", idle)):
            gate._open[name] = transport  # type: ignore[index,assignment]
        stuck.unsent = 10
        for second in range(20):
            slow.unsent = 1_000 - second
            gate.look_after(float(second))
            assert stuck.aborted == (second >= 7)
        assert not slow.aborted
        assert not idle.aborted
        gate._open.clear()


async def test_faults_are_logged_and_vanished_clients_are_not() -> None:
    async with Running() as running:
        gate = running.server._gate
        assert gate is not None
        connection = gate()
        request = cast("web.BaseRequest", None)
        for status, error, lines in (
            (500, ConnectionResetError("gone"), 0),
            (400, ValueError("not HTTP"), 0),
            (500, ValueError("the inside of the house"), 1),
        ):
            with capture_logs() as logs:
                answer = connection.handle_error(request, status, error)
            assert (len(logs), answer.status) == (lines, status)
            assert isinstance(answer, web.Response)
            assert b"house" not in cast("bytes", answer.body)
