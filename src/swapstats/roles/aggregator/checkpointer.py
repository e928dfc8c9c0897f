"""Writes checkpoints of shards in a thread of its own, one round at a time.

A checkpoint is written only once the archive has everything before its offset: a restart goes on
there and would never make those rows again. It is this thread that waits for that.

A snapshot that did not reach the store leaves its changes unmarked in the shard: the next one of
that shard holds everything.
"""

import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from swapstats.core.shard import Shard
from swapstats.core.snapshot import SnapshotDraft
from swapstats.errors import SwapstatsError, Transient
from swapstats.ports.checkpoint_store import CheckpointStore
from swapstats.ports.observer import AggregatorObserver
from swapstats.roles.archiver import Archiver

FLUSH_MS_MAX = 10_000
"""How long one round of checkpoints waits for the archive in all."""


@dataclass(frozen=True, slots=True)
class SaveOutcome:
    """What became of one snapshot.

    Attributes:
        partition: the shard.
        epoch: ownership number it was taken under.
        next_offset: the offset it stands for.
        error: what went wrong, None if it is written.
    """

    partition: int
    epoch: int
    next_offset: int
    error: SwapstatsError | None


class Checkpointer:
    """Snapshots shards on the caller's thread, encodes and saves on its own.

    Args:
        store: where checkpoints are kept.
        observer: told about each one written.
        archiver: what must be flushed first; None = nothing.
    """

    def __init__(
        self,
        store: CheckpointStore,
        observer: AggregatorObserver,
        archiver: Archiver | None = None,
    ) -> None:
        self._store = store
        self._observer = observer
        self._archiver = archiver
        self._saver = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._saving: Future[list[SaveOutcome]] | None = None
        self._incomplete: set[tuple[int, int]] = set()

    @property
    def is_saving(self) -> bool:
        """True from `begin` until `take` or `wait` gave its outcomes."""
        return self._saving is not None

    def begin(self, shards: Iterable[Shard]) -> None:
        """Take snapshots now and let them be written; the round before must be taken."""
        drafts = [self._draft(shard) for shard in shards]
        if drafts:
            self._saving = self._saver.submit(self._save_all, drafts)

    def take(self) -> list[SaveOutcome]:
        """Outcomes of the running round if it is done, else none."""
        if self._saving is None or not self._saving.done():
            return []
        return self.wait()

    def wait(self) -> list[SaveOutcome]:
        """Wait for the running round; its outcomes, none if there is no round."""
        saving, self._saving = self._saving, None
        outcomes = saving.result() if saving is not None else []
        for outcome in outcomes:
            if outcome.error is not None:
                self._incomplete.add((outcome.partition, outcome.epoch))
        return outcomes

    def close(self) -> None:
        """Release the thread."""
        self._saver.shutdown()

    def _draft(self, shard: Shard) -> tuple[SnapshotDraft, float]:
        place = (shard.config.partition, shard.epoch)
        began = time.perf_counter()
        draft = shard.snapshot(everything=place in self._incomplete)
        self._incomplete.discard(place)
        return draft, (time.perf_counter() - began) * 1_000

    def _save_all(self, drafts: list[tuple[SnapshotDraft, float]]) -> list[SaveOutcome]:
        outcomes = []
        give_up_at = time.monotonic() + FLUSH_MS_MAX / 1_000
        while drafts:
            draft, stall_ms = drafts.pop(0)
            outcomes.append(self._save(draft, stall_ms, give_up_at))
            del draft  # what it refers to may be freed
        return outcomes

    def _save(self, draft: SnapshotDraft, stall_ms: float, give_up_at: float) -> SaveOutcome:
        began = time.perf_counter()
        error: SwapstatsError | None = None
        try:
            self._expect_archived(draft, give_up_at)
            delta = draft.encode()
            self._store.save(delta)
        except SwapstatsError as found:
            error = found
        else:
            size = len(delta.tokens) + sum(len(blob) for blob in delta.buckets.values())
            took_ms = (time.perf_counter() - began) * 1_000
            self._observer.snapshot(draft.header.shard, stall_ms, took_ms, size)
        header = draft.header
        return SaveOutcome(header.shard, header.epoch, header.next_offset, error)

    def _expect_archived(self, draft: SnapshotDraft, give_up_at: float) -> None:
        """Wait until the archive has everything before the snapshot.

        Raises:
            Transient: it does not have it in time; the older checkpoint stands.
        """
        if self._archiver is None:
            return
        header = draft.header
        left_ms = max(0, round((give_up_at - time.monotonic()) * 1_000))
        if not self._archiver.flush(header.shard, header.next_offset, left_ms):
            raise Transient(
                f"Expected the archive to have partition {header.shard} up to offset "
                f"{header.next_offset}, was behind: the checkpoint before stands"
            )
