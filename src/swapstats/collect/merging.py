"""Several streams of events as one, so that one prices what another trades."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from swapstats.collect.events import close
from swapstats.model.raw_event import RawEvent


async def merged(*streams: AsyncIterator[RawEvent]) -> AsyncGenerator[RawEvent, None]:
    """Give the events of several streams as they come, each stream in its order.

    A stream is asked for its next event once whoever iterates is done with the one before, so that
    positions stay right. It ends with the last of them, or with the first error; all are closed
    with it.

    Args:
        streams: of `evm` or `exchange`, or any others.
    """
    waiting: dict[asyncio.Task[RawEvent | None], AsyncIterator[RawEvent]] = {}
    try:
        for stream in streams:
            waiting[asyncio.create_task(_next(stream))] = stream
        while waiting:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in waiting if task.done()]:
                event = task.result()
                stream = waiting.pop(task)
                if event is not None:
                    yield event
                    waiting[asyncio.create_task(_next(stream))] = stream
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for stream in streams:
            await close(stream)


async def _next(stream: AsyncIterator[RawEvent]) -> RawEvent | None:
    return await anext(stream, None)
