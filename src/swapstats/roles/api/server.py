"""The API server: one address, HTTP and WebSocket, on the event loop it is started on.

The aggregator hands updates to `ApiFeed.publish` from its own thread; everything else here lives
on the loop. Below aiohttp's application layer, since a request must cost little: one table of
routes, one handler. `Answers` makes the answers, `Hub` the frames.
"""

import asyncio
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web

from swapstats.core.market import Market
from swapstats.model.effects import StatsUpdate
from swapstats.model.health import Readiness
from swapstats.ports.clock import Clock
from swapstats.roles.api.answers import Answers, Reply, Sources, problem_reply
from swapstats.roles.api.connections import Gate
from swapstats.roles.api.feed import ApiFeed
from swapstats.roles.api.hub import Hub
from swapstats.roles.api.metrics import ApiMetrics, NoMetrics
from swapstats.roles.api.options import ApiOptions
from swapstats.roles.api.page_files import POLICY, PageFile, read_page
from swapstats.roles.api.problem import Problem
from swapstats.roles.api.routes import (
    Route,
    decode_segment,
    match_route,
    read_query,
    route_table,
)
from swapstats.roles.api.session import Sessions
from swapstats.roles.api.subscriptions import Watched, untold

if TYPE_CHECKING:
    from collections.abc import Awaitable

PAGE = Path(__file__).parent / "page"
BACKLOG = 2_048
UNKNOWN = "unknown"

_log = structlog.get_logger("swapstats.api")
_PLAIN = {
    "Server": "swapstats",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class ApiServer:
    """Serves the API and the page.

    Args:
        options: limits.
        market: all tokens; touched by the loop's thread only, once started.
        feed: where updates come from.
        sources: what the API cannot know by itself.
        clock: wall and monotonic time.
        metrics: what is measured.
        page: folder of the page's files; None = the one shipped.
        watched: told, on the loop, which tokens WebSocket clients watch.
    """

    def __init__(
        self,
        options: ApiOptions,
        market: Market,
        feed: ApiFeed,
        sources: Sources,
        clock: Clock,
        *,
        metrics: ApiMetrics | None = None,
        page: Path | None = None,
        watched: Watched = untold,
    ) -> None:
        self._options = options
        self._market = market
        self._feed = feed
        self._metrics = metrics or NoMetrics()
        self._page_folder = page or PAGE
        self._page: dict[str, PageFile] = {}
        self._routes = route_table(options, market.spec)
        self._readiness = sources.readiness
        self._seen_ready = False
        sources = replace(sources, readiness=self._ready)
        self._answers = Answers(market, options, sources, clock, self._routes)
        self._hub = Hub(market, options, clock, sources.lag_ms, self._metrics, watched)
        self._sessions = Sessions(market, self._hub, options, clock, sources.readiness)
        self._gate: Gate | None = None
        self._listener: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._stale_told = 0
        self._failure: asyncio.Future[None] | None = None

    def _ready(self) -> Readiness:
        state = self._readiness()
        if state.ready and not self._seen_ready:
            # What was published before the state was called ready is served from now on.
            self._feed.deliver_waiting()
        self._seen_ready = state.ready
        return state

    async def start(self, host: str, port: int) -> int:
        """Listen, and begin to take updates.

        Args:
            host: address to bind.
            port: 0 takes a free one.

        Returns:
            The port.

        Raises:
            OSError: the address cannot be bound.
        """
        loop = asyncio.get_running_loop()
        self._page = read_page(self._page_folder)
        self._failure = loop.create_future()
        self._gate = Gate(self._handle, self._options)
        self._listener = await loop.create_server(self._gate, host, port, backlog=BACKLOG)
        self._feed.attach(loop, self._take)
        self._tasks = [loop.create_task(self._hub.run()), loop.create_task(self._gate.run())]
        for task in self._tasks:
            task.add_done_callback(self._ended)
        name: tuple[Any, ...] = self._listener.sockets[0].getsockname()
        return int(name[1])

    async def wait(self) -> None:
        """Wait until the server is stopped.

        Raises:
            Exception: whatever broke it; the process should stop.
        """
        if self._failure is not None:
            await asyncio.shield(self._failure)

    async def stop(self, grace_ms: int) -> None:
        """Take no more connections, close WebSockets with 1001, finish requests, let go.

        Args:
            grace_ms: how long clients have to answer the close.
        """
        self._feed.detach()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
        await self._hub.close_all(grace_ms)
        if self._gate is not None:
            # Idle connections; not earlier, since closing streams must still be read from.
            self._gate.pre_shutdown()
            await self._gate.shutdown(grace_ms / 1_000)
        if self._failure is not None and not self._failure.done():
            self._failure.set_result(None)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)

    def _take(self, updates: list[StatsUpdate]) -> None:
        try:
            for update in updates:
                self._hub.subscriptions.changed(self._market.apply(update))
        except Exception as error:  # noqa: BLE001  # the top of the updates' loop: tell `wait`
            self._fail(error)
        stale = self._market.stale_updates - self._stale_told
        if stale:
            self._stale_told += stale
            self._metrics.stale_updates(stale)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; the only place that turns errors into answers."""
        begun = perf_counter()
        path, _, query = request.raw_path.partition("?")
        found = match_route(self._routes, path)
        name = UNKNOWN if found is None else found[0].path
        response: web.StreamResponse
        try:
            response = await self._respond(request, path, query, found)
        except Problem as problem:
            response = _response(problem_reply(problem))
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception:  # noqa: BLE001  # the top of a request: clients see no internals
            _log.exception("api.request_failed", route=name)
            fault = Problem("internal", "Expected an answer, was an error; it is in the log")
            response = _response(problem_reply(fault))
        self._metrics.request(name, response.status, (perf_counter() - begun) * 1_000)
        return response

    async def _respond(
        self,
        request: web.BaseRequest,
        path: str,
        query: str,
        found: tuple[Route, str | None] | None,
    ) -> web.StreamResponse:
        file = None if found else self._page.get(path)
        if found is None and file is None and path != "/favicon.ico":
            raise Problem("unknown-path", f"Expected a path listed at /docs, was {path[:200]!r}")
        if request.method not in ("GET", "HEAD"):
            raise Problem(
                "method-not-allowed",
                f"Expected GET or HEAD, was {request.method[:20]!r}",
                headers={"Allow": "GET, HEAD"},
            )
        if found is None:
            return _page_response(file, request.headers.get("If-None-Match"))
        route, segment = found
        if route.gated:
            self._answers.require_ready()
        values = read_query(route, query)
        if segment is not None:
            values["id"] = decode_segment(segment)
        if route.operation == "stream":
            return await self._sessions.serve(request, quoted=values["numbers"] == "string")
        answer: Reply | Awaitable[Reply] = getattr(self._answers, route.operation)(values)
        return _response(answer if isinstance(answer, Reply) else await answer)


def _response(reply: Reply) -> web.Response:
    return web.Response(
        body=reply.body,
        status=reply.status,
        headers={
            **_PLAIN,
            "Content-Type": reply.content_type,
            "Cache-Control": "no-store",
            **reply.headers,
        },
    )


def _page_response(file: PageFile | None, if_none_match: str | None) -> web.Response:
    if file is None:
        return web.Response(status=204, headers=_PLAIN)
    headers = {
        **_PLAIN,
        "Content-Type": file.content_type,
        "Content-Security-Policy": POLICY,
        "Cache-Control": "no-cache",
        "ETag": file.etag,
    }
    if file.matches(if_none_match):
        del headers["Content-Type"]
        return web.Response(status=304, headers=headers)
    return web.Response(body=file.body, headers=headers)
