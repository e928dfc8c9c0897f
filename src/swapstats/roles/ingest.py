"""From a source into a log: choose partitions, append with the source's position and notes.

The position is written in the transaction that writes the messages, so a source resumes right
after the last message that is safe. What it notes lies beside it, under `<name>/<key>`, and is
written before it where the log takes one after the other.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from swapstats.core.decode import choose_partitions
from swapstats.core.hash_key import HashKey
from swapstats.model.record import MessageBlock
from swapstats.ports.observer import IngestObserver
from swapstats.ports.source import Source, SourceBatch
from swapstats.ports.swap_log import SwapLog

Placing = Callable[[MessageBlock, int, int], NDArray[np.int32]]
"""Partition of each message of a block; told how many there are, and the append time."""


def by_token(key: HashKey) -> Placing:
    """Place swaps by their token key, whatever the hash key: only bytes of the token key count."""
    return lambda block, count, now_ms: choose_partitions(block, key, count, now_ms)


class Ingest:
    """Writes sources into a log; one writer thread serves all of them.

    Args:
        log: where messages go.
        place: chooses their partitions.
        now_ms: append times.
        on_append: called after each append, from the writer thread.
        observer: who measures.
    """

    def __init__(
        self,
        log: SwapLog,
        place: Placing,
        now_ms: Callable[[], int],
        on_append: Callable[[], None],
        observer: IngestObserver,
    ) -> None:
        self._log = log
        self._place = place
        self._now_ms = now_ms
        self._on_append = on_append
        self._observer = observer
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="log-writer")

    async def pump(self, source: Source) -> None:
        """Write everything a source gives, until it ends or the task is cancelled.

        Raises:
            Rejected: the source cannot go on from its position.
            StoreFull: no space; what was acknowledged is safe.
        """
        loop = asyncio.get_running_loop()
        position = self._log.position(source.name)
        under = f"{source.name}/"
        noted = self._log.positions(under)
        notes = {name.removeprefix(under): text for name, text in noted.items()}
        async for batch in source.open(position, notes):
            append = loop.run_in_executor(self._writer, self._append, source.name, batch)
            try:
                await asyncio.shield(append)
            except asyncio.CancelledError:
                await append  # a half-done append must not outlive the log
                raise

    async def run_on_writer(self, work: Callable[[], None]) -> None:
        """Run other work on the log (retention) between two appends."""
        await asyncio.get_running_loop().run_in_executor(self._writer, work)

    def close(self) -> None:
        """Wait for the running append and release the thread."""
        self._writer.shutdown()

    def _append(self, source: str, batch: SourceBatch) -> None:
        now_ms = self._now_ms()
        partitions = self._place(batch.block, self._log.partition_count, now_ms)
        # The position last: a log without transactions may be stopped between any two of them.
        positions = {f"{source}/{key}": text for key, text in batch.notes.items()}
        positions[source] = batch.position
        self._log.append(batch.block, partitions, now_ms, positions)
        self._observer.appended(source, len(batch.block), int(batch.block.bounds[-1]))
        self._on_append()
