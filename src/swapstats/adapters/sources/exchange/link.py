"""One WebSocket of an exchange: what comes over it goes into the inbox until it ends.

Frames come by a call each, without a task: where few trades come at a time, waking one up costs
many times what reading a trade does.
"""

import asyncio
import contextlib
from collections.abc import Callable

from picows import (
    WSCloseCode,
    WSError,
    WSFrame,
    WSHandshakeError,
    WSListener,
    WSMsgType,
    WSProtocolError,
    WSTransport,
    ws_connect,
)

from swapstats.adapters.sources.exchange.inbox import Inbox
from swapstats.adapters.sources.exchange.pace import Pace
from swapstats.adapters.sources.exchange.venue import Opening, VenueFacts
from swapstats.ports.clock import Clock

FRAME_BYTES_MAX = 1 << 22
READ_BYTES = 1 << 16
HEARTBEAT_S = 20.0
PONG_S = 10.0
CLOSE_S = 2.0
HEADERS = {"User-Agent": "swapstats"}
NOT_TAKEN = (
    "its frames are not taken: dropping the connection, not single trades; they are asked for later"
)

TOO_LONG = f"a message of more than {FRAME_BYTES_MAX} bytes"

_TEXT = WSMsgType.TEXT
_PIECES = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION)


class Link(WSListener):
    """One connection, as the listener of its WebSocket; see `open_link`.

    Args:
        number: its number; no other connection of the source has it.
        opening: what is sent first.
        facts: of the exchange.
        inbox: where frames go.
        clock: monotonic clock.
        pace: says when to read on.
        on_open: called once it is open, before anything comes.

    Attributes:
        began_ms: when it was opened.
        last_frame_ms: when frames came last; `began_ms` if none did.
        overflowed: whether it ended because there was no room for its frames.
        reason: why it ended; empty while it has not.
        heard: set once a frame came.
        ended: set once it has ended.
    """

    def __init__(
        self,
        number: int,
        opening: Opening,
        facts: VenueFacts,
        inbox: Inbox,
        clock: Clock,
        pace: Pace,
        on_open: Callable[[], None] = lambda: None,
    ) -> None:
        self.number = number
        self._opening = opening
        self._facts = facts
        self._inbox = inbox
        self._clock = clock
        self._pace = pace
        self._on_open = on_open
        self.began_ms = self.last_frame_ms = clock.monotonic_ms()
        self.overflowed = False
        self.reason = ""
        self.heard = asyncio.Event()
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._transport: WSTransport | None = None
        self._is_over = False
        self._pieces: list[bytes] = []
        self._pieces_bytes = 0
        self._wave: list[bytes] = []
        self._ping_timer: asyncio.TimerHandle | None = None

    @property
    def was_opened(self) -> bool:
        """Whether the exchange agreed to it; it may have ended since."""
        return self._transport is not None

    async def close(self, reason: str) -> None:
        """Stop reading and close the socket; what was read stays in the inbox."""
        self._end(reason)
        transport = self._transport
        if transport is None:
            return
        if not transport.is_disconnected:
            if not transport.is_close_frame_sent:
                transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        with contextlib.suppress(WSError):
            try:
                async with asyncio.timeout(CLOSE_S):
                    await transport.wait_disconnected()
            except TimeoutError:
                transport.disconnect(graceful=False)
                await transport.wait_disconnected()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Send what is to be sent first; called by the WebSocket."""
        self._transport = transport
        self._socket = transport.underlying_transport.get_extra_info("socket")
        self.began_ms = self.last_frame_ms = self._clock.monotonic_ms()
        self._on_open()
        for text in self._opening.frames:
            transport.send(_TEXT, text)
        self._ping_later()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame; called by the WebSocket."""
        kind = frame.msg_type
        if kind == _TEXT and frame.fin:
            self._wave.append(frame.get_payload_as_bytes())
        else:
            self._take_other(transport, kind, frame)
        if frame.last_in_buffer:
            self._wave_ended()

    def is_user_specific_pong(self, frame: WSFrame) -> bool:
        """Tell whether a frame answers a ping; called by the WebSocket instead of the above."""
        is_pong = frame.msg_type == WSMsgType.PONG
        if is_pong and frame.last_in_buffer:
            self._wave_ended()
        return is_pong

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Note the end; called by the WebSocket."""
        self._wave_ended()
        self._end(_why(transport))

    def _take_other(self, transport: WSTransport, kind: WSMsgType, frame: WSFrame) -> None:
        """Take what is no whole text."""
        if kind == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif kind == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif kind in _PIECES and (whole := self._joined(frame)) is not None:
            self._wave.append(whole)

    def _wave_ended(self) -> None:
        """Hand on what came at once, and rest until more has come."""
        wave, transport = self._wave, self._transport
        if not wave or self._is_over or transport is None:
            return
        self._wave = []
        self.last_frame_ms = self._clock.monotonic_ms()
        pace = self._pace
        wakes = not pace.is_resting or not self.heard.is_set()  # the first may show a gap
        self.heard.set()
        if not self._inbox.put(self.number, wave, wakes=wakes):
            self.overflowed = True
            self._end(NOT_TAKEN)
            transport.disconnect(graceful=False)
        else:
            pace.rest(self._socket)

    def _joined(self, frame: WSFrame) -> bytes | None:
        """Keep a piece of a message; the whole, once its last piece came."""
        self._pieces.append(frame.get_payload_as_bytes())
        self._pieces_bytes += frame.payload_size
        if self._pieces_bytes > FRAME_BYTES_MAX:
            raise WSProtocolError(WSCloseCode.MESSAGE_TOO_BIG, TOO_LONG)
        if not frame.fin:
            return None
        whole = b"".join(self._pieces)
        self._pieces.clear()
        self._pieces_bytes = 0
        return whole

    def _end(self, reason: str) -> None:
        if self._is_over:
            return
        self._is_over = True
        self.reason = reason
        if self._ping_timer is not None:
            self._ping_timer.cancel()
        self._inbox.end(self.number)
        self.ended.set()

    def _ping_later(self) -> None:
        if self._facts.ping:
            self._ping_timer = self._loop.call_later(self._facts.ping_ms / 1_000, self._ping)

    def _ping(self) -> None:
        if self._transport is not None:
            self._transport.send(_TEXT, self._facts.ping)
            self._ping_later()


async def open_link(link: Link, url: str, timeout_ms: int) -> None:
    """Connect and send what is to be sent first.

    Raises:
        OSError: it was refused, nobody is there, or it took longer than `timeout_ms`.
    """
    try:
        async with asyncio.timeout(timeout_ms / 1_000):
            await ws_connect(
                lambda: link,
                url,
                websocket_handshake_timeout=timeout_ms / 1_000,
                enable_auto_pong=False,
                enable_auto_ping=True,
                auto_ping_idle_timeout=HEARTBEAT_S,
                auto_ping_reply_timeout=PONG_S,
                max_frame_size=FRAME_BYTES_MAX,
                extra_headers=HEADERS,
                read_buffer_init_size=READ_BYTES,
            )
    except WSError as error:
        raise ConnectionError(_refusal(error)) from error
    except BaseException:
        await link.close("it was not waited for")
        raise
    if not link.was_opened:
        raise ConnectionError("the exchange ended the connection before it was open")


def _refusal(error: WSError) -> str:
    """Why a connection was refused, for people."""
    if isinstance(error, WSHandshakeError) and error.response is not None:
        return f"HTTP {int(error.response.status)}"
    return str(error) or type(error).__name__


def _why(transport: WSTransport) -> str:
    """Why a connection ended that we did not close."""
    farewell = transport.close_handshake
    if farewell is None:
        return "the exchange cut it off (code 1006)"
    if farewell.recv is not None:
        said = f": {farewell.recv.reason}" if farewell.recv.reason else ""
        return f"the exchange closed it (code {farewell.recv.code:d}{said})"
    return f"it was given up: {farewell.sent.reason}" if farewell.sent else "it was given up"
