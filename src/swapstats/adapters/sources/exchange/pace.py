"""How often connections are read: what comes in between waits in the operating system."""

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol

REST_BYTES_MAX = 1 << 15
"""So much is read during a rest: more would fill what the operating system keeps."""


class Socket(Protocol):
    """The part of a socket that is needed."""

    def setsockopt(self, level: int, optname: int, value: int, /) -> None:
        """Set an option."""
        ...


class Pace:
    """Lets connections rest after they have read something, and read on together.

    Trades come one by one, and a process that is woken up for each spends most of its time on
    being woken up. With a rest it is woken up once for all that came meanwhile. What comes after
    a quiet time is read at once: only the next read has to wait. The end of a connection is seen
    at once too.

    During a rest the operating system calls the socket readable from REST_BYTES_MAX on
    (SO_RCVLOWAT), which costs less than to stop and start reading. What is read during a rest,
    that much or by a connection that does not rest, waits for its end like all else: so nothing
    waits longer than one rest, and each rest ends with one batch. Where the operating system does
    not know SO_RCVLOWAT, all of it waits that way.

    Args:
        rest_ms: how long a rest is; 0 = none.
        on_end: called at the end of each rest.
    """

    def __init__(self, rest_ms: int, on_end: Callable[[], None] = lambda: None) -> None:
        self._rest_s = rest_ms / 1_000
        self._on_end = on_end
        self._resting: set[Socket] = set()

    @property
    def is_resting(self) -> bool:
        """Whether what is read now is to wait for the end of a rest."""
        return bool(self._resting)

    def rest(self, connection: Socket) -> None:
        """Let a connection rest until all others that rest read on too."""
        resting = self._resting
        if connection in resting or not self._rest_s:
            return
        if not resting:
            asyncio.get_running_loop().call_later(self._rest_s, self._read_on)
        resting.add(connection)
        _read_from(connection, REST_BYTES_MAX)

    def _read_on(self) -> None:
        for connection in self._resting:
            _read_from(connection, 1)
        self._resting.clear()
        self._on_end()


def _read_from(connection: Socket, count: int) -> None:
    """Have a socket called readable once `count` bytes wait; one that is closed does not mind."""
    try:  # noqa: SIM105 - several times quicker, and this is done for each batch
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
    except OSError:
        pass
