"""The door: how many sockets may be open, and when one that does not get on is dropped.

Idle connections are closed by aiohttp's keep-alive timeout, which also covers sockets that never
send a whole request. Here: the bound on all of them, and readers that never drain an answer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from swapstats.roles.api.options import ApiOptions
from swapstats.roles.api.problem import CONTENT_TYPE, Problem

LOOK_S = 1.0
_log = structlog.get_logger("swapstats.api")


class _Connection(RequestHandler):
    """aiohttp's connection, with our shape for what breaks HTTP itself."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002  # aiohttp's signature
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  # aiohttp's signature
    ) -> web.StreamResponse:
        """Answer a request that could not be read, or a fault outside the handler."""
        bad = 400 <= status < 500
        if not bad and not isinstance(exc, ConnectionError):
            # A client that vanished in the middle of an answer is nobody's fault.
            _log.error("api.connection_failed", error=repr(exc))
        problem = Problem(
            "bad-request" if bad else "internal",
            "Expected HTTP/1.1, was something else" if bad else "Expected an answer, was an error",
        )
        response = web.Response(
            body=problem.body(),
            status=problem.status,
            headers={"Content-Type": CONTENT_TYPE, "Server": "swapstats"},
        )
        response.force_close()
        return response


class Gate(web.Server):
    """Makes connections and looks after them.

    Args:
        handler: answers one request.
        options: limits.
    """

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        options: ApiOptions,
    ) -> None:
        super().__init__(handler)
        self._options = options
        self._open: dict[RequestHandler, asyncio.Transport] = {}
        # Connection -> (unsent bytes, look at which they last went down).
        self._unsent: dict[RequestHandler, tuple[int, float]] = {}

    def __call__(self) -> RequestHandler:
        """Make the protocol of a new connection."""
        settings: dict[str, Any] = {
            "access_log": None,
            "keepalive_timeout": self._options.idle_ms / 1_000,
            "max_line_size": self._options.target_bytes_max,
            "lingering_time": 1.0,
        }
        return _Connection(self, loop=asyncio.get_running_loop(), **settings)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Let a connection in, or turn it away if there are too many."""
        super().connection_made(handler, transport)
        self._open[handler] = transport
        if len(self._open) > self._options.connections_max:
            body = Problem(
                "busy", f"Expected at most {self._options.connections_max} connections"
            ).body()
            head = (
                f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: {CONTENT_TYPE}\r\n"
                f"Content-Length: {len(body)}\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
            )
            transport.write(head.encode() + body)
            transport.close()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Forget a connection."""
        super().connection_lost(handler, exc)
        self._open.pop(handler, None)
        self._unsent.pop(handler, None)

    async def run(self) -> None:
        """Drop connections whose unsent bytes do not go down, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_S)
            self.look_after(loop.time())

    def look_after(self, now_s: float) -> None:
        """Drop what has not drained for `slow_client_ms` and the closing handshake after it.

        Args:
            now_s: loop time in seconds.
        """
        limit_s = (self._options.slow_client_ms + self._options.close_ms) / 1_000 + LOOK_S
        for handler, transport in list(self._open.items()):
            unsent = transport.get_write_buffer_size()
            if not unsent:
                self._unsent.pop(handler, None)
                continue
            before, since_s = self._unsent.get(handler, (unsent + 1, now_s))
            if unsent < before:
                since_s = now_s
            self._unsent[handler] = (unsent, since_s)
            if now_s - since_s >= limit_s:
                transport.abort()
