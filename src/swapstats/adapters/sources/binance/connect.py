"""Live public trades of Binance over one WebSocket: the `Source` port for an exchange.

A thin shell around `session.py`. No trade is lost without a word: a queue that is full ends the
connection, and every gap in the trade ids is counted, logged and told in the status. Filling gaps
is not done here.
"""

import asyncio
import json
import logging
import random
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing

import aiohttp
import msgspec

from swapstats.adapters.sources.binance.endpoints import STREAMS_MAX, Endpoints
from swapstats.adapters.sources.binance.messages import Refusal
from swapstats.adapters.sources.binance.parse import (
    BUILT_IN_MARKETS,
    Market,
    known_markets,
    parse_markets,
)
from swapstats.adapters.sources.binance.session import Limits, Session
from swapstats.errors import Rejected
from swapstats.model.record import MessageBlock
from swapstats.ports.clock import Clock
from swapstats.ports.source import NO_NOTES, SourceBatch, SourceStatus

QUEUE_FRAMES_MAX = 100_000
"""Trades of some minutes at a busy time; memory stays below 100 MB."""
FRAME_BYTES_MAX = 1 << 20
BATCH_FRAMES_MAX = 5_000
CONNECT_MS_MAX = 10_000
ANSWER_BYTES_MAX = 1 << 24
HEARTBEAT_S = 20.0
CLOSE_S = 2.0
OVERLAP_MS_MAX = 5_000
"""How long the connection that replaces another may take to bring its first frame."""
BAD_REQUEST = 400

_log = logging.getLogger("swapstats.sources.binance")


class _Connection:
    """One WebSocket and the frames that came over it and were not taken yet."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, clock: Clock, queue_frames_max: int
    ) -> None:
        self._socket = socket
        self._clock = clock
        self._queue_frames_max = queue_frames_max
        self._frames: deque[str] = deque()
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())
        self.last_frame_ms = clock.monotonic_ms()
        self.overflowed = False
        self.end_reason: str | None = None

    def take(self) -> list[str]:
        """Take the frames that came, BATCH_FRAMES_MAX at most."""
        count = min(len(self._frames), BATCH_FRAMES_MAX)
        return [self._frames.popleft() for _ in range(count)]

    async def wait(self, timeout_ms: int) -> None:
        """Wait for news, for `timeout_ms` milliseconds at most."""
        self._news.clear()
        if self._frames or self.end_reason is not None:
            return
        try:
            async with asyncio.timeout(timeout_ms / 1_000):
                await self._news.wait()
        except TimeoutError:
            return

    async def close(self) -> None:
        """Stop reading and close the socket."""
        self._reading.cancel()
        await asyncio.wait([self._reading])
        await self._socket.close()

    async def _read(self) -> None:
        try:
            self.end_reason = await self._read_to_the_end()
        except (aiohttp.ClientError, OSError) as error:
            self.end_reason = _words(error)
        finally:
            self.end_reason = self.end_reason or "reading it was given up"
            self._news.set()
        if self.overflowed:
            await self._socket.close()

    async def _read_to_the_end(self) -> str:
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                return f"it ended with {message.type.name}"
            if len(self._frames) >= self._queue_frames_max:
                self.overflowed = True
                return (
                    f"{self._queue_frames_max} frames wait to be taken: "
                    f"dropping the connection, not single trades"
                )
            self._frames.append(message.data)
            self.last_frame_ms = self._clock.monotonic_ms()
            self._news.set()
        return f"the exchange closed it (code {self._socket.close_code})"


class BinanceSource:
    """Live public trades of some symbols.

    The position is the last trade id of each symbol. It cannot bring back trades that happened
    while nobody listened; it makes them known as a gap.

    Args:
        symbols: such as `BTCUSDT`, 1 to STREAMS_MAX, each once; case does not matter.
        clock: monotonic clock.
        endpoints: the exchange's addresses.
        limits: when a connection is given up, and how long to wait before another.
        queue_frames_max: frames that may wait; one more ends the connection.
        name: stable name in the log.
        sleep: waits for seconds.
        jitter: gives numbers from 0 to 1.

    Raises:
        Rejected: no symbol, one twice, or too many.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        clock: Clock,
        *,
        endpoints: Endpoints = Endpoints(),  # noqa: B008 - frozen
        limits: Limits = Limits(),  # noqa: B008 - frozen
        queue_frames_max: int = QUEUE_FRAMES_MAX,
        name: str = "binance",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._symbols = [symbol.strip().upper() for symbol in symbols]
        if not 1 <= len(set(self._symbols)) == len(self._symbols) <= STREAMS_MAX:
            raise Rejected(
                f"Expected 1 to {STREAMS_MAX} symbols, each once, was {', '.join(self._symbols)}"
            )
        self._clock = clock
        self._endpoints = endpoints
        self._limits = limits
        self._queue_frames_max = queue_frames_max
        self._name = name
        self._sleep = sleep
        self._jitter = jitter
        self._session: Session | None = None
        self._state = "connecting"
        self._detail = "Not started yet"

    @property
    def name(self) -> str:
        """Stable name: positions in the log are kept under it."""
        return self._name

    def status(self) -> SourceStatus:
        """Report whether trades come, and what went wrong so far."""
        detail = self._detail
        if self._session is not None:
            counts = self._session.counts
            if counts.gaps:
                detail += f"; {counts.missing} trades missing in {counts.gaps} gaps"
            if counts.unreadable:
                detail += f"; {counts.unreadable} frames could not be read"
            if counts.connections > 1:
                detail += f"; connected {counts.connections} times"
        return SourceStatus(self._state, detail)

    async def open(
        self,
        position: str | None,
        notes: Mapping[str, str] = NO_NOTES,  # noqa: ARG002 - the port's
    ) -> AsyncIterator[SourceBatch]:
        """Stream trades as they happen; it ends only with an error.

        Raises:
            Rejected: Binance does not trade a symbol, or the position is another source's.
        """
        async with aiohttp.ClientSession() as http:
            try:
                markets = await self._find_markets(http)
                session = self._session = Session(markets, position, self._limits)
            except Rejected as error:
                self._tell("failed", str(error))
                raise
            connection = await self._connect(http, session)
            upcoming = None
            try:
                while True:
                    if connection is not None:
                        async with aclosing(self._stream(connection, session)) as batches:
                            async for batch in batches:
                                yield batch
                        upcoming = await self._planned_successor(http, connection, session)
                        await connection.close()
                        while frames := connection.take():
                            if (batch_left := _batch(frames, session)) is not None:
                                yield batch_left
                    if upcoming is None:
                        await self._sleep(session.backoff_ms(self._jitter()) / 1_000)
                        upcoming = await self._connect(http, session)
                    connection, upcoming = upcoming, None
            finally:
                for open_connection in (connection, upcoming):
                    if open_connection is not None:
                        await open_connection.close()

    async def _connect(self, http: aiohttp.ClientSession, session: Session) -> _Connection | None:
        self._tell("connecting", "Connecting to Binance")
        try:
            socket = await _open_socket(http, self._endpoints, self._symbols, CONNECT_MS_MAX)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._tell("waiting", f"Binance cannot be reached: {_words(error)}")
            _log.warning("Binance cannot be reached: %s", _words(error))
            return None
        session.connected(self._clock.monotonic_ms())
        self._tell("live", f"Live trades of {', '.join(self._symbols)}")
        _log.info("Connected to Binance for %s", ", ".join(self._symbols))
        return _Connection(socket, self._clock, self._queue_frames_max)

    async def _planned_successor(
        self, http: aiohttp.ClientSession, connection: _Connection, session: Session
    ) -> _Connection | None:
        """At a planned end, connect anew while the old connection goes on: nothing is missed.

        Trades that come over both are given twice: equal ids are one trade to the windows.
        """
        planned = session.is_planned_end(self._clock.monotonic_ms())
        if not planned or connection.end_reason is not None:
            return None
        upcoming = await self._connect(http, session)
        if upcoming is not None:
            await upcoming.wait(OVERLAP_MS_MAX)
        return upcoming

    async def _stream(
        self, connection: _Connection, session: Session
    ) -> AsyncGenerator[SourceBatch, None]:
        """Give the trades of one connection, until it ends or is given up."""
        while True:
            if frames := connection.take():
                session.data_came(connection.last_frame_ms)
                if (batch := _batch(frames, session)) is not None:
                    yield batch
                # A busy market never lets the queue run empty; its end must come all the same.
                if not session.is_planned_end(self._clock.monotonic_ms()):
                    continue
            if connection.end_reason is not None:
                if connection.overflowed:
                    session.overflowed()
                self._ended(connection.end_reason)
                return
            now_ms = self._clock.monotonic_ms()
            left_ms = session.give_up_in_ms(now_ms)
            if not left_ms:
                self._ended(session.give_up_reason(now_ms))
                return
            await connection.wait(left_ms)

    def _ended(self, reason: str) -> None:
        self._tell("connecting", f"Connection to Binance ended: {reason}")
        _log.warning("Connection to Binance ended: %s", reason)

    def _tell(self, state: str, detail: str) -> None:
        self._state, self._detail = state, detail

    async def _find_markets(self, http: aiohttp.ClientSession) -> dict[str, Market]:
        """Ask what the symbols stand for; without an answer the built-in list must do.

        Raises:
            Rejected: a symbol is unknown.
        """
        self._tell("connecting", "Asking Binance for its markets")
        try:
            async with asyncio.timeout(CONNECT_MS_MAX / 1_000):
                async with http.get(self._endpoints.exchange_info(self._symbols)) as answer:
                    body = b""
                    while len(body) < ANSWER_BYTES_MAX and (
                        piece := await answer.content.readany()
                    ):
                        body += piece
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            _log.warning("Binance's list of markets cannot be read: %s", _words(error))
            return known_markets(self._symbols, BUILT_IN_MARKETS)
        if answer.status == BAD_REQUEST:
            raise Rejected(
                f"Expected symbols Binance trades, was {', '.join(self._symbols)} "
                f"(Binance says: {_refusal(body)}): check `source.binance.symbols`"
            )
        if answer.ok:
            return known_markets(self._symbols, parse_markets(body))
        _log.warning("Binance's list of markets cannot be read: HTTP %d", answer.status)
        return known_markets(self._symbols, BUILT_IN_MARKETS)


def _batch(frames: list[str], session: Session) -> SourceBatch | None:
    messages = session.read(frames)
    for note in session.take_notes():
        _log.warning("%s", note)
    return SourceBatch(MessageBlock.of(messages), session.position) if messages else None


async def reachable(
    timeout_ms: int = 3_000,
    endpoints: Endpoints = Endpoints(),  # noqa: B008 - frozen
) -> tuple[bool, str]:
    """Try to open a trade stream.

    Args:
        timeout_ms: how long to try, in milliseconds.
        endpoints: the exchange's addresses.

    Returns:
        Whether it worked, and a sentence saying so or why not.
    """
    try:
        async with aiohttp.ClientSession() as http:
            socket = await _open_socket(http, endpoints, ["BTCUSDT"], timeout_ms)
            await socket.close()
    except TimeoutError:
        return False, f"Binance did not answer within {timeout_ms / 1_000:g} s"
    except (aiohttp.ClientError, OSError) as error:
        return False, f"Binance cannot be reached ({_words(error)})"
    return True, "Binance can be reached"


async def _open_socket(
    http: aiohttp.ClientSession, endpoints: Endpoints, symbols: Sequence[str], timeout_ms: int
) -> aiohttp.ClientWebSocketResponse:
    async with asyncio.timeout(timeout_ms / 1_000):
        return await http.ws_connect(
            endpoints.trades(symbols),
            compress=0,
            heartbeat=HEARTBEAT_S,
            max_msg_size=FRAME_BYTES_MAX,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
        )


def _words(error: BaseException) -> str:
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"HTTP {error.status}"
    return str(error) or type(error).__name__


def _refusal(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=Refusal).msg or "no reason"
    except (msgspec.DecodeError, msgspec.ValidationError):
        return json.dumps(body[:200].decode(errors="replace"))
