"""How often connections are read: what comes in between waits in the operating system."""

import asyncio
from typing import Protocol


class Readable(Protocol):
    """What can be kept from reading, such as an asyncio transport."""

    def pause_reading(self) -> None:
        """Read no more."""
        ...

    def resume_reading(self) -> None:
        """Read on."""
        ...

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        ...


class Pace:
    """Lets connections rest after they have read something, and read on together.

    Trades come one by one, and a process that is woken up for each spends most of its time on
    being woken up. With a rest it is woken up once for all that came meanwhile. What comes after
    a quiet time is read at once: only the next read has to wait.

    Args:
        rest_ms: how long a rest is; 0 = none.
    """

    def __init__(self, rest_ms: int) -> None:
        self._rest_s = rest_ms / 1_000
        self._resting: list[Readable] = []

    def rest(self, connection: Readable) -> None:
        """Let a connection rest until all others that rest read on too."""
        if not self._rest_s or connection.is_closing():
            return
        connection.pause_reading()
        self._resting.append(connection)
        if len(self._resting) == 1:
            asyncio.get_running_loop().call_later(self._rest_s, self._read_on)

    def _read_on(self) -> None:
        rested, self._resting = self._resting, []
        for connection in rested:
            if not connection.is_closing():
                connection.resume_reading()
