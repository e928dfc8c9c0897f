"""One WebSocket of an exchange: what comes over it goes into the inbox until it ends."""

import asyncio
import contextlib
from typing import Literal, TypeAlias

import aiohttp

from swapstats.adapters.sources.exchange.inbox import Inbox
from swapstats.adapters.sources.exchange.rest import words
from swapstats.adapters.sources.exchange.venue import Opening, VenueFacts
from swapstats.ports.clock import Clock

FRAME_BYTES_MAX = 1 << 22
HEARTBEAT_S = 20.0
CLOSE_S = 2.0

BytesSocket: TypeAlias = "aiohttp.ClientWebSocketResponse[Literal[False]]"
"""A WebSocket that leaves texts as the bytes they came in."""

_DATA = (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)


class Link:
    """One open connection.

    Args:
        number: its number; no other connection of the source has it.
        socket: the WebSocket.
        facts: of the exchange.
        inbox: where frames go.
        clock: monotonic clock.

    Attributes:
        began_ms: when it was opened.
        last_frame_ms: when a frame came last; `began_ms` if none did.
        overflowed: whether it ended because there was no room for its frames.
        reason: why it ended; empty while it has not.
        heard: set once a frame came.
        ended: set once it has ended.
    """

    def __init__(
        self,
        number: int,
        socket: BytesSocket,
        facts: VenueFacts,
        inbox: Inbox,
        clock: Clock,
    ) -> None:
        self.number = number
        self._socket = socket
        self._inbox = inbox
        self._clock = clock
        self.began_ms = self.last_frame_ms = clock.monotonic_ms()
        self.overflowed = False
        self.reason = ""
        self.heard = asyncio.Event()
        self.ended = asyncio.Event()
        self._tasks = [asyncio.create_task(self._read())]
        if facts.ping:
            self._tasks.append(asyncio.create_task(self._ping(facts.ping, facts.ping_ms)))

    async def close(self, reason: str) -> None:
        """Stop reading and close the socket; what was read stays in the inbox."""
        self.reason = self.reason or reason
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await self._socket.close()

    async def _read(self) -> None:
        reason = ""
        try:
            reason = await self._read_to_the_end()
        except (aiohttp.ClientError, OSError) as error:
            reason = words(error)
        finally:
            self.reason = self.reason or reason or "reading it was given up"
            self._inbox.end(self.number)
            self.ended.set()

    async def _read_to_the_end(self) -> str:
        put, number, clock = self._inbox.put, self.number, self._clock
        async for message in self._socket:
            if message.type not in _DATA:
                return f"it ended with {message.type.name}"
            if not put(number, message.data):
                self.overflowed = True
                return (
                    "its frames are not taken: dropping the connection, not single trades; "
                    "they are asked for later"
                )
            self.last_frame_ms = clock.monotonic_ms()
            self.heard.set()
        return f"the exchange closed it (code {self._socket.close_code})"

    async def _ping(self, text: str, every_ms: int) -> None:
        with contextlib.suppress(aiohttp.ClientError, OSError):
            while True:
                await asyncio.sleep(every_ms / 1_000)
                await self._socket.send_str(text)


async def open_socket(
    http: aiohttp.ClientSession, opening: Opening, timeout_ms: int
) -> BytesSocket:
    """Connect and send what is to be sent first.

    Raises:
        TimeoutError: it took longer than `timeout_ms`.
        aiohttp.ClientError: it was refused.
        OSError: nobody is there.
    """
    async with asyncio.timeout(timeout_ms / 1_000):
        socket = await http.ws_connect(
            opening.url,
            compress=0,
            heartbeat=HEARTBEAT_S,
            max_msg_size=FRAME_BYTES_MAX,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
            decode_text=False,
        )
        try:
            for frame in opening.frames:
                await socket.send_str(frame)
        except BaseException:
            await socket.close()
            raise
    return socket
