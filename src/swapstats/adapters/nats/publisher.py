"""Publishes token updates over NATS, from a thread of its own.

Updates wait in a table with one place a token: a newer one takes the place of an older one, so a
slow, paused or dead server costs memory for each token once and time for nobody. A batch counts as
sent when the server has answered the ping after it; otherwise its updates wait again.
"""

import asyncio
import threading
from collections.abc import Sequence
from typing import Final

import structlog
from nats.aio.client import Client

from swapstats.adapters.nats.link import NatsLink, confirmed
from swapstats.core.subject import token_subject
from swapstats.core.token_codec import encode_update
from swapstats.errors import Rejected
from swapstats.model.token_update import TokenUpdate

PENDING_MAX: Final = 200_000
"""Tokens that may wait at once."""
BATCH_MAX: Final = 1_000
"""Updates sent before the server must answer."""
ANSWER_S_MAX: Final = 2
"""How long the server may take for that; then the connection is made anew."""
CLOSE_S_MAX: Final = 5
SUBJECTS_MAX: Final = 200_000
"""Subjects remembered, so that a key is encoded once."""

_log = structlog.get_logger("swapstats.nats")


class NatsTokenPublisher:
    """Sends updates; `publish` from any thread.

    Args:
        servers: URLs such as `nats://127.0.0.1:4222`.
        pending_max: tokens that may wait at once; updates of further tokens are dropped.

    Attributes:
        sent: updates the server has.
        coalesced: updates a newer one took the place of before they were sent.
        dropped: updates not sent: too many tokens waited, or they could not be encoded.
    """

    def __init__(self, servers: Sequence[str], *, pending_max: int = PENDING_MAX) -> None:
        self._pending_max = pending_max
        self._lock = threading.Lock()
        self._pending: dict[str, TokenUpdate] = {}
        self._subjects: dict[str, str] = {}
        self._closing = False
        self.sent = self.coalesced = self.dropped = 0
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._link = NatsLink(servers, "swapstats publisher")
        self._thread = threading.Thread(target=self._run, name="nats-publisher", daemon=True)
        self._thread.start()

    @property
    def is_connected(self) -> bool:
        """False while the server cannot be reached."""
        return self._link.client is not None

    @property
    def waiting(self) -> int:
        """Tokens with an update that waits."""
        return len(self._pending)

    def publish(self, updates: Sequence[TokenUpdate]) -> None:
        """Send updates; never blocks and never raises: what cannot be sent is dropped, counted."""
        if not updates:
            return
        with self._lock:
            if self._closing:
                self.dropped += len(updates)
                return
            was_empty = not self._pending
            for update in updates:
                self._put(update)
            if was_empty:
                self._loop.call_soon_threadsafe(self._wake.set)

    def close(self) -> None:
        """Send what waits, for some seconds at most, and release the connection."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            self._loop.call_soon_threadsafe(self._begin_to_stop)
        self._thread.join()
        with self._lock:
            self.dropped += len(self._pending)
            self._pending.clear()

    def _begin_to_stop(self) -> None:
        self._wake.set()
        self._stop.set()

    def _put(self, update: TokenUpdate) -> None:
        """Let an update wait; the lock is held."""
        earlier = self._pending.get(update.key)
        if earlier is not None:
            self.coalesced += 1
            self._pending[update.key] = update.standing_for(earlier)
        elif len(self._pending) < self._pending_max:
            self._pending[update.key] = update
        else:
            self.dropped += 1

    def _take(self) -> list[TokenUpdate]:
        with self._lock:
            keys = list(self._pending) if len(self._pending) <= BATCH_MAX else None
            if keys is None:
                oldest = iter(self._pending)
                keys = [next(oldest) for _ in range(BATCH_MAX)]
            return [self._pending.pop(key) for key in keys]

    def _put_back(self, batch: list[TokenUpdate]) -> None:
        """Let updates wait again whose sending is in doubt; newer ones of their tokens stand."""
        with self._lock:
            for update in batch:
                newer = self._pending.get(update.key)
                if newer is not None:
                    self.coalesced += 1
                    self._pending[update.key] = newer.standing_for(update)
                elif len(self._pending) < self._pending_max:
                    self._pending[update.key] = update
                else:
                    self.dropped += 1

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except Exception:  # noqa: BLE001 - the top of this thread
            # The feed is not relied on: the process goes on without it.
            _log.exception("nats.publisher_failed")
            with self._lock:
                self._closing = True
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        link = asyncio.ensure_future(self._link.run(self._send))
        stop = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({link, stop}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({link}, timeout=CLOSE_S_MAX if self.is_connected else 0)
        link.cancel()
        stop.cancel()
        for result in await asyncio.gather(link, stop, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def _send(self, client: Client) -> None:
        """Send what waits until told to close; whoever cancels this loses nothing."""
        while True:
            self._wake.clear()
            batch = self._take()
            if not batch:
                if self._closing:
                    return
                await self._wake.wait()
                continue
            is_taken = False
            try:
                sent = 0
                for update in batch:
                    sent += await self._send_one(client, update)
                await confirmed(client, ANSWER_S_MAX)
                is_taken = True
                self.sent += sent
            finally:
                if not is_taken:
                    self._put_back(batch)

    async def _send_one(self, client: Client, update: TokenUpdate) -> int:
        try:
            subject = self._subjects.get(update.key)
            if subject is None:
                subject = token_subject(update.key)
                if len(self._subjects) >= SUBJECTS_MAX:
                    self._subjects.clear()
                self._subjects[update.key] = subject
            payload = encode_update(update)
        except Rejected:
            self.dropped += 1
            return 0
        await client.publish(subject, payload)
        return 1
