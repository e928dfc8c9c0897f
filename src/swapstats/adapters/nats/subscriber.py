"""Hears token updates over NATS: those of the tokens someone here watches, and no others.

What comes within one turn of the event loop is delivered as one list. After each connection
everything is subscribed again and `missed` is called: what was published meanwhile is gone.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from swapstats.adapters.nats.link import LINK_ERRORS, NatsLink, confirmed
from swapstats.core.subject import token_subject
from swapstats.core.token_codec import decode_update
from swapstats.errors import Rejected, UsageError
from swapstats.model.token_update import TokenUpdate

KEYS_MAX: Final = 100_000
"""Tokens heard at once."""
WAITING_MAX: Final = 256
"""Messages of one token that may wait for this loop's turn; further ones are missed."""
WAITING_BYTES_MAX: Final = 4 << 20
ANSWER_S_MAX: Final = 2
"""How long `subscribe` waits for the server to confirm."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A subscription, on the connection it was made on."""

    client: Client
    subscription: Subscription


class NatsTokenSubscriber:
    """Hears updates; used from one event loop.

    Args:
        servers: URLs such as `nats://127.0.0.1:4222`.
        keys_max: tokens heard at once.

    Attributes:
        received: updates delivered.
        rejected: messages that were no update of the token of their subject.
        overflows: messages lost because this loop had no time.
    """

    def __init__(self, servers: Sequence[str], *, keys_max: int = KEYS_MAX) -> None:
        self._link = NatsLink(servers, "swapstats subscriber", self._overflowed)
        self._keys_max = keys_max
        self._keys: dict[str, _Held | None] = {}
        self._deliver: Callable[[list[TokenUpdate]], None] | None = None
        self._missed: Callable[[], None] | None = None
        self._arrived: list[TokenUpdate] = []
        self._task: asyncio.Task[None] | None = None
        self.received = self.rejected = self.overflows = 0

    async def connect(
        self,
        deliver: Callable[[list[TokenUpdate]], None],
        missed: Callable[[], None] | None = None,
    ) -> None:
        """Begin; a server that cannot be reached is tried for ever.

        Args:
            deliver: called on the loop with what came, in the order it came.
            missed: called on the loop when updates of any token heard may not have come.

        Raises:
            UsageError: called twice.
        """
        if self._task is not None:
            raise UsageError("Expected one call of connect, was a second one: make a subscriber")
        self._deliver, self._missed = deliver, missed
        self._task = asyncio.ensure_future(self._link.run(self._listen))

    async def subscribe(self, key: str) -> None:
        """Hear a token from now on; harmless if it is heard already.

        Waits up to ANSWER_S_MAX for the server's confirmation; without one, the token is heard
        from the next connection on, and `missed` is called then.

        Raises:
            Rejected: too many tokens, or a key no subject can be made of.
        """
        if key in self._keys:
            return
        if len(self._keys) >= self._keys_max:
            raise Rejected(f"Expected at most {self._keys_max} tokens heard, was one more")
        token_subject(key)
        self._keys[key] = None
        client = self._link.client
        if client is None:
            return
        try:
            await self._subscribe(client, key)
            await confirmed(client, ANSWER_S_MAX)
        except LINK_ERRORS:
            # After an unanswered flush the library may not hear the connection any more.
            if client is self._link.client:
                self._link.give_up()

    async def unsubscribe(self, key: str) -> None:
        """Hear a token no more."""
        held = self._keys.pop(key, None)
        if held is not None:
            with contextlib.suppress(*LINK_ERRORS):
                await held.subscription.unsubscribe()

    @property
    def is_connected(self) -> bool:
        """False while the server cannot be reached."""
        return self._link.client is not None

    async def close(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._deliver = self._missed = None

    async def _listen(self, client: Client) -> None:
        """Subscribe everything on a new connection, then wait until it is lost."""
        for key in list(self._keys):
            await self._subscribe(client, key)
        await confirmed(client, ANSWER_S_MAX)
        if self._keys:
            self._tell_missed()
        await asyncio.Event().wait()

    async def _subscribe(self, client: Client, key: str) -> None:
        """Subscribe a token on this connection, if nobody did so meanwhile."""
        if not self._is_wanted(client, key):
            return

        async def heard(message: Msg) -> None:
            self._heard(key, message.data)

        subscription = await client.subscribe(
            token_subject(key),
            cb=heard,
            pending_msgs_limit=WAITING_MAX,
            pending_bytes_limit=WAITING_BYTES_MAX,
        )
        if self._is_wanted(client, key):
            self._keys[key] = _Held(client, subscription)
        else:
            # Unsubscribed or subscribed by another task in the meantime.
            await subscription.unsubscribe()

    def _is_wanted(self, client: Client, key: str) -> bool:
        """True if a token is to be heard and is not yet on this connection."""
        if key not in self._keys:
            return False
        held = self._keys[key]
        return held is None or held.client is not client

    def _heard(self, key: str, payload: bytes) -> None:
        try:
            update = decode_update(payload)
        except Rejected:
            self.rejected += 1
            return
        if update.key != key:
            self.rejected += 1
            return
        if not self._arrived:
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._arrived.append(update)

    def _hand_over(self) -> None:
        arrived, self._arrived = self._arrived, []
        if self._deliver is not None:
            self.received += len(arrived)
            self._deliver(arrived)

    def _overflowed(self) -> None:
        self.overflows += 1
        self._tell_missed()

    def _tell_missed(self) -> None:
        if self._missed is not None:
            self._missed()
