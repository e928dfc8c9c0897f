"""Ports behind a circuit breaker: the same verbs, refused at once while what is behind is away.

Each wrapper satisfies the port it guards and changes nothing else. `close` is never refused.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from swapstats.model.checkpoint import Checkpoint, CheckpointDelta
from swapstats.model.effects import DeadLetter, StatsUpdate
from swapstats.ports.archive import Archive, ArchiveBatch, ArchiveJournal, BatchNote, JournalState
from swapstats.ports.checkpoint_store import CheckpointStore
from swapstats.ports.dead_letters import DeadLetterSink
from swapstats.ports.hot_store import HotHead, HotStore, HotStoreReader
from swapstats.ports.pair_memory import PairMemory
from swapstats.roles.dependency import Dependency


def _untimed(took_ms: float) -> None:
    """Listen to nothing."""
    del took_ms


class GuardedHotStoreReader:
    """A `HotStoreReader`.

    Args:
        store: what is guarded.
        guard: its breaker.
    """

    def __init__(self, store: HotStoreReader, guard: Dependency) -> None:
        self._reader = store
        self._guard = guard

    def head(self, partition: int) -> HotHead | None:
        """Where a partition stands; see `HotStoreReader.head`."""
        return self._guard.call(self._reader.head, partition)

    def changes(self, partition: int, after_seq: int) -> StatsUpdate | None:
        """Read what changed; see `HotStoreReader.changes`."""
        return self._guard.call(self._reader.changes, partition, after_seq)

    def close(self) -> None:
        """Release connections."""
        self._reader.close()


class GuardedHotStore(GuardedHotStoreReader):
    """A `HotStore`.

    Args:
        store: what is guarded.
        guard: its breaker.
        put_took: told how long each put took that was not refused, in milliseconds.
    """

    def __init__(
        self, store: HotStore, guard: Dependency, put_took: Callable[[float], None] = _untimed
    ) -> None:
        super().__init__(store, guard)
        self._store = store
        self._put_took = put_took

    def put(self, update: StatsUpdate, now_ms: int, lag_ms: int) -> None:
        """Take an update in; see `HotStore.put`."""
        self._guard.call(self._timed_put, update, now_ms, lag_ms)

    def _timed_put(self, update: StatsUpdate, now_ms: int, lag_ms: int) -> None:
        began = time.perf_counter()
        try:
            self._store.put(update, now_ms, lag_ms)
        finally:
            self._put_took((time.perf_counter() - began) * 1_000)


class GuardedCheckpoints:
    """A `CheckpointStore`.

    Args:
        store: what is guarded.
        guard: its breaker.
    """

    def __init__(self, store: CheckpointStore, guard: Dependency) -> None:
        self._store = store
        self._guard = guard

    def load(self, shard: int, *, previous: bool = False) -> Checkpoint | None:
        """Read a revision; see `CheckpointReader.load`."""
        return self._guard.call(self._store.load, shard, previous=previous)

    def acquire(self, shard: int) -> int:
        """Become the shard's owner; see `CheckpointStore.acquire`."""
        return self._guard.call(self._store.acquire, shard)

    def save(self, delta: CheckpointDelta) -> None:
        """Write one revision; see `CheckpointStore.save`."""
        self._guard.call(self._store.save, delta)

    def close(self) -> None:
        """Release files and connections."""
        self._store.close()


class GuardedLetters:
    """A `DeadLetterSink`.

    Args:
        store: what is guarded.
        guard: its breaker.
    """

    def __init__(self, store: DeadLetterSink, guard: Dependency) -> None:
        self._store = store
        self._guard = guard

    def put(self, letters: Sequence[DeadLetter]) -> None:
        """Keep letters; see `DeadLetterSink.put`."""
        self._guard.call(self._store.put, letters)


class GuardedPairs:
    """A `PairMemory`.

    Args:
        memory: what is guarded.
        guard: its breaker.
    """

    def __init__(self, memory: PairMemory, guard: Dependency) -> None:
        self._memory = memory
        self._guard = guard

    def decide(
        self,
        partition: int,
        offsets: NDArray[np.int64],
        fingerprints: NDArray[np.uint64],
        checks: NDArray[np.uint32],
        removed: NDArray[np.uint8],
    ) -> NDArray[np.uint8]:
        """Put pairs into the sets; see `PairMemory.decide`."""
        return self._guard.call(
            self._memory.decide, partition, offsets, fingerprints, checks, removed
        )

    def close(self) -> None:
        """Release connections."""
        self._memory.close()


class GuardedArchive:
    """An `Archive`.

    Args:
        archive: what is guarded.
        guard: its breaker.
    """

    def __init__(self, archive: Archive, guard: Dependency) -> None:
        self._archive = archive
        self._guard = guard

    def insert(self, batch: ArchiveBatch) -> None:
        """Insert a batch; see `Archive.insert`."""
        self._guard.call(self._archive.insert, batch)

    def verify(self, batch: ArchiveBatch) -> None:
        """Make the archive hold a batch once; see `Archive.verify`."""
        self._guard.call(self._archive.verify, batch)

    def end_offset(self, partition: int) -> int:
        """Tell how far the archive is; see `Archive.end_offset`."""
        return self._guard.call(self._archive.end_offset, partition)

    def close(self) -> None:
        """Release connections."""
        self._archive.close()


class GuardedJournal:
    """An `ArchiveJournal`.

    Args:
        journal: what is guarded.
        guard: its breaker.
    """

    def __init__(self, journal: ArchiveJournal, guard: Dependency) -> None:
        self._journal = journal
        self._guard = guard

    def acquire(self, partition: int, epoch: int) -> JournalState:
        """Become the partition's owner; see `ArchiveJournal.acquire`."""
        return self._guard.call(self._journal.acquire, partition, epoch)

    def note(self, note: BatchNote) -> None:
        """Write a batch down; see `ArchiveJournal.note`."""
        self._guard.call(self._journal.note, note)

    def notes(self, partition: int) -> list[BatchNote]:
        """Notes held; see `ArchiveJournal.notes`."""
        return self._guard.call(self._journal.notes, partition)

    def forget(self, partition: int, before_offset: int) -> None:
        """Drop notes; see `ArchiveJournal.forget`."""
        self._guard.call(self._journal.forget, partition, before_offset)

    def close(self) -> None:
        """Release files and connections."""
        self._journal.close()
