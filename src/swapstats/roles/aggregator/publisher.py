"""Carries statistics from shards to the hot store and to instances that wait for single tokens.

Its own thread writes; updates of a partition that wait are merged, so that a slow or absent store
costs freshness and neither memory nor the stream. The hot store comes first: what a token's
subscribers are told can always be read there.
"""

import threading
from dataclasses import dataclass, field

from swapstats.core.merge_updates import merge_updates
from swapstats.errors import Fenced, Transient
from swapstats.model.effects import StatsUpdate
from swapstats.model.token_update import TokenUpdate
from swapstats.ports.clock import Clock
from swapstats.ports.hot_store import HotHead, HotStore
from swapstats.ports.token_feed import TokenPublisher

COALESCE_MS = 50
_RETRY_MIN_S, _RETRY_MAX_S = 0.05, 2.0


@dataclass(slots=True)
class _Names:
    """What this publisher knows of one shard's tokens, under one epoch."""

    epoch: int = 0
    known: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    sent: dict[int, int] = field(default_factory=dict)


class ShardPublisher:
    """Publishes the updates of the shards this process owns.

    Args:
        store: where the newest statistics of every token are kept.
        feed: where single tokens are announced; None for nowhere.
        clock: wall clock, for the age readers see.
        coalesce_ms: updates that come within this span are written as one.

    Attributes:
        problem: why nothing can be written now, empty if all is well.
        stale_writes: writes refused because a higher epoch exists.
    """

    def __init__(
        self,
        store: HotStore,
        feed: TokenPublisher | None,
        clock: Clock,
        coalesce_ms: int = COALESCE_MS,
    ) -> None:
        self.problem = ""
        self.stale_writes = 0
        self._store = store
        self._feed = feed
        self._clock = clock
        self._coalesce_s = coalesce_ms / 1_000
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._is_writing = False
        self._broken: set[int] = set()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._pending: dict[int, tuple[StatsUpdate, int]] = {}
        self._wanted_whole: set[int] = set()
        self._fenced: set[tuple[int, int]] = set()
        self._names: dict[int, _Names] = {}
        self._thread = threading.Thread(target=self._work, name="publisher", daemon=True)
        self.failure: Exception | None = None

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def head(self, partition: int) -> HotHead | None:
        """Where a partition's entry stands in the store; see `HotStoreReader.head`."""
        return self._store.head(partition)

    def publish(self, update: StatsUpdate, lag_ms: int) -> None:
        """Take an update; updates of one partition come in order, a whole one first.

        Raises:
            Exception: what ended the writing thread.
        """
        if self.failure is not None:
            raise self.failure
        with self._lock:
            waiting = self._pending.get(update.partition)
            if waiting is not None and waiting[0].epoch == update.epoch:
                update = merge_updates(waiting[0], update)
            self._pending[update.partition] = (update, lag_ms)
        self._wake.set()

    def forget(self, partition: int) -> None:
        """Drop what waits of a partition that was given up."""
        with self._lock:
            self._pending.pop(partition, None)
            self._wanted_whole.discard(partition)

    def take_requests(self) -> tuple[set[int], set[tuple[int, int]]]:
        """Partitions that must be published whole again, and (partition, epoch) that are stale."""
        with self._lock:
            wanted, self._wanted_whole = self._wanted_whole, set()
            fenced, self._fenced = self._fenced, set()
        return wanted, fenced

    def flush(self, timeout_ms: int) -> bool:
        """Wait until nothing waits; False if that took too long."""
        with self._idle:
            return self._idle.wait_for(
                lambda: not self._pending and not self._is_writing, timeout_ms / 1_000
            )

    def close(self) -> None:
        """End the thread; what waits is dropped."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()
        if self._feed is not None:
            self._feed.close()

    def _work(self) -> None:
        retry_s = _RETRY_MIN_S
        try:
            while not self._stopping.is_set():
                self._wake.wait()
                self._wake.clear()
                with self._lock:
                    pending, self._pending = self._pending, {}
                    self._is_writing = True
                failed = [not self._write(update, lag) for update, lag in pending.values()]
                with self._idle:
                    self._is_writing = False
                    self._idle.notify_all()
                if any(failed):
                    self._stopping.wait(retry_s)
                    retry_s = min(2 * retry_s, _RETRY_MAX_S)
                else:
                    retry_s = _RETRY_MIN_S
                    self._stopping.wait(self._coalesce_s)
        except Exception as error:  # noqa: BLE001 - raised from the next `publish`
            self.failure = error
            with self._idle:
                self._is_writing = False
                self._idle.notify_all()

    def _write(self, update: StatsUpdate, lag_ms: int) -> bool:
        """Write one update; False if the store could not be reached."""
        partition = update.partition
        if partition in self._broken and not update.whole:
            # Something before it is missing: only a whole update makes the entry right again.
            with self._lock:
                self._wanted_whole.add(partition)
            return True
        names = self._names.setdefault(partition, _Names())
        if names.epoch != update.epoch:
            self._names[partition] = names = _Names(update.epoch)
        try:
            self._store.put(update, self._clock.wall_ms(), lag_ms)
        except Fenced:
            self.stale_writes += 1
            with self._lock:
                self._fenced.add((partition, update.epoch))
            return True
        except Transient as error:
            self.problem = str(error)
            self._broken.add(partition)
            with self._lock:
                self._wanted_whole.add(partition)
            return False
        self.problem = ""
        self._broken.discard(partition)
        if self._feed is not None:
            self._feed.publish(_token_updates(update, names))
        return True


def _token_updates(update: StatsUpdate, names: _Names) -> list[TokenUpdate]:
    """One update a token, each naming the one sent before it."""
    if update.whole:
        names.known.clear()
        names.sent.clear()
    names.known.update((name.token_id, (name.key, name.symbol)) for name in update.names)
    found: list[TokenUpdate] = []
    if not len(update.token_ids):
        return found
    rows = update.rows.reshape(len(update.token_ids), -1).tolist()
    for token_id, row in zip(update.token_ids.tolist(), rows, strict=True):
        key, symbol = names.known[token_id]
        found.append(
            TokenUpdate(
                key=key,
                symbol=symbol,
                partition=update.partition,
                epoch=update.epoch,
                seq=update.seq,
                prev=names.sent.get(token_id, 0),
                offset=update.offset,
                t_ms=update.t_ms,
                end_ms=update.end_ms,
                complete_since_ms=update.complete_since_ms,
                row=tuple(row),
            )
        )
        names.sent[token_id] = update.seq
    return found
