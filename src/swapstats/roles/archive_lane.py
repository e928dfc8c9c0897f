"""One partition's way into the archive: what it may skip, what it owes, what comes next.

    offsets    0        floor      C (checkpoint)   skip_to      owed.next
               |---------|------------|----------------|-------------|------->
                forgotten   inserted notes              noted, maybe   free
                                                        inserted

After a restart the shard applies the records from its checkpoint on again. What was inserted is
skipped; the one range that was noted and not marked inserted is owed: it is made again within its
bounds and must come out equal. From there on batches are free. A lane does no I/O; `archiver.py`
does.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from swapstats.core.archive_batcher import ArchiveBatcher, BatchDraft, BatchLimits
from swapstats.core.archive_rows import LATE_SIGN, digest_of, read_rows
from swapstats.errors import InvariantBroken, OffsetGone
from swapstats.model.effects import ArchiveRows
from swapstats.model.record import RecordBatch
from swapstats.ports.archive import ArchiveBatch, BatchNote, JournalState, expect_same_rows

_OFFER_BYTES: Final = 500
"""What an offer takes beside its arrays, about."""


@dataclass(frozen=True, slots=True)
class ReplayStep:
    """Up to where records are applied again, and with which moment.

    Attributes:
        next_offset: offset after the last record of the step.
        now_ms: the moment; None = no such bound is known.
        exact: True: exactly this moment. False: the rows are in the archive already and their
            moments are forgotten: take the append time, but never later than `now_ms`.
        left_out: True if duplicates known from before the windows were left out of the rows.
    """

    next_offset: int
    now_ms: int | None
    exact: bool
    left_out: bool = False

    def moment_ms(self, batch: RecordBatch, now_ms: int) -> int:
        """The moment to apply a batch with, which must not reach beyond the step.

        Args:
            batch: records of this step.
            now_ms: the present moment.
        """
        if self.exact and self.now_ms is not None:
            return self.now_ms
        bounds = [now_ms, int(batch.append_ms[-1])]
        return min(bounds if self.now_ms is None else [*bounds, self.now_ms])


@dataclass(slots=True)
class _Offer:
    """What one apply made; `batch` is None while its records are only in the log."""

    first_offset: int
    next_offset: int
    records: int
    batch: RecordBatch | None
    rows: ArchiveRows
    moment_ms: int

    @property
    def decision_bytes(self) -> int:
        rows = self.rows
        return _OFFER_BYTES + rows.index.nbytes + rows.sign.nbytes + rows.late_index.nbytes


class ArchiveLane:
    """Offered batches of one partition on their way into noted batches.

    Args:
        partition: the shard.
        epoch: ownership number.
        from_offset: where the shard resumes.
        state: what the journal holds.
        limits: of batches.
        accept_gap: True to give up a noted range that the shard will not make again.
        log_end: offset after the last record of the log as the shard was restored; 0 = unknown.

    Attributes:
        batcher: rows that wait.
        in_flight: the batch that is decided and not yet marked inserted.
        closed_offset: everything below it is in the archive, or made no rows.
        given_up: noted ranges that will not be made again.
        steps: how to apply the next records again.
        flush_to: everything below is to be archived without waiting for more.
        forget_to: notes of what lies below are not needed any more ...
        forgotten: ... and were dropped up to here.
        is_released: True once the partition was given up.
        is_fresh: True if the journal knew nothing of the partition.
        is_asked: True once `learn` told what the archive has; nothing is taken in before.
        known_end: offset up to which the journal knows what the archive has.
        log_end: as given.

    Raises:
        OffsetGone: a noted range that may not be inserted begins before `from_offset`.
    """

    def __init__(
        self,
        partition: int,
        epoch: int,
        from_offset: int,
        state: JournalState,
        limits: BatchLimits,
        *,
        accept_gap: bool = False,
        log_end: int = 0,
    ) -> None:
        self.partition = partition
        self.epoch = epoch
        self.in_flight: ArchiveBatch | None = None
        self.flush_to = self.forget_to = self.forgotten = 0
        self.is_released = False
        # The first note begins at the floor, also at one that the journal was never told.
        known = [state.floor, *(note.first_offset for note in state.notes[:1])]
        skip_to = max([*known, *(note.next_offset for note in state.notes if note.inserted)])
        self.given_up: list[BatchNote] = []
        self._owed: BatchNote | None = None
        for note in state.notes:
            if note.inserted:
                continue
            if note.first_offset >= from_offset:
                self._owed = note
                continue
            if not accept_gap:
                raise OffsetGone(
                    f"Expected to resume partition {partition} at or before offset "
                    f"{note.first_offset}, whose rows may not be in the archive, was {from_offset}:"
                    " start with --accept-gap to give those rows up"
                )
            self.given_up.append(note)
            skip_to = max(skip_to, note.next_offset)
        self.batcher = ArchiveBatcher(limits, max(from_offset, skip_to))
        self._limits = limits
        self._doubt_end = 0
        self.is_fresh = not state.notes and not state.floor
        self.is_asked = False
        self.known_end = self._owed.next_offset if self._owed else self.batcher.first_offset
        self.log_end = log_end
        self.closed_offset = self.batcher.first_offset
        self.steps = _steps(state, from_offset, log_end)
        self._inbox: deque[_Offer] = deque()
        # Each is written by one thread only: by the one that offers, or by the one that takes in.
        self._offered_bytes = 0
        self._taken_bytes = 0
        self._row_bytes = 0
        self._decided_bytes = 0
        self._settled_bytes = 0

    @property
    def waiting_bytes(self) -> int:
        """Bytes of records that wait, from any thread."""
        return self._offered_bytes - self._taken_bytes + self._row_bytes

    @property
    def decision_bytes(self) -> int:
        """Bytes of the decisions that wait, from any thread."""
        return self._decided_bytes - self._settled_bytes

    @property
    def is_starved(self) -> bool:
        """True if it cannot go on until more is offered, however much waits."""
        return self._bound is not None and not self._inbox

    @property
    def _bound(self) -> int | None:
        """Where the next batch must end; None = wherever the limits say."""
        owed = self._owed
        return owed.next_offset if owed is not None else self._doubt_end or None

    def learn(self, floor: int, doubt_end: int) -> None:
        """Take note of what the archive has beyond what the journal knew.

        Args:
            floor: everything below it is archived.
            doubt_end: nobody knows what the archive has between there and this offset: the range
                is made as one batch, to be verified.
        """
        if floor > self.batcher.first_offset and self._owed is None:
            self.batcher = ArchiveBatcher(self._limits, floor)
            self.closed_offset = floor
        self._doubt_end = doubt_end if doubt_end > max(floor, self.known_end) else 0
        self.is_asked = True

    def offer(
        self,
        batch: RecordBatch,
        rows: ArchiveRows,
        moment_ms: int,
        *,
        keep_records: bool = True,
    ) -> None:
        """Take what one apply made.

        Args:
            batch: the records.
            rows: what was decided.
            moment_ms: T as the apply began.
            keep_records: False to keep the decisions only; see `missing_range`.
        """
        offer = _Offer(
            int(batch.offsets[0]),
            batch.next_offset,
            len(batch),
            batch if keep_records else None,
            rows,
            moment_ms,
        )
        self._decided_bytes += offer.decision_bytes
        if keep_records:
            self._offered_bytes += len(batch.buffer)
        self._inbox.append(offer)

    def missing_range(self) -> tuple[int, int] | None:
        """Offsets of records that were not kept and whose turn has come; None = none."""
        if not self._inbox or not self.is_asked or not self._wants_more():
            return None
        offer = self._inbox[0]
        return None if offer.batch is not None else (offer.first_offset, offer.next_offset)

    def put_back(self, batch: RecordBatch) -> None:
        """Take the records of `missing_range`, read again.

        Raises:
            InvariantBroken: they are not those that were decided.
        """
        offer = self._inbox[0]
        if len(batch) != offer.records:
            raise InvariantBroken(
                f"Expected {offer.records} records from {offer.first_offset} to "
                f"{offer.next_offset} of partition {self.partition}, was {len(batch)}"
            )
        self._taken_bytes -= len(batch.buffer)
        offer.batch = batch

    def take_in(self, now_ms: int) -> None:
        """Read offered rows until a batch could be full."""
        batcher = self.batcher
        while self.is_asked and self._inbox and self._wants_more():
            offer = self._inbox[0]
            if offer.next_offset > batcher.next_offset:
                if offer.batch is None:
                    return
                rows = _from(offer.batch, offer.rows, batcher.next_offset)
                run = read_rows(offer.batch, rows)
                self._row_bytes += run.size_bytes
                batcher.add(run, offer.next_offset, offer.moment_ms, now_ms, left_out=rows.left_out)
            self._inbox.popleft()
            self._settled_bytes += offer.decision_bytes
            if offer.batch is not None:
                self._taken_bytes += len(offer.batch.buffer)

    def due_ms(self, delay_ms: int) -> int | None:
        """When something is to be done by the clock of `take_in`; None = nothing waits."""
        batcher = self.batcher
        if self.in_flight is not None:
            return 0
        if self._bound is not None:
            return None if self._is_short() else 0
        if batcher.first_offset < self.flush_to and batcher.next_offset > batcher.first_offset:
            return 0
        return batcher.due_ms(delay_ms)

    def next_batch(self, now_ms: int, wall_ms: int) -> ArchiveBatch | None:
        """Decide the next batch; it is in flight from now on.

        Raises:
            SettingsMismatch: a range that was noted before came out otherwise.
        """
        bound, owed = self._bound, self._owed
        draft = self.batcher.take(now_ms, bound)
        if draft is None:
            return None
        note = self._note(draft, wall_ms, doubtful=owed is None and bound is not None)
        if owed is None:
            self._doubt_end = 0
        self._owed = None
        if owed is not None:
            expect_same_rows(owed, note)
            note = msgspec.structs.replace(owed, epoch=self.epoch)
        self.in_flight = ArchiveBatch(note, draft.run)
        return self.in_flight

    def landed(self) -> None:
        """The batch in flight is in the archive and marked."""
        if self.in_flight is not None:
            self._row_bytes -= self.in_flight.run.size_bytes
        self.in_flight = None
        self.closed_offset = self.batcher.first_offset

    def _is_short(self) -> bool:
        """True while the range that must be one batch is not offered whole."""
        return self._bound is not None and self.batcher.next_offset < self._bound

    def _wants_more(self) -> bool:
        return self.batcher.rows < self.batcher.limits.rows_max or self._is_short()

    def _note(self, draft: BatchDraft, wall_ms: int, *, doubtful: bool) -> BatchNote:
        late_rows = int((draft.run.signs == LATE_SIGN).sum())
        return BatchNote(
            partition=self.partition,
            epoch=self.epoch,
            first_offset=draft.first_offset,
            next_offset=draft.next_offset,
            rows=len(draft.run) - late_rows,
            late_rows=late_rows,
            digest=digest_of(draft.run),
            steps=draft.steps,
            noted_ms=wall_ms,
            inserted=len(draft.run) == 0,
            doubtful=doubtful,
            left_out=draft.left_out,
        )


def _steps(state: JournalState, from_offset: int, log_end: int) -> list[ReplayStep]:
    """Moments to apply the records from `from_offset` on with, as far as any are noted.

    What lies beyond may have been archived all the same, by a journal that was set back or lost: up
    to the log's end T follows append times, as it did then.
    """
    notes: Sequence[BatchNote] = state.notes
    steps = [
        ReplayStep(next_offset, now_ms, exact=True, left_out=next_offset in note.left_out)
        for note in notes
        for next_offset, now_ms in note.steps
        if next_offset > from_offset
    ]
    first = notes[0].first_offset if notes else state.floor
    if from_offset < first:
        earliest = steps[0].now_ms if steps else None
        steps.insert(0, ReplayStep(first, earliest, exact=False))
    if log_end > max(from_offset, steps[-1].next_offset if steps else 0):
        steps.append(ReplayStep(log_end, None, exact=False))
    return steps


def _from(batch: RecordBatch, rows: ArchiveRows, offset: int) -> ArchiveRows:
    """Those rows of a batch that are at or after an offset."""
    begin = int(np.searchsorted(batch.offsets, offset))
    if begin == 0:
        return rows
    kept = rows.index >= begin
    late_index = rows.late_index[rows.late_index >= begin]
    return ArchiveRows(rows.index[kept], rows.sign[kept], late_index, rows.left_out)
