"""Hears which of the tokens watched here changed, and wakes the replica for their partitions.

Only tokens that a WebSocket client of this process watches are subscribed. What is heard is a hint
and nothing else: the numbers come from the hot store, which is the only order of events. Owners
put first and publish then, so a woken look finds what was published. Without the feed, or for a
token it has no room for, the cadence of the replica carries on alone.
"""

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice

import structlog

from swapstats.errors import Rejected
from swapstats.model.token_update import TokenUpdate
from swapstats.ports.token_feed import TokenSubscriber

TOGETHER_MAX = 64
"""Subscriptions asked for at once: each waits for the server's word."""

_log = structlog.get_logger("swapstats.serve")


class Hearing:
    """Keeps the subscriptions of the feed equal to what clients watch; lives on the event loop.

    Args:
        subscriber: of the feed; not connected yet.
        wake: looks at partitions at once; None = at all.

    Attributes:
        heard: updates heard.
        refused: tokens the feed would not take.
    """

    def __init__(
        self,
        subscriber: TokenSubscriber,
        wake: Callable[[Iterable[int] | None], None],
    ) -> None:
        self._subscriber = subscriber
        self._wake = wake
        self._keys: set[str] = set()
        self._pending: dict[str, bool] = {}
        self._changed = asyncio.Event()
        self.heard = 0
        self.refused = 0

    @property
    def is_connected(self) -> bool:
        """False while the feed cannot be reached."""
        return self._subscriber.is_connected

    def watched(self, key: str, watched: bool) -> None:
        """Take note that a token got its first watcher, or lost its last one."""
        if watched == (key in self._keys):
            self._pending.pop(key, None)
        else:
            self._pending[key] = watched
            self._changed.set()

    async def run(self) -> None:
        """Subscribe and unsubscribe until cancelled."""
        try:
            await self._subscriber.connect(self._arrived, self._missed)
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._follow()
        finally:
            await self._subscriber.close()

    async def _follow(self) -> None:
        while self._pending:
            batch = list(islice(self._pending.items(), TOGETHER_MAX))
            for key, watched in batch:
                del self._pending[key]
                # Said before it is done: what comes meanwhile is compared with this.
                (self._keys.add if watched else self._keys.discard)(key)
            await asyncio.gather(*(self._tell(key, watched) for key, watched in batch))

    async def _tell(self, key: str, watched: bool) -> None:
        if not watched:
            await self._subscriber.unsubscribe(key)
            return
        try:
            await self._subscriber.subscribe(key)
        except Rejected as error:
            self.refused += 1
            if self.refused == 1:
                _log.warning("feed refused a token", error=str(error))

    def _arrived(self, updates: list[TokenUpdate]) -> None:
        self.heard += len(updates)
        self._wake({update.partition for update in updates})

    def _missed(self) -> None:
        self._wake(None)
