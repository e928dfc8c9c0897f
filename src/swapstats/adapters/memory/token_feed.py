"""Token updates within one process: the feed of a service that needs no broker.

Any thread publishes; each subscriber hears on its own event loop. A loop that has no time gets the
newest update of each token, never a queue that grows.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Final

from swapstats.errors import Rejected, UsageError
from swapstats.model.token_update import TokenUpdate

KEYS_MAX: Final = 100_000
"""Tokens one subscriber hears at once."""


class MemoryTokenFeed:
    """Where publishers and subscribers of one process meet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[str, set[MemoryTokenSubscriber]] = {}

    def publisher(self) -> "MemoryTokenPublisher":
        """Make an owner's side."""
        return MemoryTokenPublisher(self)

    def subscriber(self, *, keys_max: int = KEYS_MAX) -> "MemoryTokenSubscriber":
        """Make the side of one who serves."""
        return MemoryTokenSubscriber(self, keys_max)

    def send(self, updates: Sequence[TokenUpdate]) -> int:
        """Hand updates to those who hear their tokens; returns how many somebody heard."""
        sent = 0
        with self._lock:
            for update in updates:
                listeners = self._listeners.get(update.key, ())
                sent += bool(listeners)
                for listener in listeners:
                    listener.offer(update)
        return sent

    def listen(self, key: str, listener: "MemoryTokenSubscriber") -> None:
        """Let a subscriber hear a token."""
        with self._lock:
            self._listeners.setdefault(key, set()).add(listener)

    def forget(self, key: str, listener: "MemoryTokenSubscriber") -> None:
        """Let a subscriber hear a token no more."""
        with self._lock:
            listeners = self._listeners.get(key, set())
            listeners.discard(listener)
            if not listeners:
                self._listeners.pop(key, None)


class MemoryTokenPublisher:
    """The owner's side; from any thread.

    Args:
        feed: where the subscribers are.

    Attributes:
        sent: updates somebody heard.
    """

    def __init__(self, feed: MemoryTokenFeed) -> None:
        self._feed: MemoryTokenFeed | None = feed
        self.sent = 0

    def publish(self, updates: Sequence[TokenUpdate]) -> None:
        """Send updates; never blocks and never raises."""
        feed = self._feed
        if feed is not None:
            self.sent += feed.send(updates)

    def close(self) -> None:
        """Send no more."""
        self._feed = None


class MemoryTokenSubscriber:
    """The side of those who serve; used from one event loop.

    Args:
        feed: where the publishers are.
        keys_max: tokens heard at once.
    """

    def __init__(self, feed: MemoryTokenFeed, keys_max: int) -> None:
        self._feed = feed
        self._keys_max = keys_max
        self._keys: set[str] = set()
        self._deliver: Callable[[list[TokenUpdate]], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._pending: dict[str, TokenUpdate] = {}

    async def connect(
        self,
        deliver: Callable[[list[TokenUpdate]], None],
        missed: Callable[[], None] | None = None,
    ) -> None:
        """Begin; nothing is ever missed here, so `missed` is never called.

        Raises:
            UsageError: called twice.
        """
        del missed
        if self._deliver is not None:
            raise UsageError("Expected one call of connect, was a second one: make a subscriber")
        self._deliver, self._loop = deliver, asyncio.get_running_loop()

    async def subscribe(self, key: str) -> None:
        """Hear a token from now on; harmless if it is heard already.

        Raises:
            Rejected: too many tokens.
        """
        if key not in self._keys and len(self._keys) >= self._keys_max:
            raise Rejected(f"Expected at most {self._keys_max} tokens heard, was one more")
        self._keys.add(key)
        self._feed.listen(key, self)

    async def unsubscribe(self, key: str) -> None:
        """Hear a token no more."""
        self._keys.discard(key)
        self._feed.forget(key, self)

    @property
    def is_connected(self) -> bool:
        """True from `connect` to `close`."""
        return self._deliver is not None

    async def close(self) -> None:
        """End."""
        for key in list(self._keys):
            await self.unsubscribe(key)
        self._deliver = None

    def offer(self, update: TokenUpdate) -> None:
        """Take an update from any thread; it is delivered at the loop's next turn."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        with self._lock:
            earlier = self._pending.get(update.key)
            is_first = not self._pending
            self._pending[update.key] = update if earlier is None else update.standing_for(earlier)
        if is_first:
            loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        with self._lock:
            arrived, self._pending = self._pending, {}
        heard = [update for update in arrived.values() if update.key in self._keys]
        if self._deliver is not None and heard:
            self._deliver(heard)
