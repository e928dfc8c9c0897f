"""A table in memory and what the tests of a backfill share."""

from collections.abc import Generator, Sequence
from typing import Any

from tests.roles.aggregator.rig import KEY

from swapstats.core.backfill_mapping import BackfillMapping
from swapstats.ports.table import KeptRow, Row, TableChunk, TableProgress, UnreadableRow
from swapstats.roles.backfill_rows import RowJudge

NOW_MS = 1_704_412_800_000
MAX_AHEAD_MS = 3_600_000
COLUMNS = (
    "event_id",
    "token_address",
    "side",
    "amount_token",
    "amount_usd",
    "event_time",
    "removed",
)


class ListTable:
    """Rows of a list."""

    identity = "list"
    columns = COLUMNS

    def __init__(self, rows: Sequence[Row], chunk_rows: int = 2, passed_over: int = 0) -> None:
        self.rows = list(rows)
        self.closed = 0
        self._chunk_rows = chunk_rows
        self._passed_over = passed_over
        self._done = 0

    def chunks(self, columns: Sequence[str], place: str) -> Generator[TableChunk, None, None]:
        """Read rows."""
        at = [COLUMNS.index(name) for name in columns]
        try:
            if self._passed_over and not place:
                yield TableChunk([], 1, "", self._passed_over)
            for start in range(int(place or 0), len(self.rows), self._chunk_rows):
                rows = self.rows[start : start + self._chunk_rows]
                self._done = start + len(rows)
                picked = [
                    row if isinstance(row, UnreadableRow) else [row[index] for index in at]
                    for row in rows
                ]
                yield TableChunk(list(picked), start + 1, str(self._done))
        finally:
            self.closed += 1

    def progress(self) -> TableProgress:
        """Rows."""
        return TableProgress(self._done, len(self.rows))

    def close(self) -> None:
        """Nothing to release."""


class ListKept:
    """Refused rows in a list; its size is their number."""

    def __init__(self) -> None:
        self.rows: list[KeptRow] = []

    def cut(self, size: int) -> None:
        """Forget later ones."""
        del self.rows[size:]

    def put(self, rows: Sequence[KeptRow]) -> int:
        """Keep rows."""
        self.rows += rows
        return len(self.rows)


def row(number: int, at_ms: int = NOW_MS, **values: Any) -> Row:
    """One swap."""
    found = {
        "event_id": f"x:{number}",
        "token_address": f"T{number % 3}",
        "side": "buy",
        "amount_token": str(number + 1),
        "amount_usd": "1.5",
        "event_time": at_ms,
        "removed": False,
    } | values
    return [found[name] for name in COLUMNS]


def judge(now_ms: int = NOW_MS) -> RowJudge:
    """What becomes of rows with COLUMNS."""
    writer = BackfillMapping.parse({}, {}, allow_float=False).bind(COLUMNS)
    return RowJudge(writer, KEY, lambda: now_ms, MAX_AHEAD_MS)
