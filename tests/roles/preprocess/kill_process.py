"""A process from a source of raw events to the swap log, to be killed: DIR SEED COUNT.

Prints `done` once everything is through and the last state is saved.
"""

import asyncio
import math
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from tests.roles.preprocess.raw_events import START_MS, made_events

from swapstats.adapters.embedded.candles import EmbeddedCandleStore
from swapstats.adapters.embedded.dead_letters import EmbeddedDeadLetterStore
from swapstats.adapters.embedded.log import EmbeddedSwapLog
from swapstats.adapters.embedded.states import EmbeddedStateStore
from swapstats.adapters.embedded.subscription import EmbeddedSubscription
from swapstats.adapters.memory.token_prices import MemoryTokenPrices
from swapstats.core.hash_key import HashKey
from swapstats.core.preprocess.preprocessor import Preprocessor
from swapstats.core.preprocess.rules import PriceRules
from swapstats.core.raw_placing import place_raw_events
from swapstats.model.record import MessageBlock
from swapstats.ports.observer import Silent
from swapstats.ports.raw_machine import Machine
from swapstats.ports.source import NO_NOTES, SourceBatch, SourceStatus
from swapstats.ports.swap_subscription import PartitionOwner
from swapstats.roles.ingest import Ingest, by_token
from swapstats.roles.preprocess.options import PreprocessOptions
from swapstats.roles.preprocess.outlets import Outlets
from swapstats.roles.preprocess.run import Preprocess
from swapstats.roles.preprocess.thread import PreprocessThread
from swapstats.testing.eventually import eventually

BLOCK = 20
PARTITIONS = 3
END_MS = START_MS + 3_600_000
"""Append times: fixed, for what is too far ahead goes by them."""


class Made:
    """Gives a made stream in small blocks; the position is how many events were given."""

    name = "made"

    def __init__(self, seed: int, count: int) -> None:
        self._events = made_events(seed, count)

    async def open(
        self, position: str | None, notes: Mapping[str, str] = NO_NOTES
    ) -> AsyncIterator[SourceBatch]:
        assert set(notes) <= {"seen"}
        for first in range(int(position or 0), len(self._events), BLOCK):
            block = self._events[first : first + BLOCK]
            yield SourceBatch(MessageBlock.of(block), str(first + len(block)), {"seen": str(first)})
            await asyncio.sleep(0)

    def status(self) -> SourceStatus:
        return SourceStatus("live", "made")


def machine(blob: bytes | None) -> Machine:
    return Preprocessor(RULES) if blob is None else Preprocessor.restore(RULES, blob)


RULES = PriceRules()


def main(path: Path, seed: int, count: int) -> None:
    path.mkdir(exist_ok=True)
    raw = EmbeddedSwapLog(path / "raw.db", 1)
    log = EmbeddedSwapLog(path / "log.db", PARTITIONS)
    wake = threading.Event()

    def wait(span_s: float) -> bool:
        told = wake.wait(span_s)
        wake.clear()
        return told

    def subscribe(owner: PartitionOwner) -> EmbeddedSubscription:
        return EmbeddedSubscription(raw, owner, 20_000, wait, look_again_s=math.inf)

    outlets = Outlets(EmbeddedCandleStore(path / "candles.db"), MemoryTokenPrices())
    outlets.start()
    preprocess = Preprocess(
        machine,
        subscribe,
        log,
        by_token(HashKey.of(bytes(16))),
        EmbeddedStateStore(path / "preprocess.db"),
        EmbeddedDeadLetterStore(path / "letters.db"),
        outlets,
        Silent(),
        lambda: END_MS,
        PreprocessOptions(snapshot_interval_ms=100),
        wake=wake,
    )
    thread = PreprocessThread(preprocess, lambda: None)
    thread.start()
    ingest = Ingest(raw, place_raw_events, lambda: END_MS, wake.set, Silent())
    asyncio.run(ingest.pump(Made(seed, count)))

    def caught_up() -> bool:
        if thread.failure is not None:
            raise thread.failure
        places = preprocess.status.places
        return bool(places) and places[0].next_offset == count

    try:
        eventually(caught_up, 240_000, "all raw events to be taken")
    finally:
        thread.stop()
        thread.join()
        ingest.close()
    outlets.close()
    print("done", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
