"""Frames of all connections that wait to be taken: bounded, in the order they came."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate


@dataclass(slots=True)
class Run:
    """Frames of one connection that came one after another.

    Attributes:
        connection: its number.
        frames: in order.
        has_ended: whether the connection ended after them.
    """

    connection: int
    frames: list[bytes] = field(default_factory=list)
    has_ended: bool = False


class Inbox:
    """Frames by the number of their connection.

    Args:
        frames_max: frames that may wait.
        bytes_max: bytes that may wait.
    """

    def __init__(self, frames_max: int, bytes_max: int) -> None:
        self._frames_max = frames_max
        self._bytes_max = bytes_max
        self._runs: deque[Run] = deque()
        self._last: Run | None = None
        self._count = 0
        self._bytes = 0
        self._is_told = False
        self._waiter: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_ms = 0
        self._room = asyncio.Event()
        self._room.set()

    def put(self, connection: int, frames: Sequence[bytes], *, wakes: bool = True) -> bool:
        """Add frames.

        Args:
            connection: number of the connection that brought them.
            frames: in order.
            wakes: whether they are news; False = they wait until something else is, or `rouse`.

        Returns:
            False if there was no room for some of them, which were not taken.
        """
        size = sum(map(len, frames))
        has_room = (
            self._count + len(frames) <= self._frames_max and self._bytes + size <= self._bytes_max
        )
        if has_room:
            self._add(connection, frames, size)
        else:
            fitting = self._fitting(frames)
            self._add(connection, fitting, sum(map(len, fitting)))
            self._room.clear()
        if wakes or not has_room:
            self.tell()
        return has_room

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
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def rouse(self) -> None:
        """Make news of the frames that wait, if any do."""
        if self._runs:
            self.tell()

    def take(self, count_max: int) -> list[Run]:
        """Take frames, `count_max` at most, in runs of their connections."""
        taken = []
        while self._runs and count_max:
            run = self._runs[0]
            if len(run.frames) > count_max:
                run = Run(run.connection, run.frames[:count_max])
                del self._runs[0].frames[:count_max]
            else:
                self._runs.popleft()
            taken.append(run)
            count_max -= len(run.frames)
            self._count -= len(run.frames)
            self._bytes -= sum(map(len, run.frames))
        if self._runs:
            self._is_told = True
        else:
            self._last = None
        if 2 * self._count <= self._frames_max and 2 * self._bytes <= self._bytes_max:
            self._room.set()
        return taken

    async def wait_for_news(self, timeout_ms: int) -> None:
        """Wait until there is news, for `timeout_ms` milliseconds at most.

        It may end early without any: a timer that an earlier call has set is used again, since
        news come many times before it rings.
        """
        if not self._is_told:
            loop = asyncio.get_running_loop()
            if self._alarm is None or timeout_ms < self._alarm_ms:
                self._set_alarm(loop, timeout_ms)
            self._waiter = loop.create_future()
            await self._waiter
        self._is_told = False

    async def wait_for_room(self) -> None:
        """Wait until at most half of what may wait does."""
        await self._room.wait()

    def _fitting(self, frames: Sequence[bytes]) -> Sequence[bytes]:
        """Those of some frames, from the first on, for which there is room."""
        sizes = accumulate(map(len, frames), initial=self._bytes)
        count = sum(size <= self._bytes_max for size in sizes) - 1
        return frames[: min(count, self._frames_max - self._count)]

    def _add(self, connection: int, frames: Sequence[bytes], size: int) -> None:
        self._count += len(frames)
        self._bytes += size
        if self._last is not None and self._last.connection == connection:
            self._last.frames += frames
        elif frames:
            self._begin(Run(connection, list(frames)))

    def _begin(self, run: Run) -> None:
        self._runs.append(run)
        self._last = run

    def _set_alarm(self, loop: asyncio.AbstractEventLoop, timeout_ms: int) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = loop.call_later(timeout_ms / 1_000, self._ring)
        self._alarm_ms = timeout_ms

    def _ring(self) -> None:
        self._alarm = None
        self.tell()
