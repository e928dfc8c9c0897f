"""The hub: one pass over the clients with something pending, every `coalesce_ms`.

A pass writes each client at most one frame; equal frames are built once. A client that does not
drain costs its set of dirty channels, and is closed with 1013 after `slow_client_ms`.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from swapstats.core.market import Market
from swapstats.ports.clock import Clock
from swapstats.roles.api.client import Client, frame_bytes
from swapstats.roles.api.metrics import ApiMetrics
from swapstats.roles.api.options import ApiOptions
from swapstats.roles.api.problem import Problem
from swapstats.roles.api.subscriptions import Subscriptions, Watched, untold

SLICE = 100
"""Clients served before other work gets its turn."""
GOING_AWAY, BROKEN, TRY_LATER = 1001, 1011, 1013

Close = Callable[[int, str], Awaitable[None]]
_log = structlog.get_logger("swapstats.api")


class Hub:
    """All WebSocket clients; lives on the event loop.

    Args:
        market: all tokens.
        options: limits.
        clock: for spans (monotonic).
        lag_ms: lag to put into frames.
        metrics: what is measured.
        watched: told which tokens clients watch.

    Attributes:
        subscriptions: who watches what.
    """

    def __init__(
        self,
        market: Market,
        options: ApiOptions,
        clock: Clock,
        lag_ms: Callable[[], int],
        metrics: ApiMetrics,
        watched: Watched = untold,
    ) -> None:
        self.subscriptions = Subscriptions(market, options, watched)
        self._market = market
        self._options = options
        self._clock = clock
        self._lag_ms = lag_ms
        self._metrics = metrics
        self._clients: dict[Client, Close] = {}
        self._closes: set[asyncio.Task[None]] = set()
        self._looked_ms = clock.monotonic_ms()

    def __len__(self) -> int:
        return len(self._clients)

    def add(self, client: Client, close: Close) -> None:
        """Take a client in; `close(code, reason)` ends its connection."""
        self._clients[client] = close
        self._metrics.clients(len(self._clients))

    def remove(self, client: Client) -> None:
        """Forget a client and all it watched."""
        self.subscriptions.forget(client)
        if self._clients.pop(client, None) is not None:
            self._metrics.clients(len(self._clients))

    async def run(self) -> None:
        """Pass over the clients every `coalesce_ms` until cancelled."""
        loop = asyncio.get_running_loop()
        span = self._options.coalesce_ms / 1_000
        due = loop.time() + span
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            # A pass that took too long is not made up for.
            due = max(due + span, loop.time())
            await self.serve_pending()

    async def serve_pending(self) -> None:
        """Make one pass: capture what changed, write a frame to each client that needs one."""
        now_ms = self._clock.monotonic_ms()
        for client, channel in self.subscriptions.collect(now_ms):
            self._tell_behind(client, channel, now_ms)
        head = (
            f'{{"type":"frame","as_of":{self._market.as_of_ms},"lag_ms":{self._lag_ms()},"events":['
        ).encode()
        frames: dict[tuple[bytes, ...], bytes] = {}
        served = size = 0
        for number, client in enumerate(list(self.subscriptions.pending), start=1):
            try:
                written = self._serve(client, head, frames, now_ms)
            except Exception:  # noqa: BLE001  # one client's fault must not stop the pass
                _log.exception("api.client_failed")
                self._close(client, BROKEN, "internal")
                continue
            served += written > 0
            size += written
            if number % SLICE == 0:
                await asyncio.sleep(0)
        if served:
            self._metrics.frames(served, size)
        if now_ms - self._looked_ms >= min(1_000, self._options.heartbeat_ms // 4):
            self._looked_ms = now_ms
            self._look_after(now_ms)

    def _serve(
        self, client: Client, head: bytes, frames: dict[tuple[bytes, ...], bytes], now_ms: int
    ) -> int:
        """Write a client's frame; returns its size in bytes, 0 if there was none to write."""
        if client.is_blocked(now_ms):
            self._metrics.dropped(1, "coalesced")
            self._close_if_slow(client, now_ms)
            return 0
        events = tuple(client.take_events())
        if not client.dirty:
            self.subscriptions.pending.pop(client, None)
        if not events:
            return 0
        frame = frames.get(events)
        if frame is None:
            frame = frames[events] = frame_bytes(head + b",".join(events) + b"]}")
        client.write(frame, now_ms)
        return len(frame)

    def _tell_behind(self, client: Client, channel: str, now_ms: int) -> None:
        problem = Problem(
            "behind",
            "Expected a position this instance has reached, was a newer one: subscribe without "
            "stream and seq, or at another instance",
        )
        client.write(frame_bytes(problem.body(channel=channel)), now_ms)

    def _look_after(self, now_ms: int) -> None:
        """Close clients that do not drain; send heartbeats to those that heard nothing."""
        frame = frame_bytes(
            f'{{"type":"heartbeat","as_of":{self._market.as_of_ms},"lag_ms":{self._lag_ms()}}}'.encode()
        )
        for client in list(self._clients):
            if client.is_blocked(now_ms):
                self._close_if_slow(client, now_ms)
            elif now_ms - client.sent_ms >= self._options.heartbeat_ms:
                client.write(frame, now_ms)

    def _close_if_slow(self, client: Client, now_ms: int) -> None:
        if not client.closing and client.is_too_slow(now_ms):
            self._metrics.dropped(len(client.dirty), "slow_client")
            self._close(client, TRY_LATER, "too slow")

    def _close(self, client: Client, code: int, reason: str) -> asyncio.Task[None] | None:
        close = self._clients.get(client)
        if close is None or client.closing:
            return None
        client.closing = True
        self.subscriptions.forget(client)
        task = asyncio.ensure_future(_closed(client, close(code, reason), self._options.close_ms))
        self._closes.add(task)
        task.add_done_callback(self._closes.discard)
        return task

    async def close_all(self, grace_ms: int) -> None:
        """Close every client with 1001 and wait for them, at most `grace_ms`."""
        for client in list(self._clients):
            self._close(client, GOING_AWAY, "the server stops")
        if self._closes:
            await asyncio.wait(set(self._closes), timeout=grace_ms / 1_000)
        for client in list(self._clients):
            client.abort()


async def _closed(client: Client, closing: Awaitable[None], close_ms: int) -> None:
    """Finish a closing handshake, or drop the socket with all that is unsent."""
    try:
        async with asyncio.timeout(close_ms / 1_000):
            await closing
    except (TimeoutError, ConnectionError):
        pass
    finally:
        client.abort()
