"""Takes what shards decided into the archive, exactly once, in a thread of its own.

The contract with the aggregator's loop, for each partition:

1. `resume(partition, epoch, from_offset)` after the shard was restored, before its first apply or
   tick. It returns steps: the records up to each step's `next_offset` must be applied with
   `step.moment_ms(batch, now_ms)`, in batches cut at the steps' ends (`cut_batch`); meanwhile the
   shard must not tick. This makes ranges that were noted before come out equal.
2. `has_room()` before each apply. False = wait: nothing is ever dropped. What waits for an archive
   that is away is kept as decisions only, some bytes a record; the records are read again from the
   log when their turn comes. So an outage costs the windows nothing for hours.
3. `offer(partition, batch, rows, moment_ms)` after each apply of a batch, in order, every batch,
   rows or not. `moment_ms` is T as the apply began: `max(now_ms, shard.t_ms)`.
4. A checkpoint whose header says `next_offset` may be saved once
   `flush(partition, next_offset, timeout_ms)` returned True; the loop may go on meanwhile, as only
   the thread that saves waits. False = keep the older checkpoint; nothing is lost by that.
5. `forget(partition, offset)` with the lower `next_offset` of the two revisions the store keeps.
6. Giving a partition up: a last flush and checkpoint, then `release`. Losing it: `release` alone.
   `take_fenced()` names what a newer owner has taken; it is released already.

A journal that does not know of rows the archive has was lost or set back. Batches are inserted in
order, so all but the last are whole: everything more than the longest batch below the newest row
is taken as archived, and the range up to that row is verified as one batch. The archive is asked in
the archiver's thread before anything is taken in: nobody else waits for it.

What is done with a batch is in `archive_carrier`. What the archive does not take waits and is put
again; other errors end the thread and are raised here.
"""

import math
import threading
from collections.abc import Callable
from typing import Final

import msgspec

from swapstats.core.archive_batcher import BatchLimits
from swapstats.errors import (
    Fenced,
    OffsetGone,
    StoreCorrupt,
    StoreFull,
    Transient,
)
from swapstats.model.effects import ArchiveRows
from swapstats.model.record import RecordBatch
from swapstats.ports.archive import (
    Archive,
    ArchiveJournal,
    ArchiveObserver,
    SilentArchive,
)
from swapstats.ports.clock import Clock
from swapstats.ports.swap_log import SwapLogReader
from swapstats.roles.archive_carrier import NAME_SPAN_MS, REFUSED_RETRY_MS, BatchCarrier
from swapstats.roles.archive_lane import ArchiveLane, ReplayStep
from swapstats.roles.log_range import read_range

QUEUE_BYTES_MAX: Final = 64 << 20
DECISION_BYTES_MAX: Final = 512 << 20
"""A row takes 5 bytes and an apply some 500: tens of millions of records, more in large batches."""
_IDLE_MS: Final = 1_000


class Archiver:
    """Archives what is offered; every method from any thread but `step`.

    Args:
        archive: where rows go.
        journal: where batches are written down.
        clock: both clocks.
        limits: of batches.
        observer: who measures.
        log: where records are read again that did not fit into the queue; None = `has_room` says
            no instead.
        floor_of: offset of a partition below which somebody else archived (a log that was
            copied); asked only while nothing else is known.
        queue_bytes_max: bytes of records that are kept while they wait; one batch more may come.
        decision_bytes_max: bytes of decisions that may wait before `has_room` says no.
        name_span_ms: how long after its note a batch may be sent again under its name.
        faults: called between any two steps, see FAULT_POINTS.

    Attributes:
        failure: what ended the thread, if anything did.
        stale_notes: notes refused because a higher epoch exists.
        problem: why rows wait now; empty if they do not.
    """

    def __init__(
        self,
        archive: Archive,
        journal: ArchiveJournal,
        clock: Clock,
        limits: BatchLimits | None = None,
        observer: ArchiveObserver | None = None,
        *,
        log: SwapLogReader | None = None,
        floor_of: Callable[[int], int] = lambda _: 0,
        queue_bytes_max: int = QUEUE_BYTES_MAX,
        decision_bytes_max: int = DECISION_BYTES_MAX,
        name_span_ms: int = NAME_SPAN_MS,
        faults: Callable[[str], None] | None = None,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._limits = limits or BatchLimits()
        self._observer = observer or SilentArchive()
        self._log = log
        self._floor_of = floor_of
        self._queue_bytes_max = queue_bytes_max
        self._decision_bytes_max = decision_bytes_max
        self._carrier = BatchCarrier(
            archive, journal, clock, self._observer, name_span_ms, faults or _no_faults
        )
        self._lanes: dict[int, ArchiveLane] = {}
        self._fenced: set[tuple[int, int]] = set()
        self._retry_ms = 0
        self._changed = threading.Condition()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.failure: BaseException | None = None
        self.stale_notes = 0
        self.problem = ""

    def resume(
        self,
        partition: int,
        epoch: int,
        from_offset: int,
        *,
        log_end: int = 0,
        accept_gap: bool = False,
    ) -> list[ReplayStep]:
        """Own a partition from now on.

        Args:
            partition: the shard.
            epoch: its ownership number.
            from_offset: the offset its state holds everything before.
            log_end: offset after the last record of its log; 0 = unknown.
            accept_gap: True to give up rows of a noted range that the log lost.

        Returns:
            How to apply the next records again; see `ReplayStep`.

        Raises:
            Fenced: a higher epoch owns it.
            OffsetGone: rows that may not be in the archive lie before `from_offset`.
        """
        state = self._journal.acquire(partition, epoch)
        lane = ArchiveLane(
            partition,
            epoch,
            from_offset,
            state,
            self._limits,
            accept_gap=accept_gap,
            log_end=log_end,
        )
        if log_end and lane.known_end > max(log_end, from_offset):
            raise OffsetGone(
                f"Expected partition {partition} of the log to hold what was archived of it, up to "
                f"offset {lane.known_end}, was {log_end} long: it was made anew; give it another "
                "name, or its stores (stores.redis.prefix, the data directory)"
            )
        for note in lane.given_up:
            self._journal.note(msgspec.structs.replace(note, epoch=epoch, inserted=True))
            self._observer.failed(partition, "given up: the log lost records of a noted batch")
        with self._changed:
            self._release(partition)
            self._lanes[partition] = lane
        return lane.steps

    def has_room(self) -> bool:
        """False while so much waits that the next apply must wait too."""
        self._raise_failure()
        lanes = self._all_lanes()
        if self._log is None:
            has_room = self.waiting_bytes() < self._queue_bytes_max
        else:
            has_room = sum(lane.decision_bytes for lane in lanes) < self._decision_bytes_max
        return has_room or any(lane.is_starved for lane in lanes)

    def waiting_bytes(self) -> int:
        """Bytes of records that wait in memory to be archived."""
        return sum(lane.waiting_bytes for lane in self._all_lanes())

    def offer(self, partition: int, batch: RecordBatch, rows: ArchiveRows, moment_ms: int) -> None:
        """Take what one apply decided; never blocks. Of a partition given up, nothing is taken.

        Args:
            partition: the shard.
            batch: the records applied, right after those offered before.
            rows: `Effects.archive`.
            moment_ms: T as the apply began.
        """
        self._raise_failure()
        with self._changed:
            lane = self._lanes.get(partition)
        if lane is not None:
            keep = self._log is None or self.waiting_bytes() < self._queue_bytes_max
            lane.offer(batch, rows, moment_ms, keep_records=keep)
            self._wake.set()

    def flushed_offset(self, partition: int) -> int:
        """Everything below it is in the archive, or made no rows."""
        self._raise_failure()
        with self._changed:
            lane = self._lanes.get(partition)
        return 0 if lane is None else lane.closed_offset

    def ask_flush(self, partition: int, offset: int) -> None:
        """Archive everything below an offset without waiting for more."""
        with self._changed:
            lane = self._lanes.get(partition)
            if lane is not None:
                lane.flush_to = max(lane.flush_to, offset)
        self._wake.set()

    def flush(self, partition: int, offset: int, timeout_ms: int) -> bool:
        """Wait until everything below an offset is archived; False if it is not in time."""
        with self._changed:
            lane = self._lanes.get(partition)
            if lane is None:
                return False
            lane.flush_to = max(lane.flush_to, offset)
            self._wake.set()
            self._changed.wait_for(lambda: self._is_settled(lane, offset), timeout_ms / 1_000)
        self._raise_failure()
        return lane.closed_offset >= offset

    def forget(self, partition: int, before_offset: int) -> None:
        """Let notes be dropped that no kept checkpoint can need; see the contract above."""
        with self._changed:
            lane = self._lanes.get(partition)
            if lane is not None:
                lane.forget_to = max(lane.forget_to, before_offset)
        self._wake.set()

    def take_fenced(self) -> set[tuple[int, int]]:
        """(partition, epoch) whose newer owner was met since the last call; released already."""
        with self._changed:
            fenced, self._fenced = self._fenced, set()
        return fenced

    def release(self, partition: int) -> None:
        """Give a partition up; what still waits of it is for its next owner."""
        with self._changed:
            self._release(partition)

    def start(self) -> None:
        """Begin to work in a thread."""
        self._thread = threading.Thread(target=self._work, name="archiver")
        self._thread.start()

    def stop(self) -> None:
        """End after the insert at hand, wait for that, and raise what failed."""
        self._stop.set()
        self._wake.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._raise_failure()

    def step(self) -> int:
        """Do the one thing that is due; returns ms until something may be, 0 = at once."""
        now_ms = self._clock.monotonic_ms()
        if now_ms < self._retry_ms:
            return self._retry_ms - now_ms
        lanes = self._all_lanes()
        lane: ArchiveLane | None = None
        try:
            for lane in lanes:
                if lane.in_flight is None:
                    self._take_in(lane, now_ms)
            delay_ms = self._limits.delay_of(sum(1 for lane in lanes if lane.batcher.rows))
            dues = [(due, lane) for lane in lanes if (due := lane.due_ms(delay_ms)) is not None]
            if not dues:
                return _IDLE_MS
            due_ms, lane = min(dues, key=_by_age)
            if due_ms > now_ms:
                return due_ms - now_ms
            self._carry(lane, now_ms)
        except (Transient, StoreFull) as error:
            self.problem = str(error)
            self._observer.failed(-1 if lane is None else lane.partition, str(error))
            wait_ms = error.retry_after_ms if isinstance(error, Transient) else REFUSED_RETRY_MS
            self._retry_ms = now_ms + wait_ms
        except Fenced:
            if lane is None:
                raise
            # Whoever owns it now has the notes.
            with self._changed:
                if not lane.is_released:
                    self.stale_notes += 1
                    self._fenced.add((lane.partition, lane.epoch))
                    self._release(lane.partition)
        return 0

    def _ask(self, lane: ArchiveLane) -> None:
        """Find out what the archive has although the journal does not know it; see the module.

        Raises:
            Transient: the archive, or the log, cannot tell now.
            StoreCorrupt: the archive has rows that the log never had.
        """
        end = self._carrier.end_offset(lane.partition)
        log_end = self._log.end_offsets()[lane.partition] if self._log else end
        if end > max(log_end, lane.known_end):
            raise StoreCorrupt(
                f"Expected rows of partition {lane.partition} up to offset {log_end} in the "
                f"archive, was up to {end}: another log of this name was archived there; give this "
                "one another topic, or take another stores.clickhouse.database"
            )
        floor = 0
        if lane.is_fresh:
            floor = max(self._floor_of(lane.partition), end - 2 * self._limits.offsets_max)
        lane.learn(floor, end)

    def _take_in(self, lane: ArchiveLane, now_ms: int) -> None:
        """Bring what was offered to the batcher, and drop notes that are not needed any more."""
        if lane.forget_to > lane.forgotten:
            self._journal.forget(lane.partition, lane.forget_to)
            lane.forgotten = lane.forget_to
        if not lane.is_asked:
            self._ask(lane)
        lane.take_in(now_ms)
        while self._log is not None and (missing := lane.missing_range()) is not None:
            if lane.batcher.rows and self.waiting_bytes() >= self._queue_bytes_max:
                return
            lane.put_back(read_range(self._log, lane.partition, *missing))
            lane.take_in(now_ms)

    def _carry(self, lane: ArchiveLane, now_ms: int) -> None:
        """Bring one batch into the archive; repeatable from its start at any point."""
        batch = lane.in_flight or lane.next_batch(now_ms, self._clock.wall_ms())
        if batch is None:
            return
        self._carrier.carry(batch)
        self.problem = ""
        with self._changed:
            lane.landed()
            self._changed.notify_all()

    def _is_settled(self, lane: ArchiveLane, offset: int) -> bool:
        is_over = lane.is_released or self._stop.is_set() or self.failure is not None
        return is_over or lane.closed_offset >= offset

    def _all_lanes(self) -> list[ArchiveLane]:
        with self._changed:
            return list(self._lanes.values())

    def _release(self, partition: int) -> None:
        lane = self._lanes.pop(partition, None)
        if lane is not None:
            lane.is_released = True
            self._changed.notify_all()

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                self._wake.clear()
                wait_ms = self.step()
                self._observer.waiting(self.waiting_bytes())
                if wait_ms:
                    self._wake.wait(wait_ms / 1_000)
        except BaseException as error:  # noqa: BLE001 - the top of the thread: raised by every call
            with self._changed:
                self.failure = error
                self._changed.notify_all()

    def _raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure


def _by_age(due: tuple[int, ArchiveLane]) -> tuple[int, float]:
    """What is due first; of several, whose rows have waited longest."""
    oldest_ms = due[1].batcher.oldest_ms
    return due[0], math.inf if oldest_ms is None else oldest_ms


def _no_faults(_point: str) -> None:
    """Stand in for a fault plan: every step succeeds."""
