"""Frames of all connections that wait to be taken: bounded, in the order they came."""

import asyncio
from collections import deque
from itertools import groupby


class Inbox:
    """Frames by the number of their connection.

    Args:
        frames_max: frames that may wait.
    """

    def __init__(self, frames_max: int) -> None:
        self._frames_max = frames_max
        self._frames: deque[tuple[int, str | bytes | None]] = deque()
        self._is_told = False
        self._waiter: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self._room.set()

    def put(self, connection: int, frame: str | bytes) -> bool:
        """Add a frame; False if there is no room for it."""
        if len(self._frames) >= self._frames_max:
            self._room.clear()
            self.tell()
            return False
        self._frames.append((connection, frame))
        if self._waiter is not None:
            self._wake()
        return True

    def end(self, connection: int) -> None:
        """Note, after its frames, that a connection has ended."""
        self._frames.append((connection, None))
        self.tell()

    def tell(self) -> None:
        """Wake whoever waits for news, or waits for them next."""
        self._is_told = True
        self._wake()

    def take(self, count_max: int) -> list[tuple[int, list[str | bytes], bool]]:
        """Take frames: of each connection in turn its number, frames, and whether it ended."""
        taken = [self._frames.popleft() for _ in range(min(len(self._frames), count_max))]
        if 2 * len(self._frames) <= self._frames_max:
            self._room.set()
        runs = []
        for connection, run in groupby(taken, key=lambda entry: entry[0]):
            entries = [frame for _, frame in run]
            frames = [frame for frame in entries if frame is not None]
            runs.append((connection, frames, len(frames) < len(entries)))
        return runs

    async def wait_for_news(self, timeout_ms: int) -> None:
        """Wait until something came or was told, for `timeout_ms` milliseconds at most."""
        if not self._frames and not self._is_told:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = loop.call_later(timeout_ms / 1_000, self._wake)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
        self._is_told = False

    async def wait_for_room(self) -> None:
        """Wait until at most half of the frames that may wait do."""
        await self._room.wait()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._waiter = None
