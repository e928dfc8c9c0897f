"""A replay: files into the log, the log through the aggregator, then the end."""

import asyncio
import contextlib
from collections.abc import Callable

from swapstats.ports.source import Source
from swapstats.roles.aggregator.run import Aggregator
from swapstats.roles.aggregator.thread import AggregatorThread
from swapstats.roles.ingest import Ingest

_PROGRESS_MS = 200


async def replay(
    source: Source,
    ingest: Ingest,
    aggregator: Aggregator,
    on_progress: Callable[[], None],
) -> int:
    """Read a source to its end and apply everything; goes on where it stopped before.

    Args:
        source: the files.
        ingest: writes them into the log.
        aggregator: applies the log.
        on_progress: called a few times a second.

    Returns:
        T of all shards at the end.

    Raises:
        Rejected: a file cannot be read further; what was read is safe.
        Fatal: a store cannot be written.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    def tell() -> None:
        loop.call_soon_threadsafe(ended.set)

    worker = AggregatorThread(aggregator, tell)
    worker.start()
    pump = asyncio.create_task(ingest.pump(source))
    watch = asyncio.create_task(ended.wait())
    try:
        while not pump.done() and not ended.is_set():
            await asyncio.wait(
                (pump, watch), timeout=_PROGRESS_MS / 1_000, return_when=asyncio.FIRST_COMPLETED
            )
            on_progress()
        if pump.done():
            await pump
            worker.drain()
        while not ended.is_set():
            await asyncio.wait((watch,), timeout=_PROGRESS_MS / 1_000)
            on_progress()
    finally:
        worker.stop()
        for task in (pump, watch):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await asyncio.to_thread(worker.join)
    t_ms = aggregator.share_t()
    on_progress()
    return t_ms
