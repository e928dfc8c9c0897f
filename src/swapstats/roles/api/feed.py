"""Hands updates from the aggregator's thread over to the API's event loop; bounded.

`publish` never blocks on the loop and never raises. While the loop keeps up it gets every update
as it is; when it is behind, the updates of a partition are merged into one.
"""

import asyncio
from collections.abc import Callable
from threading import Lock

from swapstats.core.merge_updates import merge_updates
from swapstats.model.effects import StatsUpdate

PENDING_MAX = 64
"""Updates of one partition kept apart; one more, and they are merged."""
ROWS_MAX = 50_000
"""Rows kept apart per partition, unless the last merge alone has more."""


class ApiFeed:
    """A FanOut whose reader lives on an event loop.

    Args:
        pending_max: updates of one partition kept apart before they are merged.

    Attributes:
        merged: how many updates were merged into a later one.
    """

    def __init__(self, pending_max: int = PENDING_MAX) -> None:
        self.merged = 0
        self._pending_max = pending_max
        self._lock = Lock()
        self._pending: dict[int, list[StatsUpdate]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._deliver: Callable[[list[StatsUpdate]], None] | None = None
        self._called = False

    def publish(self, update: StatsUpdate) -> None:
        """Take an update; callable from any thread, updates of one partition in order."""
        with self._lock:
            waiting = self._pending.setdefault(update.partition, [])
            if waiting and waiting[-1].seq >= update.seq:
                # Left to the reader, who drops and counts it; never merged.
                if len(waiting) < 2 * self._pending_max:
                    waiting.append(update)
                return
            waiting.append(update)
            rows = sum(len(other.token_ids) for other in waiting[1:])
            if len(waiting) > self._pending_max or rows > max(ROWS_MAX, len(waiting[0].token_ids)):
                self._merge(waiting)
            self._wake()

    def attach(
        self, loop: asyncio.AbstractEventLoop, deliver: Callable[[list[StatsUpdate]], None]
    ) -> None:
        """Deliver on this loop from now on, what waits first."""
        with self._lock:
            self._loop, self._deliver, self._called = loop, deliver, False
            self._wake()

    def detach(self) -> None:
        """Deliver no more; what comes is merged and kept."""
        with self._lock:
            self._loop = self._deliver = None

    def _merge(self, waiting: list[StatsUpdate]) -> None:
        joined = waiting[0]
        for update in waiting[1:]:
            if update.seq > joined.seq:
                joined = merge_updates(joined, update)
        self.merged += len(waiting) - 1
        waiting[:] = [joined]

    def _wake(self) -> None:
        if self._called or self._loop is None or not self._pending:
            return
        try:
            self._loop.call_soon_threadsafe(self.deliver_waiting)
        except RuntimeError:
            # The loop is closed: the server is gone, nobody reads any more.
            self._loop = self._deliver = None
            return
        self._called = True

    def deliver_waiting(self) -> None:
        """Deliver what waits, now; to be called on the loop's thread only."""
        with self._lock:
            self._called = False
            deliver = self._deliver
            if deliver is None:
                return
            pending, self._pending = self._pending, {}
        if pending:
            deliver([update for updates in pending.values() for update in updates])
