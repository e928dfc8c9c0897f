"""A connection to NATS that is made again for ever, each time from scratch.

The client library could reconnect by itself, but would then send what it had buffered for minutes.
Here a lost connection takes its buffers with it; who uses the link knows what is still worth
sending.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from nats.aio.client import Client
from nats.errors import Error, SlowConsumerError

CONNECT_S_MAX: Final = 2
"""How long a server may take to answer a new connection."""
PING_S: Final = 5
PINGS_MAX: Final = 2
"""Unanswered pings after which a connection is given up."""
CLOSE_S_MAX: Final = 1
CANCEL_S: Final = 0.1
BUFFER_POLL_S: Final = 0.0005
BACKOFF_FIRST_S: Final = 0.05
BACKOFF_S_MAX: Final = 5.0

LINK_ERRORS: Final = (Error, OSError, TimeoutError, asyncio.TimeoutError)
"""What a broken or refused connection raises."""


class NatsLink:
    """Keeps one connection; lives on one event loop.

    Args:
        servers: URLs such as `nats://127.0.0.1:4222`; may hold user and password.
        name: shown in the server's list of connections.
        overflowed: called when the library had to drop a message that came.

    Attributes:
        client: the present connection; None while there is none.
        connections: how many were made so far.
    """

    def __init__(
        self, servers: Sequence[str], name: str, overflowed: Callable[[], None] | None = None
    ) -> None:
        self._servers = list(servers)
        self._name = name
        self._overflowed = overflowed
        self.client: Client | None = None
        self.connections = 0
        self._lost = asyncio.Event()

    def give_up(self) -> None:
        """Take the present connection for lost; `run` makes another one."""
        self._lost.set()

    async def run(self, use: Callable[[Client], Awaitable[None]]) -> None:
        """Connect, use, and begin anew when the connection is lost, until `use` returns.

        Args:
            use: awaited on each connection; cancelled when that is lost. What LINK_ERRORS holds
                is taken for a lost connection, anything else is raised on.
        """
        failures = 0
        while True:
            client, closed = Client(), asyncio.Event()
            self._lost = closed
            try:
                await self._connect(client, closed)
                self.client = client
                self.connections += 1
                failures = 0
                await _until(closed, use(client))
            except LINK_ERRORS:
                failures += 1
            else:
                return
            finally:
                self.client = None
                await _closed(client)
            await asyncio.sleep(_backoff_s(failures))

    async def _connect(self, client: Client, closed: asyncio.Event) -> None:
        async def note_closed() -> None:
            closed.set()

        async def note_error(error: Exception) -> None:
            if isinstance(error, SlowConsumerError) and self._overflowed is not None:
                self._overflowed()

        async with asyncio.timeout(2 * CONNECT_S_MAX):
            await client.connect(
                servers=self._servers,
                name=self._name,
                allow_reconnect=False,
                connect_timeout=CONNECT_S_MAX,
                ping_interval=PING_S,
                max_outstanding_pings=PINGS_MAX,
                closed_cb=note_closed,
                error_cb=note_error,
            )


async def confirmed(client: Client, answer_s_max: int) -> None:
    """Wait until the server has taken all that was sent so far.

    Raises:
        TimeoutError: it did not answer in time; the library may be deaf to the connection now.
        nats.errors.Error: the connection is closed.
    """
    async with asyncio.timeout(answer_s_max):
        # The library writes its ping past the commands it still holds: let those go out first.
        while client.pending_data_size:  # noqa: ASYNC110 - the library has no event for it
            await asyncio.sleep(BUFFER_POLL_S)
    await client.flush(answer_s_max)


async def _until(closed: asyncio.Event, using: Awaitable[None]) -> None:
    """Await the use of a connection; ConnectionError if the connection ends first."""
    use = asyncio.ensure_future(using)
    watch = asyncio.ensure_future(closed.wait())
    try:
        await asyncio.wait({use, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not use.done():
            raise ConnectionError("the connection was lost")
        await use
    finally:
        watch.cancel()
        while not use.done():
            # The library swallows a cancellation now and then.
            use.cancel()
            await asyncio.wait({use, watch}, timeout=CANCEL_S)
        await asyncio.gather(use, watch, return_exceptions=True)


async def _closed(client: Client) -> None:
    """Close a connection, whatever state it is in; what it has not sent is given up."""
    # A dead or paused peer would keep `close` waiting for what is buffered.
    client._pending, client._pending_data_size = [], 0  # noqa: SLF001 - no public way to do so
    writer = getattr(client._transport, "_io_writer", None)  # noqa: SLF001 - the same
    if isinstance(writer, asyncio.StreamWriter):
        writer.transport.abort()
    with contextlib.suppress(*LINK_ERRORS):
        async with asyncio.timeout(CLOSE_S_MAX):
            await client.close()


def _backoff_s(failures: int) -> float:
    """Seconds to wait: growing, with a jitter so that instances do not come back in step."""
    longest: float = min(BACKOFF_FIRST_S * 2.0 ** min(failures, 16), BACKOFF_S_MAX)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
