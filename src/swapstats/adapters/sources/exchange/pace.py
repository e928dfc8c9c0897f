"""How often connections are read: what comes in between waits in the operating system."""

import asyncio
import contextlib
import socket
from typing import Protocol

REST_BYTES_MAX = 1 << 13
"""So much ends a rest early: it is worth being woken up for."""


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
    (SO_RCVLOWAT), which costs less than to stop and start reading. Where it cannot, nothing rests.

    Args:
        rest_ms: how long a rest is; 0 = none.
    """

    def __init__(self, rest_ms: int) -> None:
        self._rest_s = rest_ms / 1_000
        self._resting: set[Socket] = set()

    def rest(self, connection: Socket) -> None:
        """Let a connection rest until all others that rest read on too."""
        if not self._rest_s or connection in self._resting:
            return
        if not self._resting:
            asyncio.get_running_loop().call_later(self._rest_s, self._read_on)
        self._resting.add(connection)
        _read_from(connection, REST_BYTES_MAX)

    def _read_on(self) -> None:
        rested, self._resting = self._resting, set()
        for connection in rested:
            _read_from(connection, 1)


def _read_from(connection: Socket, count: int) -> None:
    """Have a socket called readable once `count` bytes wait; one that is closed does not mind."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
