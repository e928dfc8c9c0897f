"""A preprocessor over real embedded stores, with a machine that is easy to foretell."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swapstats.adapters.embedded.dead_letters import EmbeddedDeadLetterStore
from swapstats.adapters.embedded.log import EmbeddedSwapLog
from swapstats.adapters.embedded.states import EmbeddedStateStore
from swapstats.adapters.embedded.subscription import EmbeddedSubscription
from swapstats.adapters.memory.no_candles import NoCandles
from swapstats.adapters.memory.token_prices import MemoryTokenPrices
from swapstats.errors import Rejected
from swapstats.model.preprocessed import Preprocessed, RefusedEvent
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.ports.candles import CandleSink
from swapstats.ports.observer import Silent
from swapstats.ports.raw_machine import Machine
from swapstats.ports.swap_subscription import PartitionOwner
from swapstats.roles.preprocess.options import PreprocessOptions
from swapstats.roles.preprocess.outlets import Outlets
from swapstats.roles.preprocess.run import LettersSafe, Preprocess, at_once
from swapstats.testing.faults import FaultPlan

NOW_MS = 1_700_000_000_000


class CountingMachine:
    """Numbers what it is given: a swap says how many records came before it.

    `bad...` becomes a letter, `skip...` is filtered, all else becomes one swap.
    """

    def __init__(self, taken: int = 0) -> None:
        self.taken = taken

    def apply(self, batch: RecordBatch) -> Preprocessed:
        made = Preprocessed([], [], [], [], [])
        for index in range(len(batch)):
            message = batch.message(index)
            if message.startswith((b"bad", b"skip")):
                is_letter = message.startswith(b"bad")
                made.refused.append(RefusedEvent(index, "bad_json", "Expected JSON", is_letter))
            else:
                made.swaps.append(b"%s after %d" % (message, self.taken))
                made.origins.append(index)
            self.taken += 1
        return made

    def snapshot(self) -> bytes:
        return b"%d" % self.taken


def counting(blob: bytes | None) -> Machine:
    if blob is None:
        return CountingMachine()
    if not blob.isdigit():
        raise Rejected("Expected the rules the state was made with, was others")
    return CountingMachine(int(blob))


@dataclass
class Rig:
    """Stores in a directory; `life` opens a preprocessor on them.

    Attributes:
        path: the directory.
        plan: faults of the swap log.
        opened: what is open.
    """

    path: Path
    plan: FaultPlan = field(default_factory=FaultPlan)
    opened: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    partitions: int = 1
    now_ms: int = NOW_MS

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """Open the stores, as after a crash."""
        opened = self.opened
        self.raw = EmbeddedSwapLog(self.path / "raw.db", self.partitions)
        opened.callback(self.raw.close)
        self.log = EmbeddedSwapLog(self.path / "log.db", 1, faults=self._step)
        opened.callback(self.log.close)
        self.states = EmbeddedStateStore(self.path / "preprocess.db", epoch_unit_s=0)
        opened.callback(self.states.close)
        self.letters = EmbeddedDeadLetterStore(self.path / "letters.db")
        opened.callback(self.letters.close)
        self.prices = MemoryTokenPrices()

    def _step(self, point: str) -> None:
        self.plan(point)

    def crash(self) -> None:
        """Leave everything as a kill would, and open it again."""
        self.opened.close()
        self.opened = contextlib.ExitStack()
        self.plan = FaultPlan()
        self.open()

    def write(self, *messages: bytes, partition: int = 0, append_ms: int = NOW_MS) -> None:
        """Append raw events."""
        block = MessageBlock.of(list(messages))
        self.raw.append(block, np.full(len(block), partition, dtype=np.int32), append_ms, {})

    def log_places(self, count: int) -> NDArray[np.int32]:
        """Places of so many swaps."""
        return np.zeros(count, dtype=np.int32)

    def swaps(self) -> list[bytes]:
        """Everything in the swap log."""
        batch = self.log.read(0, self.log.start_offsets()[0], 1 << 30)
        return [] if batch is None else [batch.message(row) for row in range(len(batch))]

    def life(
        self,
        make: Callable[[bytes | None], Machine] = counting,
        *,
        candles: CandleSink | None = None,
        letters_safe: LettersSafe = at_once,
        waiting_max: int = 1_000,
        rebuild: bool = False,
        accept_gap: bool = False,
        batch_bytes_max: int = 1 << 20,
    ) -> Preprocess:
        """A preprocessor that has not taken anything over yet."""
        outlets = Outlets(candles or NoCandles(), self.prices, waiting_max)
        outlets.start()
        self.opened.callback(outlets.close, 0)

        def subscribe(owner: PartitionOwner) -> EmbeddedSubscription:
            return EmbeddedSubscription(self.raw, owner, batch_bytes_max)

        return Preprocess(
            make,
            subscribe,
            self.log,
            lambda block, _count, _now_ms: self.log_places(len(block)),
            self.states,
            self.letters,
            outlets,
            Silent(),
            lambda: NOW_MS,
            PreprocessOptions(drain_ms=50, wait_ms=1, rebuild=rebuild, accept_gap=accept_gap),
            letters_safe=letters_safe,
        )
