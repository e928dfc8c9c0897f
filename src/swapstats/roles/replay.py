"""A replay: files into the log, the log through the aggregator, then the end."""

import asyncio
from collections.abc import Callable
from functools import partial

from swapstats.ports.source import Source
from swapstats.roles.aggregator.run import Aggregator
from swapstats.roles.aggregator.thread import AggregatorThread, set_from_thread
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
    restored = asyncio.Event()
    ended = asyncio.Event()
    worker = AggregatorThread(
        aggregator,
        on_restored=partial(set_from_thread, loop, restored),
        on_end=partial(set_from_thread, loop, ended),
    )
    worker.start()
    pump = asyncio.create_task(_pump_once_restored(ingest, source, restored))
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
        await asyncio.gather(pump, watch, return_exceptions=True)
        await asyncio.to_thread(worker.join)
    t_ms = aggregator.share_t()
    on_progress()
    return t_ms


async def _pump_once_restored(ingest: Ingest, source: Source, restored: asyncio.Event) -> None:
    """Append nothing before the log was held against the checkpoints: it could hide a gap."""
    await restored.wait()
    await ingest.pump(source)
