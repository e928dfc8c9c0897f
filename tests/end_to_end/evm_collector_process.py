"""A collector of a chain, to be killed: it writes what it collects into a log until it is.

evm_collector_process.py JSON, an object with:

    log        the log's file
    chain_id   the chain
    urls       its providers, the preferred one first
    managers   of V4 pools
    seed       of its own deaths
    deaths     how likely it kills itself around writing a batch
    torn       whether a batch is written in two transactions, as on a log that has none: its
               messages first, then its position and notes

Its clock runs fast, so that pauses meant for real providers pass quickly.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from swapstats.adapters.embedded.log import EmbeddedSwapLog
from swapstats.adapters.sources.evm.options import EvmOptions, Provider
from swapstats.adapters.sources.evm.source import EvmSource
from swapstats.model.record import MessageBlock
from swapstats.ports.source import SourceBatch
from swapstats.testing.fast_clock import FastClock

FASTER = 30


class Writer:
    """Writes batches, and dies as its plan says."""

    def __init__(self, log: EmbeddedSwapLog, name: str, plan: Mapping[str, Any]) -> None:
        self._log = log
        self._name = name
        self._random = Random(plan["seed"])
        self._deaths: float = plan["deaths"]
        self._torn: bool = plan["torn"]

    def resumes(self) -> tuple[str | None, dict[str, str]]:
        under = f"{self._name}/"
        noted = self._log.positions(under)
        notes = {name.removeprefix(under): text for name, text in noted.items()}
        return self._log.position(self._name), notes

    def write(self, batch: SourceBatch) -> None:
        positions: dict[str, str | None] = {self._name: batch.position}
        positions.update({f"{self._name}/{key}": text for key, text in batch.notes.items()})
        self._may_die()
        if self._torn and len(batch.block):
            self._append(batch.block, {})
            self._may_die()
            self._append(MessageBlock.of([]), positions)
        else:
            self._append(batch.block, positions)
        self._may_die()

    def _append(self, block: MessageBlock, positions: Mapping[str, str | None]) -> None:
        partitions = np.zeros(len(block), np.int32)
        self._log.append(block, partitions, time.time_ns() // 1_000_000, positions)

    def _may_die(self) -> None:
        if self._random.random() < self._deaths:
            os.kill(os.getpid(), signal.SIGKILL)


async def collect(plan: Mapping[str, Any]) -> None:
    urls: list[str] = plan["urls"]
    options = EvmOptions(
        chain="dev",
        chain_id=plan["chain_id"],
        providers=tuple(Provider(url, len(urls) - at) for at, url in enumerate(urls)),
        start_block=1,
        v4_managers=tuple(plan["managers"]),
        poll_interval_ms=10 * FASTER,
        range_blocks_first=16,
        timeout_ms=2_000,
    )
    clock = FastClock(FASTER)
    source = EvmSource(options, clock, sleep=clock.sleep)
    writer = Writer(EmbeddedSwapLog(Path(plan["log"]), 1), source.name, plan)
    async for batch in source.open(*writer.resumes()):
        writer.write(batch)


if __name__ == "__main__":
    asyncio.run(collect(json.loads(sys.argv[1])))
