"""Dead letters on their way to their store: they wait in memory while it is away.

The stream goes on meanwhile. Nothing is lost by waiting in memory, as long as no checkpoint is
written beyond a letter that is not stored: after a crash its record is read again and makes the
letter again. `SavedAfterLetters` sees to that; whoever reads records stops while there is no room.

    records read   100 ───────────── 108 ─────────── 120
    letters              104 stored       110 waits
    checkpoints    up to 110 at most, until letter 110 is stored
"""

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from swapstats.errors import Transient
from swapstats.model.checkpoint import Checkpoint, CheckpointDelta
from swapstats.model.effects import DeadLetter
from swapstats.ports.checkpoint_store import CheckpointStore
from swapstats.ports.dead_letters import DeadLetterSink

BYTES_MAX: Final = 16 << 20
"""Bytes of letters that may wait before reading must stop."""
LETTER_BYTES: Final = 512
"""What a letter is counted with beside its message."""
BATCH_MAX: Final = 1_000
BATCH_BYTES_MAX: Final = 1 << 20
SAVE_WAIT_MS: Final = 5_000
"""How long a checkpoint waits for the letters below it."""

_RETRY_S_MIN: Final = 0.05
_RETRY_S_MAX: Final = 2.0


class PatientLetters:
    """Takes letters at once and stores them from a thread of its own; for any thread.

    Args:
        store: where letters are kept; one that was put before is put again harmlessly.
        bytes_max: letters beyond this still are taken, but `has_room` is False.

    Attributes:
        problem: why letters cannot be stored now, empty if all is well.
        stored: letters stored.
        failure: what ended the thread, if anything did.
    """

    def __init__(self, store: DeadLetterSink, bytes_max: int = BYTES_MAX) -> None:
        self.problem = ""
        self.stored = 0
        self.failure: Exception | None = None
        self._store = store
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting: dict[int, deque[DeadLetter]] = {}
        self._waiting_bytes = 0
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._work, name="dead-letters", daemon=True)

    def start(self) -> None:
        """Begin to store."""
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Letters that wait."""
        with self._lock:
            return sum(map(len, self._waiting.values()))

    @property
    def has_room(self) -> bool:
        """False while so much waits that no more records should be read."""
        return self._waiting_bytes < self._bytes_max

    def put(self, letters: Sequence[DeadLetter]) -> None:
        """Take letters; those of one ownership of a partition come in the order of the log.

        Never waits and never fails because the store is away.

        Raises:
            SwapstatsError: the store refused letters for good.
        """
        self._raise_failure()
        with self._lock:
            for letter in letters:
                waiting = self._waiting.setdefault(letter.partition, deque())
                while waiting and waiting[-1].offset >= letter.offset:
                    # Of an earlier ownership; records are read again, and make it again.
                    self._waiting_bytes -= _size(waiting.pop())
                waiting.append(letter)
                self._waiting_bytes += _size(letter)
        self._wake.set()

    def oldest(self, partition: int) -> int | None:
        """Offset of the first letter of a partition that is not stored; None = all are."""
        with self._lock:
            waiting = self._waiting.get(partition)
            return waiting[0].offset if waiting else None

    def stored_below(self, partition: int, offset: int) -> bool:
        """Whether every letter of a partition below an offset is stored."""
        oldest = self.oldest(partition)
        return oldest is None or oldest >= offset

    def wait_stored(self, partition: int, offset: int, timeout_ms: int) -> bool:
        """Wait until `stored_below`; False if it takes too long, or at once if the store is away.

        Raises:
            SwapstatsError: the store refused letters for good.
        """

        def done() -> bool:
            waiting = self._waiting.get(partition)
            return not waiting or waiting[0].offset >= offset

        with self._changed:
            self._changed.wait_for(lambda: self.problem or done(), timeout_ms / 1_000)
            is_done = done()
        if not is_done:
            self._raise_failure()
        return is_done

    def forget(self, partitions: Iterable[int]) -> None:
        """Drop what waits of partitions that were given up.

        Whoever owns them next reads from a checkpoint below these letters, and makes them again.
        """
        with self._changed:
            for partition in partitions:
                for letter in self._waiting.pop(partition, ()):
                    self._waiting_bytes -= _size(letter)
            self._changed.notify_all()

    def close(self, timeout_ms: int = 2_000) -> None:
        """Store what waits, within a time, and end; the store is not closed."""
        with self._changed:
            self._changed.wait_for(
                lambda: self.failure is not None or not self._waiting, timeout_ms / 1_000
            )
        self._stopping.set()
        self._wake.set()
        self._thread.join()

    def _raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _work(self) -> None:
        retry_s = _RETRY_S_MIN
        try:
            while not self._stopping.is_set():
                self._wake.wait()
                self._wake.clear()
                while not self._stopping.is_set() and (batch := self._next_batch()):
                    try:
                        self._store.put(batch)
                    except Transient as error:
                        self._note_problem(str(error))
                        asked_s = error.retry_after_ms / 1_000
                        if self._stopping.wait(min(max(retry_s, asked_s), _RETRY_S_MAX)):
                            return
                        retry_s = min(2 * retry_s, _RETRY_S_MAX)
                    else:
                        self.problem, retry_s = "", _RETRY_S_MIN
                        self._note_stored(batch)
        except Exception as error:  # noqa: BLE001 - raised from the next `put`
            self.failure = error
            self._note_problem(str(error))

    def _note_problem(self, said: str) -> None:
        with self._changed:
            self.problem = said
            self._changed.notify_all()

    def _next_batch(self) -> list[DeadLetter]:
        """The first letters of each partition; they wait on until they are stored."""
        batch: list[DeadLetter] = []
        size_bytes = 0
        with self._lock:
            for waiting in self._waiting.values():
                for letter in waiting:
                    if len(batch) >= BATCH_MAX or size_bytes >= BATCH_BYTES_MAX:
                        return batch
                    batch.append(letter)
                    size_bytes += _size(letter)
        return batch

    def _note_stored(self, batch: list[DeadLetter]) -> None:
        with self._changed:
            self.stored += len(batch)
            for letter in batch:
                waiting = self._waiting.get(letter.partition)
                # Forgotten meanwhile: what waits of the partition now is of another life.
                if not waiting or waiting[0] is not letter:
                    continue
                waiting.popleft()
                self._waiting_bytes -= _size(letter)
                if not waiting:
                    del self._waiting[letter.partition]
            self._changed.notify_all()


class SavedAfterLetters:
    """A checkpoint store that writes a revision only once the letters below it are stored.

    Args:
        store: where checkpoints are kept.
        letters: letters of the same shards.
        wait_ms: how long a save waits for them.
    """

    def __init__(
        self, store: CheckpointStore, letters: PatientLetters, wait_ms: int = SAVE_WAIT_MS
    ) -> None:
        self._store = store
        self._letters = letters
        self._wait_ms = wait_ms

    def load(self, shard: int, *, previous: bool = False) -> Checkpoint | None:
        """Read a revision; see `CheckpointReader.load`."""
        return self._store.load(shard, previous=previous)

    def acquire(self, shard: int) -> int:
        """Become the shard's owner; see `CheckpointStore.acquire`."""
        return self._store.acquire(shard)

    def save(self, delta: CheckpointDelta) -> None:
        """Write one revision; see `CheckpointStore.save`.

        Raises:
            Transient: letters below it are not stored yet; nothing was written.
        """
        header = delta.header
        if not self._letters.wait_stored(header.shard, header.next_offset, self._wait_ms):
            raise Transient(
                f"Expected the dead letters below offset {header.next_offset} of partition "
                f"{header.shard} to be stored, was none of them from offset "
                f"{self._letters.oldest(header.shard)} on ({self._letters.problem or 'too many'}): "
                "the checkpoint waits for them"
            )
        self._store.save(delta)

    def close(self) -> None:
        """Release what the store holds."""
        self._store.close()


def _size(letter: DeadLetter) -> int:
    return len(letter.message) + LETTER_BYTES
