"""A local exchange that plays recorded trades, with faults: for tests and benchmarks.

One playback clock for all: whoever is connected and subscribed gets what happens then, whoever is
not has missed it; history knows what was played. How an exchange speaks is its `Dialect`.
"""

import asyncio
import contextlib
from bisect import bisect_right
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import WSCloseCode, WSMsgType, web

from swapstats.adapters.sources.exchange.venue import VenueTrade
from swapstats.testing.exchange_faults import ExchangeFault

RETRY_AFTER_S = 1
UNAVAILABLE = 503
TOO_MANY_REQUESTS = 429


@dataclass(frozen=True, slots=True)
class Recorded:
    """One trade of a recording.

    Attributes:
        trade: what is to come out.
        payload: what the exchange sent for it, as text.
        at_ms: when its recorder got it, ms since any moment.
    """

    trade: VenueTrade
    payload: str
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """A REST request.

    Attributes:
        path: without the query.
        query: parameters.
        headers: of the request.
    """

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A REST answer."""

    body: bytes
    status: int = 200


class Conversation(Protocol):
    """What one connection is about."""

    @property
    def markets(self) -> set[str]:
        """The markets it has asked for so far."""
        ...

    def hear(self, text: str) -> list[str]:
        """Take a text of the client; what is answered at once."""
        ...

    def frames(self, trades: Sequence[Recorded]) -> list[str]:
        """Frames that bring some trades; in batches, where the exchange has them."""
        ...


class Dialect(Protocol):
    """The server's side of one exchange."""

    def connect(self, path: str, query: Mapping[str, str]) -> Conversation:
        """Begin a conversation on a new connection."""
        ...

    def answer(self, question: Question, history: Mapping[str, Sequence[Recorded]]) -> Answer:
        """Answer a REST request from what was played, oldest first, by market."""
        ...


@dataclass(slots=True)
class ReplayCounts:
    """What clients did.

    Attributes:
        connections: connections made.
        refused: connections refused.
        requests: REST requests answered.
        asked: paths of all REST requests, with their queries.
    """

    connections: int = 0
    refused: int = 0
    requests: int = 0
    asked: list[str] = field(default_factory=list)


class ReplayExchange:
    """Plays a recording once, from the first subscription on.

    Args:
        dialect: how the exchange speaks.
        recording: trades in the order they happened.
        faults: what goes wrong; after the last trade nothing does any more.
        hidden: `order` by market of trades that the exchange itself lost: nobody gets them.
        per_tick: trades played in one tick.
        tick_ms: pause after each tick.
        speed: times the recorded pace; None = by ticks alone.
        starts_at: number of connections that have subscribed when the playback begins.

    Attributes:
        counts: what clients did.
        played: number of trades played so far.
        running: while it is not set, the playback holds.
        has_history: False = history answers with an error of the server, whatever the faults.
    """

    def __init__(
        self,
        dialect: Dialect,
        recording: Sequence[Recorded],
        faults: Sequence[ExchangeFault] = (),
        *,
        hidden: Mapping[str, frozenset[int]] | None = None,
        per_tick: int = 50,
        tick_ms: int = 2,
        speed: float | None = None,
        starts_at: int = 1,
    ) -> None:
        self._dialect = dialect
        self._recording = recording
        self._faults = sorted(faults, key=lambda fault: fault.at)
        self._hidden = hidden or {}
        self._per_tick = per_tick
        self._tick_s = tick_ms / 1_000
        self._speed = speed
        self._starts_at = starts_at
        self._clients: dict[web.WebSocketResponse, tuple[Conversation, web.Request]] = {}
        self._history: dict[str, list[Recorded]] = {}
        self._numbers: dict[str, list[int]] = {}
        self._kept_back: list[Recorded] = []
        self._until: dict[str, int] = {}
        self._lag = 0
        self._stalled_market = ""
        self._begun = asyncio.Event()
        self._port = 0
        self.counts = ReplayCounts()
        self.played = 0
        self.running = asyncio.Event()
        self.running.set()
        self.has_history = True

    @property
    def stream_url(self) -> str:
        """Address of its streams, without a slash at the end."""
        return f"ws://127.0.0.1:{self._port}"

    @property
    def rest_url(self) -> str:
        """Address of its REST API, likewise."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def is_over(self) -> bool:
        """Whether everything was played."""
        return self.played >= len(self._recording)

    @contextlib.asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator["ReplayExchange"]:
        """Serve on loopback while the block runs; 0 = a free port."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self._any)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self._port = runner.addresses[0][1]
        playing = asyncio.create_task(self._play())
        try:
            yield self
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
            await runner.cleanup()

    async def _any(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._stream(request)
        return self._rest(request)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if self._is_on("abort") or self._is_on("close"):
            self.counts.refused += 1
            return web.Response(status=UNAVAILABLE)
        socket = web.WebSocketResponse(timeout=0.5)
        await socket.prepare(request)
        conversation = self._dialect.connect(request.path, request.query)
        self.counts.connections += 1
        self._clients[socket] = (conversation, request)
        self._begin_when_due()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    for text in conversation.hear(message.data):
                        await socket.send_str(text)
                    self._begin_when_due()
        except ConnectionError:
            pass  # the client went away
        finally:
            self._clients.pop(socket, None)
        return socket

    def _begin_when_due(self) -> None:
        subscribed = sum(bool(each.markets) for each, _ in self._clients.values())
        if subscribed >= self._starts_at:
            self._begun.set()

    def _rest(self, request: web.Request) -> web.Response:
        self.counts.requests += 1
        self.counts.asked.append(request.path_qs)
        if self._is_on("refuse"):
            return web.Response(
                status=TOO_MANY_REQUESTS, headers={"Retry-After": str(RETRY_AFTER_S)}
            )
        if self._is_on("broken") or not self.has_history:
            return web.Response(status=UNAVAILABLE, text="try again")
        question = Question(request.path, request.query, request.headers)
        known_to = self.played - (self._lag if self._is_on("late") else 0)
        history = {
            market: rows[: bisect_right(self._numbers[market], known_to - 1)]
            for market, rows in self._history.items()
        }
        answer = self._dialect.answer(question, history)
        return web.Response(body=answer.body, status=answer.status, content_type="application/json")

    async def _play(self) -> None:
        await self._begun.wait()
        begun_s = asyncio.get_running_loop().time()
        while not self.is_over:
            await self.running.wait()
            while self._faults and self._faults[0].at <= self.played:
                await self._begin_fault(self._faults.pop(0))
            end = self._due(begun_s)
            if self._faults:
                end = min(end, max(self._faults[0].at, self.played + 1))
            begin = self.played
            await self._send(self._remember(end), begin)
            await asyncio.sleep(self._tick_s)
        self._until.clear()
        await self._send([], self.played)

    def _due(self, begun_s: float) -> int:
        """Up to which trade it is time to play."""
        if self._speed is None:
            return min(self.played + self._per_tick, len(self._recording))
        elapsed_ms = (asyncio.get_running_loop().time() - begun_s) * 1_000 * self._speed
        now_ms = self._recording[0].at_ms + elapsed_ms
        return bisect_right(self._recording, now_ms, key=lambda one: one.at_ms)

    def _remember(self, end: int) -> list[Recorded]:
        """Let trades happen: history knows them from now on."""
        happened = []
        for number in range(self.played, end):
            one = self._recording[number]
            market = one.trade.market
            if one.trade.order in self._hidden.get(market, ()):
                continue
            self._history.setdefault(market, []).append(one)
            self._numbers.setdefault(market, []).append(number)
            happened.append(one)
        self.played = end
        return happened

    async def _begin_fault(self, fault: ExchangeFault) -> None:
        self._until[fault.kind] = max(self._until.get(fault.kind, 0), self.played + fault.span)
        if fault.kind == "late":
            self._lag = fault.span
        if fault.kind == "stall":
            self._stalled_market = fault.market
        if fault.kind in {"abort", "close"}:
            for socket, (_, request) in list(self._clients.items()):
                if fault.kind == "close":
                    await socket.close(code=WSCloseCode.GOING_AWAY)
                elif request.transport is not None:
                    request.transport.abort()
            self._clients.clear()
            self._kept_back.clear()

    async def _send(self, trades: list[Recorded], begin: int) -> None:
        if self._is_on("stall", begin):
            stalled = self._stalled_market
            trades = [one for one in trades if stalled and one.trade.market != stalled]
        if self._is_on("burst", begin):
            self._kept_back += trades
            return
        trades, self._kept_back = self._kept_back + trades, []
        repeats = 2 if self._is_on("doubled", begin) else 1
        for socket, (conversation, _) in list(self._clients.items()):
            wanted = [one for one in trades if one.trade.market in conversation.markets]
            try:
                for frame in conversation.frames(wanted):
                    for _ in range(repeats):
                        await socket.send_str(frame)
            except ConnectionError:
                self._clients.pop(socket, None)

    def _is_on(self, kind: str, at: int | None = None) -> bool:
        return (self.played if at is None else at) < self._until.get(kind, 0)
