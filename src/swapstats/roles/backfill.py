"""A table as a source of swaps: from its rows into the log, through the contract of wire v1.

Rows that are no swap are kept with their number and reason, on the disk before the position that
counts them. What is written twice, because a stop came between, is a duplicate and changes
nothing.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import msgspec
import numpy as np

from swapstats.core.backfill_position import BackfillPosition
from swapstats.errors import Rejected
from swapstats.model.record import MessageBlock
from swapstats.ports.source import NO_NOTES, SourceBatch, SourceStatus
from swapstats.ports.table import KeptRows, Table, TableChunk
from swapstats.roles.backfill_rows import JudgedRows, RowJudge

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """What one backfill does.

    Attributes:
        name: positions are kept under `backfill:<name>`.
        input: names source, mapping and bounds; see `BackfillPosition`.
        since_ms: earlier rows are left out; None = none are.
        until_ms: rows from then on are left out; None = none are.
        refused_max: more refused rows end it.
        again: begin anew although it ended, or stands somewhere.
    """

    name: str
    input: str
    since_ms: int | None
    until_ms: int | None
    refused_max: int
    again: bool = False


class BackfillSource:
    """Rows of a table as a `Source`.

    Args:
        table: the rows.
        judge: what becomes of them.
        kept: where refused rows go.
        plan: bounds and limits.
    """

    def __init__(self, table: Table, judge: RowJudge, kept: KeptRows, plan: BackfillPlan) -> None:
        self._table = table
        self._judge = judge
        self._kept = kept
        self._plan = plan
        self._state = "connecting"
        self.position = BackfillPosition(plan.input)
        self.start = "new"
        """`new`, `resumed`, `finished` (nothing is read), or `changed`: what was read before was
        another source, mapping or span."""

    @property
    def name(self) -> str:
        """Stable name: positions in the log are kept under it."""
        return f"backfill:{self._plan.name}"

    def status(self) -> SourceStatus:
        """Report how far the table was read."""
        progress = self._table.progress()
        now = self.position
        detail = f"{now.rows:,} rows read, {now.written:,} written, {now.refused_count:,} refused"
        return SourceStatus(self._state, detail, progress.done, progress.total)

    async def open(
        self,
        position: str | None,
        notes: Mapping[str, str] = NO_NOTES,  # noqa: ARG002 - the port's
    ) -> AsyncIterator[SourceBatch]:
        """Stream the rows from after `position` on; nothing if they were all read.

        Raises:
            Rejected: the table cannot be read further, or too many rows are refused.
            Transient: its server is away.
            StoreError: refused rows cannot be kept.
        """
        self._begin(BackfillPosition.parse(position))
        if self.start == "finished":
            self._state = "done"
            return
        self._state = "live"
        await _whole(lambda: self._kept.cut(self.position.kept_bytes))
        chunks = self._table.chunks(self._judge.columns, self.position.place)
        with contextlib.closing(chunks):
            while (chunk := await _whole(lambda: next(chunks, None))) is not None:
                block, self.position = await _whole(partial(self._take, chunk))
                yield SourceBatch(block, self.position.text)
        self.position = msgspec.structs.replace(self.position, place="", done=True)
        yield SourceBatch(MessageBlock.of([]), self.position.text)
        self._state = "done"

    def _begin(self, before: BackfillPosition | None) -> None:
        if before is None or self._plan.again:
            return
        if before.input != self._plan.input:
            self.start = "changed"
        elif before.done:
            self.start, self.position = "finished", before
        elif before.place:
            self.start, self.position = "resumed", before

    def _take(self, chunk: TableChunk) -> tuple[MessageBlock, BackfillPosition]:
        """Judge the rows of a chunk; for a thread."""
        now = self.position
        judged = self._judge.judge(chunk)
        refused = Counter(now.refused)
        refused.update(row.reason for row in judged.refused)
        kept_bytes = self._kept.put(judged.refused) if judged.refused else now.kept_bytes
        if refused.total() > self._plan.refused_max:
            first = judged.refused[0]
            raise Rejected(
                f"Expected at most {self._plan.refused_max} refused rows, was more (row "
                f"{first.number}: {first.reason}, {first.detail}): correct backfill.columns, or "
                f"raise backfill.refused_max, and give the same command again"
            )
        block, counts = self._within_bounds(judged)
        return block, msgspec.structs.replace(
            now,
            place=chunk.place,
            rows=now.rows + len(chunk.rows),
            written=now.written + len(block),
            older=now.older + counts.older + chunk.passed_over,
            newer=now.newer + counts.newer,
            refused=dict(sorted(refused.items())),
            first_ms=_joined(min, now.first_ms, counts.first_ms),
            last_ms=_joined(max, now.last_ms, counts.last_ms),
            kept_bytes=kept_bytes,
        )

    def _within_bounds(self, judged: JudgedRows) -> tuple[MessageBlock, "_Counts"]:
        event_ms = judged.event_ms
        since_ms, until_ms = self._plan.since_ms, self._plan.until_ms
        is_older = np.zeros(len(event_ms), dtype=bool)
        is_newer = is_older
        if since_ms is not None:
            is_older = event_ms < since_ms
        if until_ms is not None:
            is_newer = event_ms >= until_ms
        chosen = np.flatnonzero(~(is_older | is_newer))
        block = MessageBlock.of([judged.messages[at] for at in chosen])
        first_ms = int(event_ms[chosen].min()) if len(chosen) else None
        last_ms = int(event_ms[chosen].max()) if len(chosen) else None
        return block, _Counts(int(is_older.sum()), int(is_newer.sum()), first_ms, last_ms)


@dataclass(frozen=True, slots=True)
class _Counts:
    """How the rows of a chunk lie to the bounds."""

    older: int
    newer: int
    first_ms: int | None
    last_ms: int | None


def _joined(choose: Callable[[int, int], int], before: int | None, now: int | None) -> int | None:
    if before is None or now is None:
        return now if before is None else before
    return choose(before, now)


async def _whole(work: Callable[[], _Result]) -> _Result:
    """Run work in a thread; when cancelled, wait for it: no table is closed under a read."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
