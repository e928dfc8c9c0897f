"""Decides which rows of one partition make a batch, and when.

    offsets   100      140      180          250
              |-step---|-step---|----step-----|      what was applied, each with its moment
              |------ batch --------|-- next -|      cut by rows, months or a noted bound

A batch is due when its oldest row has waited long enough or enough rows have come; "enough" grows
with the stream, so a faster one makes larger batches by itself. Ranges follow each other without a
hole, rows or not. There is no clock here: `now_ms` is any clock that never goes back.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from swapstats.core.archive_rows import RowRun, join_runs
from swapstats.errors import InvariantBroken

_RATE_SPAN_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """When a batch is due and how large it may be.

    Attributes:
        delay_ms: a row waits no longer than this while inserts keep up.
        rows_due: so many rows make a batch due at 1,000 events a second; beyond that, as many
            as came within the last second.
        rows_max: rows of one batch.
        months_max: calendar months one batch may touch: each is a part of every table.
        steps_max: applied batches one batch may span.
        offsets_max: offsets one batch may span, but for a single apply that spans more: so far
            below its newest row the archive is known to be whole.
        inserts_per_s_max: inserts a second over all partitions of one process; with more
            partitions each waits longer, because small parts cost the archive more than rows do.
    """

    delay_ms: int = 200
    rows_due: int = 1_000
    rows_max: int = 50_000
    months_max: int = 50
    steps_max: int = 500
    offsets_max: int = 50_000
    inserts_per_s_max: int = 20

    def delay_of(self, partitions: int) -> int:
        """How long rows wait when so many partitions have some, in ms."""
        return max(self.delay_ms, 1_000 * partitions // self.inserts_per_s_max)


@dataclass(frozen=True, slots=True)
class BatchDraft:
    """A batch as decided.

    Attributes:
        first_offset: first offset of the range.
        next_offset: offset after it.
        steps: (next_offset, now_ms) of what was applied within it; the last ends the range.
        run: its rows.
        left_out: those steps, by next_offset, in which known duplicates were left out.
    """

    first_offset: int
    next_offset: int
    steps: tuple[tuple[int, int], ...]
    run: RowRun
    left_out: tuple[int, ...] = ()


@dataclass(slots=True)
class _Piece:
    next_offset: int
    moment_ms: int
    run: RowRun
    left_out: bool


@dataclass(slots=True)
class ArchiveBatcher:
    """Rows of one partition on their way into batches.

    Attributes:
        first_offset: where the next batch begins: everything below it was taken.
        next_offset: everything below it was added.
        rows: rows waiting.
        oldest_ms: when the oldest of them was added; None if there are none.
    """

    limits: BatchLimits
    first_offset: int
    next_offset: int = field(init=False)
    rows: int = field(init=False, default=0)
    oldest_ms: int | None = field(init=False, default=None)
    _pieces: deque[_Piece] = field(init=False, default_factory=deque)
    _rate: float = field(init=False, default=0.0)
    _rate_ms: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.next_offset = self.first_offset

    @property
    def steps(self) -> int:
        """Applied batches waiting."""
        return len(self._pieces)

    def add(
        self,
        run: RowRun,
        next_offset: int,
        moment_ms: int,
        now_ms: int,
        *,
        left_out: bool = False,
    ) -> None:
        """Add what one apply made.

        Args:
            run: its rows, maybe none, all at or after `self.next_offset`.
            next_offset: offset after its last record.
            moment_ms: the moment it was applied with.
            now_ms: the clock.
            left_out: `ArchiveRows.left_out`.

        Raises:
            InvariantBroken: it does not follow what was added before.
        """
        begins = int(run.offsets[0]) if len(run) else self.next_offset
        if next_offset < self.next_offset or begins < self.next_offset:
            raise InvariantBroken(
                f"Expected rows from offset {self.next_offset} on, was {begins} to {next_offset}"
            )
        last = self._pieces[-1] if self._pieces else None
        goes_on = last is not None and (last.moment_ms, last.left_out) == (moment_ms, left_out)
        if last is not None and goes_on and not len(run):
            last.next_offset = next_offset
        else:
            self._pieces.append(_Piece(next_offset, moment_ms, run, left_out))
        self.next_offset = next_offset
        if len(run):
            self.rows += len(run)
            self.oldest_ms = now_ms if self.oldest_ms is None else self.oldest_ms
            self._rate = self._rate_at(now_ms) + len(run)
            self._rate_ms = now_ms

    def due_ms(self, delay_ms: int) -> int | None:
        """When a batch is due by the clock of `add`; None if nothing waits for it.

        Args:
            delay_ms: how long a row waits, see `BatchLimits.delay_of`.
        """
        if self.steps >= self.limits.steps_max:
            return 0
        if self.oldest_ms is None:
            return None
        enough = max(self.limits.rows_due, min(int(self._rate), self.limits.rows_max))
        return 0 if self.rows >= enough else self.oldest_ms + delay_ms

    def take(self, now_ms: int, until: int | None = None) -> BatchDraft | None:
        """Take the next batch, however small; None if nothing was added.

        Args:
            now_ms: the clock.
            until: take exactly the range up to this offset, whatever the limits say: it was taken
                like that before.
        """
        if self.next_offset == self.first_offset:
            return None
        bound = self._bound() if until is None else min(until, self.next_offset)
        taken: list[RowRun] = []
        steps: list[tuple[int, int]] = []
        left_out: list[int] = []
        while self._pieces and (not steps or steps[-1][0] < bound):
            piece = self._pieces[0]
            if piece.next_offset <= bound:
                self._pieces.popleft()
                taken.append(piece.run)
                steps.append((piece.next_offset, piece.moment_ms))
            else:
                cut = int(np.searchsorted(piece.run.offsets, bound))
                taken.append(piece.run.part(0, cut))
                piece.run = piece.run.part(cut, len(piece.run))
                steps.append((bound, piece.moment_ms))
            if piece.left_out:
                left_out.append(steps[-1][0])
        run = join_runs(taken)
        draft = BatchDraft(self.first_offset, bound, tuple(steps), run, tuple(left_out))
        self.first_offset = bound
        self.rows -= len(draft.run)
        self.oldest_ms = now_ms if self.rows else None
        return draft

    def _bound(self) -> int:
        """Offset at which the limits end the next batch."""
        rows = 0
        months: set[int] = set()
        end = self.first_offset
        for number, piece in enumerate(self._pieces):
            room = self._room(piece.run, rows, months)
            if room < len(piece.run):
                return end if room == 0 else int(piece.run.offsets[room - 1]) + 1
            is_wide = number and piece.next_offset - self.first_offset > self.limits.offsets_max
            if is_wide or number == self.limits.steps_max:
                return end
            rows += room
            months.update(np.unique(piece.run.months).tolist())
            end = piece.next_offset
        return end

    def _room(self, run: RowRun, rows: int, months: set[int]) -> int:
        """How many rows of a run fit beside what was taken already."""
        room = min(len(run), self.limits.rows_max - rows)
        of_rows = run.months[:room]
        if len(months.union(np.unique(of_rows).tolist())) <= self.limits.months_max:
            return room
        seen = set(months)
        for number, month in enumerate(of_rows.tolist()):
            seen.add(month)
            if len(seen) > self.limits.months_max:
                return number
        return room

    def _rate_at(self, now_ms: int) -> float:
        """Rows that came within about the last second."""
        return self._rate * math.exp((self._rate_ms - now_ms) / _RATE_SPAN_MS)
