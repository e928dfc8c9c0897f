"""A small server of a test, on an event loop in a thread of its own."""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final, Self, TypeVar

ResultT = TypeVar("ResultT")

_WAIT_S: Final = 10.0


class ThreadedServer(ABC):
    """Begins in `start` (or `with`) and ends in `close`; its coroutines run on its own loop.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()
        self._run(self._open())

    def close(self) -> None:
        """Drop every connection and end; harmless when repeated."""
        if self._loop.is_closed():
            return
        if self._thread.is_alive():
            self._run(self._shut())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_WAIT_S)
        self._loop.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    async def _open(self) -> None:
        """Listen."""

    @abstractmethod
    async def _shut(self) -> None:
        """Stop listening, and drop every connection."""

    def _run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Run a coroutine on the loop, from another thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_WAIT_S)
