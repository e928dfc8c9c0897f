"""Raw events as lines: to look at a source, or to keep it in a file."""

import asyncio
from typing import Any, BinaryIO

from swapstats.ports.source import Source


class LinePrinter:
    """Writes messages of sources, one a line, from the start of each.

    Args:
        output: where lines go.
    """

    def __init__(self, output: BinaryIO) -> None:
        self._output = output

    async def run(self, sources: list[Source], stop: asyncio.Event) -> None:
        """Print until `stop` is set, all sources have ended, or nobody reads any more.

        Raises:
            Rejected: a source cannot go on.
        """
        pumps = [asyncio.create_task(self._print(source)) for source in sources]
        everything = asyncio.gather(*pumps)
        stopping: asyncio.Task[Any] = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({everything, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if everything.done():
                everything.result()
        except BrokenPipeError:
            pass  # as other programs in a pipe
        finally:
            for task in (stopping, *pumps):
                task.cancel()
            await asyncio.gather(stopping, everything, *pumps, return_exceptions=True)

    async def _print(self, source: Source) -> None:
        async for batch in source.open(None):
            block = batch.block
            if len(block):
                lines = b"".join(block.message(index) + b"\n" for index in range(len(block)))
                await asyncio.to_thread(self._write, lines)

    def _write(self, lines: bytes) -> None:
        self._output.write(lines)
        self._output.flush()
