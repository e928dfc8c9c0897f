"""Frames of all connections that wait to be taken: bounded, in the order they came."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Run:
    """Frames of one connection that came one after another.

    Attributes:
        connection: its number.
        frames: in order.
        has_ended: whether the connection ended after them.
    """

    connection: int
    frames: list[str | bytes] = field(default_factory=list)
    has_ended: bool = False


class Inbox:
    """Frames by the number of their connection.

    Args:
        frames_max: frames that may wait.
    """

    def __init__(self, frames_max: int) -> None:
        self._frames_max = frames_max
        self._runs: deque[Run] = deque()
        self._last: Run | None = None
        self._count = 0
        self._is_told = False
        self._waiter: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self._room.set()

    def put(self, connection: int, frames: Sequence[str | bytes]) -> bool:
        """Add frames; False if there is no room for some of them, which are not taken."""
        room = self._frames_max - self._count
        if len(frames) > room:
            self._add(connection, frames[:room])
            self._room.clear()
            self.tell()
            return False
        self._add(connection, frames)
        if self._waiter is not None:
            self._wake()
        return True

    def end(self, connection: int) -> None:
        """Note, after its frames, that a connection has ended."""
        if self._last is None or self._last.connection != connection:
            self._begin(Run(connection))
        self._runs[-1].has_ended = True
        self._last = None
        self.tell()

    def tell(self) -> None:
        """Wake whoever waits for news, or waits for them next."""
        self._is_told = True
        self._wake()

    def take(self, count_max: int) -> list[Run]:
        """Take frames, `count_max` at most, in runs of their connections."""
        taken = []
        while self._runs and count_max:
            run = self._runs[0]
            if len(run.frames) > count_max:
                taken.append(Run(run.connection, run.frames[:count_max]))
                del run.frames[:count_max]
                self._count -= count_max
                break
            taken.append(self._runs.popleft())
            self._count -= len(run.frames)
            count_max -= len(run.frames)
        if not self._runs:
            self._last = None
        if 2 * self._count <= self._frames_max:
            self._room.set()
        return taken

    async def wait_for_news(self, timeout_ms: int) -> None:
        """Wait until something came or was told, for `timeout_ms` milliseconds at most."""
        if not self._runs and not self._is_told:
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

    def _add(self, connection: int, frames: Sequence[str | bytes]) -> None:
        self._count += len(frames)
        if self._last is not None and self._last.connection == connection:
            self._last.frames += frames
        elif frames:
            self._begin(Run(connection, list(frames)))

    def _begin(self, run: Run) -> None:
        self._runs.append(run)
        self._last = run

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._waiter = None
