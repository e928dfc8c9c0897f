"""Shards beside a memory of pairs that reaches further back than the windows.

The memory is asked about every pair, once a batch, and its answer changes the name of what is too
old, or late and refused: a duplicate is counted as one and not kept apart in the archive. Sums do
not depend on it. So while it is away it is passed over: what comes then counts as too old.

What the archive was told must come out equal after a crash. A batch of an earlier life is applied
with the answer if and only if the answer changed its rows then; the memory tells the same delivery
the same, and a step that needs it waits for it, for about a minute.
"""

import time

import numpy as np
from numpy.typing import NDArray

from swapstats.core.columns import Columns
from swapstats.core.kernels.dedup import DUPLICATE
from swapstats.core.shard import Shard
from swapstats.errors import StoreFull, Transient
from swapstats.model.effects import Effects
from swapstats.model.record import RecordBatch
from swapstats.ports.pair_memory import PairMemory
from swapstats.roles.aggregator.archiving import Piece

WAIT_S = 60.0
_AGAIN_S = 0.2


class KnownPairs:
    """Applies batches with what a memory of pairs knows; used from one thread.

    Args:
        memory: None = there is none, and nothing is asked.
        wait_s: how long a step that needs it waits for it.

    Attributes:
        passed_over: records applied without the memory's answer; safe to read anywhere.
        problem: why it is passed over now; empty if it is not.
    """

    def __init__(self, memory: PairMemory | None = None, wait_s: float = WAIT_S) -> None:
        self._memory = memory
        self._wait_s = wait_s
        self.passed_over = 0
        self.problem = ""

    def apply(self, shard: Shard, piece: Piece) -> Effects:
        """Apply records to their shard.

        Args:
            shard: the state of the partition.
            piece: its next records.

        Raises:
            Transient: an earlier life had the memory's answer, and it is away now.
        """
        if self._memory is None:
            return shard.apply(piece.batch, piece.moment_ms)
        batch, moment_ms, step = piece.batch, piece.moment_ms, piece.step
        columns = shard.read(batch)
        needed = step is not None and step.left_out
        try:
            known = self._ask_patiently(
                self._memory, batch, columns, self._wait_s if needed else 0.0
            )
            self.problem = ""
        except (Transient, StoreFull) as error:
            if needed:
                raise Transient(f"Expected what was known before a crash: {error}") from error
            self.problem = f"duplicates from before the windows count as too old: {error}"
            self.passed_over += len(batch)
            return shard.apply(batch, moment_ms, columns)
        if step is not None and step.exact and not step.left_out:
            return shard.apply(batch, moment_ms, columns)
        return shard.apply(batch, moment_ms, columns, known)

    def _ask_patiently(
        self, memory: PairMemory, batch: RecordBatch, columns: Columns, patience_s: float
    ) -> NDArray[np.bool_]:
        """Ask, and while the memory is away ask again for a time; nothing was changed yet."""
        give_up_at = time.monotonic() + patience_s
        while True:
            try:
                return _ask(memory, batch, columns)
            except (Transient, StoreFull) as error:
                self.problem = str(error)
                if time.monotonic() >= give_up_at:
                    raise
                time.sleep(_AGAIN_S)


def _ask(memory: PairMemory, batch: RecordBatch, columns: Columns) -> NDArray[np.bool_]:
    """Put the pairs in; returns which records repeat one of another delivery."""
    rows = np.flatnonzero(columns.accepted)
    known = np.zeros(len(batch), dtype=np.bool_)
    if len(rows):
        told = memory.decide(
            batch.partition,
            batch.offsets[rows],
            columns.fingerprint[rows],
            columns.check[rows],
            columns.removed[rows],
        )
        known[rows] = told == DUPLICATE
    return known
