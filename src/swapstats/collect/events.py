"""The events of one source as an asynchronous iterator that goes on where it was.

    state file ──> source ──> event, event, event ──> state file ──> source ...
                              (one batch, taken)

A batch is noted once the event after it is asked for: by then whoever iterates is done with it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

import msgspec

from swapstats.adapters.embedded.collector_state import CollectorState
from swapstats.model.raw_event import ExchangeTrade, PoolSwap
from swapstats.ports.source import NO_NOTES, Source, SourceBatch, SourceStatus

EventT = TypeVar("EventT", PoolSwap, ExchangeTrade)
ResultT = TypeVar("ResultT")


class Events(AsyncIterator[EventT], Generic[EventT]):
    """Events of a chain or an exchange, each at least once and in order.

    It begins with the first event that is asked for and ends with an error, with `aclose`, or when
    the task that waits for it is cancelled; connections and files are closed by then. It can be
    iterated once, by one task.

    Args:
        source: what is collected.
        kind: of its events.
        state: file in which its position is kept; None = it starts anew each time.
        name: under which it is kept there; None = the source's own.

    Attributes:
        name: under which it is kept.
    """

    def __init__(
        self,
        source: Source,
        kind: type[EventT],
        state: Path | str | None = None,
        name: str | None = None,
    ) -> None:
        self.name = name or source.name
        self._source = source
        decode: Callable[[bytes], EventT] = msgspec.json.Decoder(kind).decode
        path = None if state is None else Path(state)
        self._running: AsyncGenerator[EventT, None] = _run(source, decode, path, self.name)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> EventT:
        """Wait for the next event; what came before it is noted.

        Raises:
            Rejected: the source cannot go on: see the message.
            StoreError: the state cannot be read or written.
            Fenced: another collector of this name opened the same state.
        """
        return await anext(self._running)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def status(self) -> SourceStatus:
        """Whether events come, and what is in the way."""
        return self._source.status()

    async def aclose(self) -> None:
        """End: close connections and the state. The event given last counts as not taken."""
        await self._running.aclose()


async def close(events: object) -> None:
    """Close a stream of events that can be closed."""
    aclose = getattr(events, "aclose", None)
    if aclose is not None:
        await aclose()


async def _run(
    source: Source, decode: Callable[[bytes], EventT], path: Path | None, name: str
) -> AsyncGenerator[EventT, None]:
    # It knows nothing of `Events`: a loop that is left frees that, and this is closed with it.
    async with AsyncExitStack() as stack:
        state, position, notes = None, None, NO_NOTES
        if path is not None:
            state = _State()
            stack.callback(state.close)
            position, notes = await state.open(path, name)
        batches = source.open(position, notes)
        if isinstance(batches, AsyncGenerator):
            stack.push_async_callback(batches.aclose)
        async for batch in batches:
            for index in range(len(batch.block)):
                yield decode(batch.block.message(index))
            if state is not None:
                await state.save(batch)


class _State:
    """A state file on a thread of its own: a slow disk holds up nobody else."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="collector-state")
        self._file: CollectorState | None = None

    async def open(self, path: Path, name: str) -> tuple[str | None, Mapping[str, str]]:
        def work() -> tuple[str | None, Mapping[str, str]]:
            self._file = CollectorState(path, name)
            return self._file.load()

        return await self._do(work)

    async def save(self, batch: SourceBatch) -> None:
        if self._file is not None:
            await self._do(partial(self._file.save, batch.position, batch.notes))

    def close(self) -> None:
        self._thread.shutdown()
        if self._file is not None:
            self._file.close()

    async def _do(self, work: Callable[[], ResultT]) -> ResultT:
        doing = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            return await asyncio.shield(doing)
        except asyncio.CancelledError:
            await asyncio.wait([doing])  # half a write must not outlive its file
            raise
