"""The server as a whole: paths, methods, the gate, faults, page, stop."""

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest
from aiohttp import WSMsgType

from swapstats.errors import InvariantBroken
from swapstats.model.effects import StatsUpdate
from swapstats.model.health import Readiness
from swapstats.model.window import WindowSpec
from swapstats.roles.api.options import ApiOptions
from swapstats.roles.api.page_files import POLICY
from swapstats.roles.api.routes import route_table
from swapstats.testing.eventually import eventually_async
from swapstats.testing.synthetic_updates import SyntheticUpdates

from .running import SPEC, WAIT_MS, WAIT_S, Running, exactly


async def raw(port: int, text: bytes) -> bytes:
    """Send bytes, read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    async with asyncio.timeout(WAIT_S):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    "path",
    ["/nope", "/api", "/api/", "/api/tokens/", "/api/tokens/x", "/api/tokens//stats",
     "/api/tokens/a/b/stats", "/api/tokens/x/stats/", "/../etc/passwd", "/page/app.js",
     "/index.html", "/server.py", "/%2e%2e/server.py", "/Docs"],
)  # fmt: skip
async def test_unknown_paths_are_404_problems(path: str) -> None:
    async with Running() as running:
        answer = await raw(
            running.port, f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
        )
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 404")
        assert b"Content-Type: application/problem+json" in head
        assert exactly(body.decode())["type"] == "urn:swapstats:problem:unknown-path"


async def test_other_methods_are_405_and_head_has_no_body() -> None:
    async with Running() as running:
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            for path in ("/healthz", "/", "/ws"):
                status, headers, problem = await running.get(path, method=method)
                assert (status, headers["Allow"]) == (405, "GET, HEAD")
                assert problem["type"] == "urn:swapstats:problem:method-not-allowed"
        status, headers, body = await running.get("/openapi.json", method="HEAD")
        assert (status, body) == (200, "")
        assert int(headers["Content-Length"]) > 1_000


async def test_every_route_of_the_table_is_answered() -> None:
    async with Running() as running:
        await running.feed_all(list(SyntheticUpdates(SPEC, partitions=2).everything()))
        for route in route_table(ApiOptions(), SPEC):
            status, _, _ = await running.get(route.path.replace("{id}", "T7"))
            assert status == (426 if route.operation == "stream" else 200), route.path


async def test_until_ready_the_api_is_503_with_progress_and_the_page_loads() -> None:
    async with Running() as running:
        running.readiness = Readiness(ready=False, progress=0.125, retry_after_ms=4_100)
        for route in route_table(ApiOptions(), SPEC):
            status, headers, body = await running.get(route.path.replace("{id}", "T7"))
            if route.path.startswith("/api/") or route.path == "/readyz":
                assert (status, headers["Retry-After"]) == (503, "5")
                assert (body["progress"], body["status"]) == ("0.125", "503")
            else:
                assert status in (200, 426)
        assert (await running.get("/"))[0] == 200
        # An unknown path is 404, ready or not.
        assert (await running.get("/api/nope"))[0] == 404


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=x", "limit=-1", "limit=1e2", "limit=%D9%A3", "sort=price",
     "order=up", "numbers=roman", "window=7m", "window=", "other=1", "limit=1&limit=2", "limit",
     "%zz=1", "window=%ff", "&".join(f"limit={one}" for one in range(40))],
)  # fmt: skip
async def test_bad_query_values_are_400_problems(query: str) -> None:
    async with Running() as running:
        status, headers, problem = await running.get(f"/api/overview?{query}")
        assert (status, headers["Content-Type"]) == (400, "application/problem+json")
        assert problem["detail"].startswith("Expected")


async def test_ids_that_are_no_encoded_utf_8_are_400() -> None:
    async with Running() as running:
        for text in ("%", "%4", "%zz", "%ff", "a%e9"):
            status, _, problem = await running.get(f"/api/tokens/{text}/stats")
            assert (status, problem["type"]) == (400, "urn:swapstats:problem:bad-request")


async def test_what_is_not_http_is_a_400_problem_and_closes() -> None:
    async with Running() as running:
        for text in (b"hello\r\n\r\n", b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n"):
            answer = await raw(running.port, text)
            assert answer.split(b" ")[1] == b"400"
            body = exactly(answer.partition(b"\r\n\r\n")[2].decode())
            assert body["type"] == "urn:swapstats:problem:bad-request"
        assert (await running.get("/healthz"))[0] == 200


async def test_requests_are_counted_by_route() -> None:
    async with Running() as running:
        await running.get("/api/tokens/nobody/stats")
        await running.get("/nope/nobody")
        await running.get("/")
        assert running.metrics.requests == [
            ("/api/tokens/{id}/stats", 404), ("unknown", 404), ("unknown", 200),
        ]  # fmt: skip


async def test_the_page_is_served_strictly_and_only_once() -> None:
    async with Running() as running:
        for path, kind in (
            ("/", "text/html"), ("/app.js", "text/javascript"), ("/style.css", "text/css"),
        ):  # fmt: skip
            status, headers, body = await running.get(path)
            assert status == 200
            assert body
            assert headers["Content-Type"].startswith(kind)
            assert headers["Content-Security-Policy"] == POLICY
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Cache-Control"] == "no-cache"
            known = {"If-None-Match": headers["ETag"]}
            status, headers, body = await running.get(path, headers=known)
            assert (status, body, headers["ETag"]) == (304, "", known["If-None-Match"])
            status, _, _ = await running.get(path, headers={"If-None-Match": '"other"'})
            assert status == 200


async def test_a_page_without_files_is_404(tmp_path: Path) -> None:
    async with Running(page=tmp_path) as running:
        assert (await running.get("/"))[0] == 404
        assert (await running.get("/favicon.ico"))[0] == 204


async def test_updates_published_before_the_start_are_served() -> None:
    running = Running()
    for update in SyntheticUpdates(SPEC, tokens=4, partitions=2).everything():
        running.feed.publish(update)
    async with running:
        await eventually_async(lambda: len(running.market) == 4, WAIT_MS, "the tokens")
        assert (await running.get("/api/tokens/T1/stats"))[0] == 200


async def test_a_broken_update_ends_the_server_with_its_error() -> None:
    async with Running() as running:
        waiting = asyncio.ensure_future(running.server.wait())
        other = SyntheticUpdates(WindowSpec(5_000, (300_000,)), tokens=2)
        running.feed.publish(other.update(0, 2))
        with pytest.raises(InvariantBroken):
            await asyncio.wait_for(waiting, WAIT_S)


async def test_stop_closes_streams_with_1001_and_frees_the_port() -> None:
    running = Running(ApiOptions(close_ms=2_000))
    async with running:
        streams = [await running.connect() for _ in range(3)]
        idle = await asyncio.open_connection("127.0.0.1", running.port)
        stopping = asyncio.ensure_future(running.server.stop(2_000))
        for stream in streams:
            message = await stream.socket.receive(timeout=WAIT_S)
            assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)
        await asyncio.wait_for(stopping, WAIT_S)
        await asyncio.wait_for(running.server.wait(), WAIT_S)
        assert await idle[0].read() == b""
        idle[1].close()
        assert running.metrics.client_counts[-1] == 0
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", running.port))
        # Updates still come while the rest of the process stops.
        running.feed.publish(_update())


def _update() -> StatsUpdate:
    return SyntheticUpdates(SPEC, tokens=4, partitions=2).update(0, 2)


async def test_stop_does_not_wait_longer_than_its_grace_for_the_deaf() -> None:
    running = Running()
    async with running:
        deaf = await running.http.ws_connect(running.url("/ws"))
        begun = asyncio.get_running_loop().time()
        await running.server.stop(200)
        assert asyncio.get_running_loop().time() - begun < 3
        assert running.metrics.client_counts[-1] == 0
        await deaf.close()


async def test_a_taken_address_is_told() -> None:
    async with Running() as running:
        other = Running()
        with pytest.raises(OSError, match="in use"):
            await other.server.start("127.0.0.1", running.port)
        await other.http.close()
        await other.server.stop(10)


async def test_a_refused_handshake_leaves_the_connection_usable() -> None:
    async with Running(ApiOptions(clients_max=0)) as running:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await running.connect()
        assert (await running.get("/healthz"))[0] == 200
