"""The full path without the log: bytes through a shard, and checkpoints to a store.

It does what the aggregator's loop does between a read and the next one: apply, and at the
cadence snapshot, encode and save in another thread. A leg always contains at least one whole
checkpoint, also when it takes less than the cadence; the work of one is in proportion to what
changed, so this counts it too often rather than too rarely.
"""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig
from swapstats.core.snapshot import SnapshotDraft
from swapstats.ports.checkpoint_store import CheckpointStore
from swapstats.roles.bench.streams import Batch

CADENCE_S = 5.0


@dataclass(slots=True)
class Saved:
    """What checkpoints took.

    Attributes:
        stalls_ms: how long the stream stood still for each snapshot.
        saves_ms: how long encoding and writing took, beside the stream.
        sizes_bytes: encoded size of each.
    """

    stalls_ms: list[float]
    saves_ms: list[float]
    sizes_bytes: list[int]


class EnginePath:
    """One shard that is fed batches and checkpointed.

    Args:
        config: what shapes the shard.
        store: where checkpoints go; the shard is acquired in it.
        first_offset: where its log begins.
    """

    def __init__(self, config: ShardConfig, store: CheckpointStore, first_offset: int = 0) -> None:
        self._store = store
        self.shard = Shard(config, store.acquire(config.partition), first_offset)
        self.saved = Saved([], [], [])
        self._saver = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._saving: Future[None] | None = None
        self._saved_at = 0.0

    def run(self, batches: Sequence[Batch]) -> int:
        """Apply batches, with a checkpoint halfway and one every CADENCE_S; returns messages.

        What it began is written when it returns.
        """
        shard = self.shard
        halfway = len(batches) // 2
        taken = 0
        self._saved_at = time.perf_counter()
        for number, batch in enumerate(batches):
            now_ms = 0 if shard.config.event_clock else int(batch.append_ms[-1])
            shard.apply(batch.records(shard.next_offset), now_ms)
            taken += len(batch.messages)
            if number == halfway or time.perf_counter() - self._saved_at >= CADENCE_S:
                self.begin_checkpoint()
        self.finish_checkpoint()
        return taken

    def begin_checkpoint(self) -> None:
        """Take a snapshot and let the other thread write it; waits for one still being written."""
        self.finish_checkpoint()
        began = time.perf_counter()
        draft = self.shard.snapshot()
        self._saved_at = time.perf_counter()
        self.saved.stalls_ms.append((self._saved_at - began) * 1_000)
        self._saving = self._saver.submit(self._save, draft)

    @property
    def saving(self) -> bool:
        """True while a checkpoint is being written."""
        return self._saving is not None and not self._saving.done()

    def finish_checkpoint(self) -> None:
        """Wait for the checkpoint that is being written; raises what went wrong with it."""
        if self._saving is not None:
            self._saving.result()
            self._saving = None

    def close(self) -> None:
        """Release the checkpoint thread."""
        self._saver.shutdown()

    def _save(self, draft: SnapshotDraft) -> None:
        began = time.perf_counter()
        delta = draft.encode()
        self._store.save(delta)
        self.saved.saves_ms.append((time.perf_counter() - began) * 1_000)
        size = len(delta.tokens) + sum(len(blob) for blob in delta.buckets.values())
        self.saved.sizes_bytes.append(size)
