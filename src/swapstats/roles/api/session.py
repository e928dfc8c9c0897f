"""One WebSocket connection from handshake to close: reads commands, leaves frames to the hub."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from socket import SO_SNDBUF, SOL_SOCKET

import msgspec
from aiohttp import WSMsgType, web

from swapstats.core.market import Market
from swapstats.core.overview import OverviewSpec
from swapstats.core.stream_command import (
    MessageRefused,
    Subscribe,
    TokenChannel,
    Wanted,
    parse_channel,
    parse_command,
)
from swapstats.model.health import Readiness
from swapstats.ports.clock import Clock
from swapstats.roles.api.client import Client, frame_bytes
from swapstats.roles.api.hub import Hub
from swapstats.roles.api.options import ApiOptions
from swapstats.roles.api.problem import Problem, not_ready, retry_after
from swapstats.roles.api.routes import read_window
from swapstats.roles.api.token_answer import find_or_refuse

PROTOCOL_VERSION = 1
_BLOCKED_WAIT_S = 0.05


class Sessions:
    """Serves WebSocket connections.

    Args:
        market: all tokens.
        hub: who writes frames.
        options: limits.
        clock: for spans (monotonic).
        readiness: whether the state may be served.
    """

    def __init__(
        self,
        market: Market,
        hub: Hub,
        options: ApiOptions,
        clock: Clock,
        readiness: Callable[[], Readiness],
    ) -> None:
        self._market = market
        self._hub = hub
        self._options = options
        self._clock = clock
        self._readiness = readiness
        self._opening = 0

    async def serve(self, request: web.BaseRequest, *, quoted: bool) -> web.WebSocketResponse:
        """Serve one connection until it ends.

        Args:
            request: the handshake.
            quoted: amounts as strings.

        Raises:
            Problem: the handshake is refused.
        """
        self._check_handshake(request.headers)
        options = self._options
        socket = web.WebSocketResponse(
            compress=False,
            heartbeat=options.ping_ms / 1_000,
            timeout=options.close_ms / 1_000,
            max_msg_size=options.command_bytes_max + 1,
        )
        if not socket.can_prepare(request):
            raise Problem("bad-request", "Expected a WebSocket handshake of version 13, was none")
        self._opening += 1
        try:
            await socket.prepare(request)
        finally:
            self._opening -= 1
        transport = request.transport
        if transport is None:
            return socket
        self._limit_buffer(transport)
        client = Client(
            transport, quoted=quoted, options=options, now_ms=self._clock.monotonic_ms()
        )

        async def close(code: int, reason: str) -> None:
            await socket.close(code=code, message=reason.encode())

        self._hub.add(client, close)
        try:
            self._write(client, self._hello())
            with contextlib.suppress(ConnectionError):
                await self._read(client, socket)
        finally:
            self._hub.remove(client)
            # What a vanished client never took must not be kept for it.
            asyncio.get_running_loop().call_later(options.close_ms / 1_000, transport.abort)
        return socket

    def _check_handshake(self, headers: Mapping[str, str]) -> None:
        origin = headers.get("Origin")
        if origin is not None and origin not in self._options.allowed_origins:
            host = headers.get("Host", "")
            if not host or origin.partition("://")[2].lower() != host.lower():
                raise Problem(
                    "origin-refused",
                    f"Expected a page of {host or 'this host'}, was {origin[:200]!r}: add it to "
                    "the allowed origins",
                )
        if headers.get("Upgrade", "").strip().lower() != "websocket":
            raise Problem(
                "upgrade-required",
                "Expected a WebSocket handshake, was a plain request",
                headers={"Upgrade": "websocket"},
            )
        if len(self._hub) + self._opening >= self._options.clients_max:
            raise Problem(
                "busy",
                f"Expected at most {self._options.clients_max} streams, was one more; try again",
                headers=retry_after(1_000),
            )

    def _limit_buffer(self, transport: asyncio.Transport) -> None:
        raw = transport.get_extra_info("socket")
        if raw is not None and self._options.socket_buffer_bytes:
            raw.setsockopt(SOL_SOCKET, SO_SNDBUF, self._options.socket_buffer_bytes)

    def _hello(self) -> bytes:
        options = self._options
        return msgspec.json.encode(
            {
                "type": "hello",
                "version": PROTOCOL_VERSION,
                "coalesce_ms": options.coalesce_ms,
                "heartbeat_ms": options.heartbeat_ms,
                "subscriptions_max": options.subscriptions_max,
                "frame_bytes_max": options.command_bytes_max,
            }
        )

    def _write(self, client: Client, payload: bytes) -> None:
        client.write(frame_bytes(payload), self._clock.monotonic_ms())

    async def _read(self, client: Client, socket: web.WebSocketResponse) -> None:
        """Read commands at the allowed rate until the connection ends."""
        options = self._options
        allowance, seen_ms = float(options.commands_burst), self._clock.monotonic_ms()
        async for message in socket:
            now_ms = self._clock.monotonic_ms()
            allowance += (now_ms - seen_ms) * options.commands_per_s / 1_000
            allowance, seen_ms = min(allowance, float(options.commands_burst)) - 1.0, now_ms
            if message.type is WSMsgType.TEXT:
                self._obey(client, message.data)
            elif message.type is WSMsgType.BINARY:
                self._refuse(client, Problem("bad-message", "Expected text, was binary"))
            else:
                return
            if allowance < 0:
                await asyncio.sleep(-allowance / options.commands_per_s)
            # Replies to a client that does not read must not pile up.
            while (  # noqa: ASYNC110  # the kernel tells nobody but the transport
                not client.closing and client.is_blocked(self._clock.monotonic_ms())
            ):
                await asyncio.sleep(_BLOCKED_WAIT_S)

    def _refuse(self, client: Client, problem: Problem, channel: str | None = None) -> None:
        members = {} if channel is None else {"channel": channel}
        self._write(client, problem.body(**members))

    def _obey(self, client: Client, text: str) -> None:
        try:
            command = parse_command(text)
        except MessageRefused as error:
            self._refuse(client, Problem(error.name, str(error)), error.channel)
            return
        if not isinstance(command, Subscribe):
            for channel in command.channels:
                self._hub.subscriptions.remove(client, channel)
            reply = {"type": "unsubscribed", "channels": command.channels}
            self._write(client, msgspec.json.encode(reply))
            return
        refused = 0
        for wanted in command.wanted:
            try:
                self._subscribe(client, wanted)
            except Problem as problem:
                refused += 1
                if refused <= self._options.subscriptions_max:
                    self._refuse(client, problem, wanted.channel)

    def _subscribe(self, client: Client, wanted: Wanted) -> None:
        options = self._options
        state = self._readiness()
        if not state.ready:
            raise not_ready(state)
        try:
            channel = parse_channel(wanted.channel, options.overview_limit_max)
        except MessageRefused as error:
            raise Problem(error.name, str(error)) from None
        if wanted.channel not in client.subs and len(client.subs) >= options.subscriptions_max:
            raise Problem(
                "too-many-subscriptions",
                f"Expected at most {options.subscriptions_max} subscriptions, was one more: "
                "unsubscribe another first",
            )
        if isinstance(channel, TokenChannel):
            index = find_or_refuse(self._market, channel.id, options.listed, quoted=client.quoted)
            self._hub.subscriptions.add_token(client, wanted, index, self._clock.monotonic_ms())
            return
        spec = OverviewSpec(
            read_window(self._market.spec, channel.window),
            channel.sort,
            channel.order,
            channel.limit,
        )
        self._hub.subscriptions.add_overview(client, wanted.channel, spec)
