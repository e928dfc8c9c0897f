"""Holds a table against the log, without writing anywhere: `swapstats backfill --check`.

Pairs of both sides are spread over files by their fingerprint, 33 bytes each, and compared file by
file: memory is bounded by one of them, whatever table and log hold.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final, Self

import numpy as np
from numpy.typing import NDArray

from swapstats.core.backfill_compare import IN_TABLE, KINDS, SIGHTING, compare_pairs
from swapstats.core.columns import Columns
from swapstats.core.decode import decode
from swapstats.core.hash_key import HashKey
from swapstats.errors import OffsetGone, StoreFull
from swapstats.ports.swap_log import SwapLogReader
from swapstats.ports.table import Table, TableChunk
from swapstats.roles.backfill_rows import RowJudge

FILES: Final = 128
_SHIFT: Final = np.uint64(57)
"""Of 64 bits, 7 choose the file."""
READ_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Difference:
    """A pair that table and log do not agree on.

    Attributes:
        kind: see `KINDS`.
        event_ms: when it happened.
        row: number of its row in the table; 0 = none.
        partition: of its first record in the log; -1 = none.
        offset: likewise.
        message: as the log has it, else as the table makes it; empty if it is gone.
    """

    kind: str
    event_ms: int
    row: int
    partition: int
    offset: int
    message: bytes = b""


@dataclass(slots=True)
class CheckReport:
    """What a check found.

    Attributes:
        rows: rows of the table within the span.
        records: records of the log.
        outside: rows of the table outside the span.
        refused: rows that are no swap, by reason.
        unreadable: records of the log that are dead letters.
        since_ms: begin of the span; None = there is no row in it.
        until_ms: its end.
        counts: differences by kind.
        differences: the earliest of them.
    """

    rows: int = 0
    records: int = 0
    outside: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    since_ms: int | None = None
    until_ms: int | None = None
    counts: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)


class BackfillCheck:
    """One comparison.

    Args:
        table: the rows.
        judge: what becomes of them.
        log: the log.
        key: hash key that both are read with.
        max_ahead_ms: see `RowJudge`.
        shown_max: how many differences are told one by one.
        on_progress: called now and then with a sentence.
    """

    def __init__(
        self,
        table: Table,
        judge: RowJudge,
        log: SwapLogReader,
        key: HashKey,
        max_ahead_ms: int,
        shown_max: int,
        on_progress: Callable[[str], None],
    ) -> None:
        self._table = table
        self._judge = judge
        self._log = log
        self._key = key
        self._max_ahead_ms = max_ahead_ms
        self._shown_max = shown_max
        self._on_progress = on_progress

    def run(self, since_ms: int | None, until_ms: int | None) -> CheckReport:
        """Compare rows of a span with the log, and the log with the rows.

        Args:
            since_ms: earlier rows do not count; None = from the first row on.
            until_ms: rows from then on do not count; None = to the last row.

        Raises:
            Rejected: the table cannot be read.
            Transient: a server is away.
            StoreFull: there is no room for the files.
        """
        report = CheckReport()
        with _Spread() as spread:
            self._read_table(spread, report, since_ms, until_ms)
            if report.since_ms is None or report.until_ms is None:
                return report
            self._read_log(spread, report)
            for seen in spread.files():
                self._compare(seen, report)
        self._add_messages(report)
        return report

    def _read_table(
        self, spread: "_Spread", report: CheckReport, since_ms: int | None, until_ms: int | None
    ) -> None:
        low = -_FAR if since_ms is None else since_ms
        high = _FAR if until_ms is None else until_ms
        for chunk in self._table.chunks(self._judge.columns, ""):
            judged = self._judge.judge(chunk)
            report.refused.update(row.reason for row in judged.refused)
            event_ms = judged.event_ms
            within = (event_ms >= low) & (event_ms < high)
            report.outside += int((~within).sum()) + chunk.passed_over
            report.rows += int(within.sum())
            if within.any():
                first, last = int(event_ms[within].min()), int(event_ms[within].max())
                report.since_ms = min(first, _FAR if report.since_ms is None else report.since_ms)
                report.until_ms = max(last + 1, report.until_ms or 0)
            chosen = judged.accepted[within]
            spread.put(_sightings(judged.columns, chosen, judged.numbers[within], IN_TABLE))
            self._on_progress(f"table: {report.rows:,} rows")

    def _read_log(self, spread: "_Spread", report: CheckReport) -> None:
        ends = self._log.end_offsets()
        for partition, start in enumerate(self._log.start_offsets()):
            offset = start
            while offset < ends[partition]:
                try:
                    batch = self._log.read(partition, offset, READ_BYTES)
                except OffsetGone:  # dropped by age meanwhile
                    offset = self._log.start_offsets()[partition]
                    continue
                if batch is None:
                    break
                columns = decode(batch, self._key, self._max_ahead_ms)
                chosen = np.flatnonzero(columns.accepted)
                spread.put(_sightings(columns, chosen, batch.offsets[chosen], partition))
                report.records += len(batch)
                report.unreadable += len(columns.refusals)
                offset = batch.next_offset
                self._on_progress(f"log: {report.records:,} records")

    def _compare(self, seen: NDArray[np.void], report: CheckReport) -> None:
        assert report.since_ms is not None
        assert report.until_ms is not None
        found = compare_pairs(seen, report.since_ms, report.until_ms)
        for code, count in zip(*np.unique(found.kind, return_counts=True), strict=True):
            report.counts[KINDS[code]] += int(count)
        earliest = np.argsort(found.event_ms, kind="stable")[: self._shown_max]
        report.differences += [
            Difference(
                KINDS[found.kind[at]],
                int(found.event_ms[at]),
                int(found.row[at]),
                int(found.partition[at]),
                int(found.offset[at]),
            )
            for at in earliest
        ]
        report.differences.sort(key=lambda each: (each.event_ms, each.row, each.offset))
        del report.differences[self._shown_max :]

    def _add_messages(self, report: CheckReport) -> None:
        """Look up what is told one by one; rows of the table are read again up to the last."""
        wanted = {each.row for each in report.differences if each.partition < 0}
        rows = self._messages_of_rows(wanted) if wanted else {}
        report.differences = [
            replace(
                each,
                message=rows.get(each.row, b"") if each.partition < 0 else self._record(each),
            )
            for each in report.differences
        ]

    def _record(self, each: Difference) -> bytes:
        with contextlib.suppress(OffsetGone):
            batch = self._log.read(each.partition, each.offset, 1)
            if batch is not None and batch.offsets[0] == each.offset:
                return batch.message(0)
        return b""

    def _messages_of_rows(self, wanted: set[int]) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        chunks = self._table.chunks(self._judge.columns, "")
        with contextlib.closing(chunks):
            for chunk in chunks:
                self._find(chunk, wanted, found)
                if chunk.first_number + len(chunk.rows) > max(wanted):
                    break
        return found

    def _find(self, chunk: TableChunk, wanted: set[int], found: dict[int, bytes]) -> None:
        """Pick the messages of wanted rows."""
        if wanted.intersection(range(chunk.first_number, chunk.first_number + len(chunk.rows))):
            judged = self._judge.judge(chunk)
            numbers = judged.numbers.tolist()
            found.update(
                (number, message)
                for number, message in zip(numbers, judged.messages, strict=True)
                if number in wanted
            )


_FAR: Final = 1 << 62


def _sightings(
    columns: Columns, chosen: NDArray[np.int64], places: NDArray[np.int64], partition: int
) -> NDArray[np.void]:
    seen = np.empty(len(chosen), dtype=SIGHTING)
    seen["pair"] = columns.fingerprint[chosen]
    seen["event_ms"] = columns.event_ms[chosen]
    seen["place"] = places
    seen["check"] = columns.check[chosen]
    seen["partition"] = partition
    seen["removed"] = columns.removed[chosen]
    return seen


class _Spread:
    """Sightings in files by fingerprint, all those of a pair in the same one."""

    def __enter__(self) -> Self:
        self._opened = contextlib.ExitStack()
        folder = Path(self._opened.enter_context(TemporaryDirectory(prefix="swapstats-check-")))
        self._files: list[BinaryIO] = [
            self._opened.enter_context((folder / str(number)).open("w+b"))
            for number in range(FILES)
        ]
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def put(self, seen: NDArray[np.void]) -> None:
        """Add sightings.

        Raises:
            StoreFull: there is no room.
        """
        file_of = (seen["pair"] >> _SHIFT).astype(np.int64)
        order = np.argsort(file_of, kind="stable")
        bounds = np.searchsorted(file_of[order], np.arange(FILES + 1))
        try:
            for number, file in enumerate(self._files):
                part = order[bounds[number] : bounds[number + 1]]
                if len(part):
                    file.write(seen[part].tobytes())
        except OSError as error:
            raise StoreFull(
                f"Expected room for {SIGHTING.itemsize} bytes a swap in the directory for "
                f"temporary files, was {error}: set TMPDIR to one that has it"
            ) from error

    def files(self) -> Iterator[NDArray[np.void]]:
        """Read one file after the other."""
        for file in self._files:
            file.seek(0)
            yield np.frombuffer(file.read(), dtype=SIGHTING)
