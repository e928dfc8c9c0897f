"""A copy of the hot store's statistics, kept fresh for the API of this process.

One thread looks at every partition at a cadence, reads what changed since its last look, and hands
it on as one update. The hot store is the only order of events: a message heard over the feed only
wakes the replica, its payload is never applied. So nothing depends on which messages came, and two
replicas that have seen the same seq hold the same numbers.

While the store cannot be reached, what is known stays as it is and its lag grows.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import structlog

from swapstats.core.first_round import FirstRound
from swapstats.errors import Rejected, StoreError, Transient
from swapstats.model.effects import StatsUpdate
from swapstats.ports.clock import Clock
from swapstats.ports.hot_store import HotHead, HotStoreReader
from swapstats.roles.serve.options import ReplicaOptions

LAG_GRACE_MS = 1_000
"""An owner that wrote this recently is not behind: owners write at a cadence, and clocks of two
machines differ."""

_DOUBLINGS_MAX = 30
_log = structlog.get_logger("swapstats.serve")


@dataclass(frozen=True, slots=True)
class ReplicaPlace:
    """How far one partition is known here.

    Attributes:
        partition: number.
        seq: change number of the newest update read; 0 = none yet.
        head: the store's entry at the last look that succeeded; None = nothing was ever put.
        looked: True once a look succeeded.
        went_back: True once an entry was seen that is older than what was handed on: the store
            lost its newest writes, or belongs to another life of the deployment.
        is_gone: True while the entry is missing that was there before.
    """

    partition: int
    seq: int = 0
    head: HotHead | None = None
    looked: bool = False
    went_back: bool = False
    is_gone: bool = False


class Replica:
    """Follows the hot store; everything public but `look_round` and `run` is for any thread.

    Args:
        store: where owners put their statistics.
        partitions: of the log.
        publish: takes updates; those of one partition come in order.
        clock: both clocks.
        options: spans.

    Attributes:
        places: how far each partition is known; the whole tuple is replaced at each look.
        ended_ms: monotonic moment of the last look that ended, in whatever way; None = none yet.
        trouble: why the last look failed; None if it succeeded.
        looks: looks that ended.
        failed_looks: those that failed.
        updates: updates read.
        failure: what ended the thread, if anything did.
    """

    def __init__(
        self,
        store: HotStoreReader,
        partitions: int,
        publish: Callable[[StatsUpdate], None],
        clock: Clock,
        options: ReplicaOptions | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._options = options or ReplicaOptions()
        self.places = tuple(ReplicaPlace(partition) for partition in range(partitions))
        self.ended_ms: int | None = None
        self.trouble: str | None = None
        self.looks = 0
        self.failed_looks = 0
        self.updates = 0
        self.failure: BaseException | None = None
        now_ms = clock.monotonic_ms()
        self._due_ms = [now_ms] * partitions
        self._looked_ms = [now_ms - self._options.wake_gap_ms] * partitions
        self._first = 0
        self._first_round = FirstRound(publish)
        self._failures = 0
        self._resume_ms = now_ms
        self._lock = threading.Lock()
        self._wanted: set[int] = set()
        self._woken = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, on_end: Callable[[], None]) -> None:
        """Follow the store in a thread of its own.

        Args:
            on_end: called from the thread when it ends, however it ends.
        """
        self._thread = threading.Thread(target=self._live, args=(on_end,), name="replica")
        self._thread.start()

    def stop(self) -> None:
        """End after the present look."""
        self._stop.set()
        self._woken.set()

    def join(self) -> None:
        """Wait for the end.

        Raises:
            BaseException: what made the thread fail.
        """
        if self._thread is not None:
            self._thread.join()
        if self.failure is not None:
            raise self.failure

    def wake(self, partitions: Iterable[int] | None = None) -> None:
        """Look at partitions at once instead of at the next turn.

        Args:
            partitions: which; None = all. Numbers of no partition are left out.
        """
        count = len(self.places)
        wanted = range(count) if partitions is None else partitions
        with self._lock:
            before = len(self._wanted)
            self._wanted.update(number for number in wanted if 0 <= number < count)
            is_news = len(self._wanted) > before
        if is_news:
            self._woken.set()

    def lag_ms(self) -> int:
        """How far what is known here is behind the log: that of the partition furthest behind."""
        now_ms = self._clock.wall_ms()
        return max(
            (
                place.head.lag_ms + max(0, now_ms - place.head.put_ms - LAG_GRACE_MS)
                for place in self.places
                if place.head is not None
            ),
            default=0,
        )

    def run(self) -> None:
        """Look and wait until `stop`."""
        while not self._stop.is_set():
            self._woken.clear()
            pause_ms = self.look_round()
            if not self._stop.is_set():
                self._woken.wait(pause_ms / 1_000)

    def look_round(self) -> int:
        """Look at every partition whose turn it is.

        A look that fails ends the round, and the next one begins behind it: a store that is gone
        costs one failed look a round, a partition that cannot be read does not keep the others
        waiting.

        Returns:
            How long nothing is to do, in milliseconds.
        """
        now_ms = self._clock.monotonic_ms()
        if now_ms < self._resume_ms:
            return self._resume_ms - now_ms
        with self._lock:
            wanted, self._wanted = self._wanted, set()
        for partition in wanted:
            soonest_ms = self._looked_ms[partition] + self._options.wake_gap_ms
            self._due_ms[partition] = min(self._due_ms[partition], soonest_ms)
        count = len(self.places)
        for step in range(count):
            partition = (self._first + step) % count
            if self._stop.is_set():
                break
            if self._due_ms[partition] <= now_ms and not self._look(partition):
                self._first = (partition + 1) % count
                return max(0, self._resume_ms - self._clock.monotonic_ms())
        return max(0, min(self._due_ms) - self._clock.monotonic_ms())

    def _live(self, on_end: Callable[[], None]) -> None:
        try:
            self.run()
        except BaseException as error:  # noqa: BLE001 - the top of the thread: handed to `join`
            self.failure = error
        finally:
            on_end()

    def _look(self, partition: int) -> bool:
        """Look at one partition; returns whether the store answered."""
        try:
            return self._read(partition)
        finally:
            self.looks += 1
            self.ended_ms = self._clock.monotonic_ms()

    def _read(self, partition: int) -> bool:
        """Read what is new of one partition; returns whether the store answered."""
        place = self.places[partition]
        try:
            head = self._store.head(partition)
            news = head is not None and head.seq > place.seq
            # What comes after an entry that was lost has nothing to do with it: read it whole.
            after_seq = 0 if place.is_gone else place.seq
            update = self._store.changes(partition, after_seq) if news else None
        except (Transient, StoreError, Rejected) as error:
            # What Redis refuses may be mended while we run; ending would lose what is known.
            self._failed(partition, error)
            return False
        if update is not None:
            self._hand_on(update)
        self._end_first_round(partition)
        self._note(place, head, update)
        now_ms = self._clock.monotonic_ms()
        self._looked_ms[partition] = now_ms
        self._due_ms[partition] = now_ms + self._options.look_ms
        self._failures = 0
        if self.trouble is not None:
            self.trouble = None
            _log.info("hot store is back", failed_looks=self.failed_looks)
        return True

    def _hand_on(self, update: StatsUpdate) -> None:
        self.updates += 1
        self._first_round.take(update)

    def _end_first_round(self, partition: int) -> None:
        """Hand the first updates on once every partition was looked at, this one being the last."""
        if not self._first_round.is_over and all(
            place.looked or place.partition == partition for place in self.places
        ):
            self._first_round.end()

    def _note(self, place: ReplicaPlace, head: HotHead | None, update: StatsUpdate | None) -> None:
        is_gone = place.seq > 0 and (head is None or (place.is_gone and update is None))
        is_older = head is not None and head.seq < place.seq
        if (is_gone and not place.is_gone) or (is_older and not place.went_back):
            _log.warning("hot store lost writes", partition=place.partition, seen=place.seq)
        seen = replace(
            place,
            seq=place.seq if update is None else update.seq,
            # What is known of an entry that is gone grows older from when it was written.
            head=place.head if head is None else head,
            looked=True,
            went_back=place.went_back or is_older,
            is_gone=is_gone,
        )
        self.places = (
            *self.places[: place.partition],
            seen,
            *self.places[place.partition + 1 :],
        )

    def _failed(self, partition: int, error: Transient | StoreError | Rejected) -> None:
        if self.trouble is None:
            _log.warning("hot store cannot be read", partition=partition, error=str(error))
        self.failed_looks += 1
        self.trouble = str(error)
        doublings = min(self._failures, _DOUBLINGS_MAX)
        pause_ms = min(self._options.retry_first_ms << doublings, self._options.retry_ms_max)
        self._failures += 1
        self._resume_ms = self._clock.monotonic_ms() + pause_ms
