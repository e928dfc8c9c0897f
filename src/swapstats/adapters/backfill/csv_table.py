"""Rows of a CSV file with a header row: plain, gzip or Zstandard, any delimiter of one character.

A row that is no row (too few cells, a quote that is never closed, a cell beyond all measure) is
given with its text; the next one follows.
"""

import csv
import io
import json
from collections.abc import Generator, Iterator, Sequence
from threading import Event
from typing import Final

from swapstats.adapters.backfill.file_identity import identity_of
from swapstats.adapters.sources.text_files import Text, open_raw, open_text
from swapstats.errors import Rejected, UsageError
from swapstats.ports.table import Row, TableChunk, TableProgress, UnreadableRow

LINE_CHARS_MAX: Final = 1 << 20
BUFFER_BYTES: Final = 1 << 16


class CsvTable:
    """A CSV file as a table; an empty cell is nothing.

    Args:
        path: the file.
        delimiter: one character between cells.
        chunk_rows: rows of a chunk.

    Raises:
        Rejected: it cannot be read.
        UsageError: it has no header row, or the same name twice in it.
    """

    def __init__(self, path: str, delimiter: str, chunk_rows: int) -> None:
        self._path = path
        self._delimiter = delimiter
        self._chunk_rows = chunk_rows
        self._raw = open_raw(path, io.BytesIO(), Event())
        try:
            self._records = _Records(self._open(), delimiter)
            self.columns = self._header(self._records)
        except BaseException:
            self._raw.close()
            raise
        self._is_fresh = True

    @property
    def identity(self) -> str:
        """What a place belongs to."""
        return f"{identity_of(self._path)} {self._delimiter!r}"

    def chunks(self, columns: Sequence[str], place: str) -> Generator[TableChunk, None, None]:
        """Read rows; see `Table.chunks`."""
        if not self._is_fresh:
            self._raw.close()
            self._raw = open_raw(self._path, io.BytesIO(), Event())
            self._records = _Records(self._open(), self._delimiter)
            self._header(self._records)
        self._is_fresh = False
        indexes = [self.columns.index(name) for name in columns]
        number = 0
        skip = int(place or 0)
        rows: list[Row] = []
        failure: Rejected | None = None
        records = iter(self._records)
        while True:
            try:
                record = next(records)
            except StopIteration:
                break
            except Rejected as error:
                failure = error
                break
            number += 1
            if number <= skip:
                continue
            rows.append(self._row(record, indexes))
            if len(rows) >= self._chunk_rows:
                yield TableChunk(rows, number - len(rows) + 1, str(number))
                rows = []
        if rows:
            yield TableChunk(rows, number - len(rows) + 1, str(number))
        if failure is not None:
            raise failure

    def progress(self) -> TableProgress:
        """Stored bytes."""
        return TableProgress(self._raw.done_bytes, self._raw.total_bytes)

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def _open(self) -> io.TextIOWrapper:
        stream = _TextStream(open_text(self._raw, self._path))
        # What is no UTF-8 is kept as it is, and refused row by row.
        return io.TextIOWrapper(
            io.BufferedReader(stream, BUFFER_BYTES),
            encoding="utf-8-sig",
            errors="surrogateescape",
            newline="",
        )

    def _header(self, records: "_Records") -> tuple[str, ...]:
        header = next(iter(records), None)
        if header is None or isinstance(header, UnreadableRow) or not any(header):
            raise UsageError(f"Expected a header row in {self._path}, found none")
        names = tuple(name.strip() for name in header)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UsageError(
                f"Expected each column once in {self._path}, was {', '.join(twice)} again"
            )
        return names

    def _row(self, record: list[str] | UnreadableRow, indexes: list[int]) -> Row:
        if isinstance(record, UnreadableRow):
            return record
        if len(record) != len(self.columns):
            return UnreadableRow(
                "bad_row",
                f"Expected {len(self.columns)} cells, was {len(record)}",
                json.dumps(record),
            )
        return [record[index] or None for index in indexes]


class _TextStream(io.RawIOBase):
    """Unpacked text as a stream."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self._left = b""

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Give some bytes; none at the end."""
        piece = self._left or self._text.read()
        count = min(len(piece), len(buffer))
        buffer[:count] = piece[:count]
        self._left = piece[count:]
        return count


class _Records:
    """Records of CSV text; one that cannot be read is given as text, blank lines are none."""

    def __init__(self, stream: io.TextIOWrapper, delimiter: str) -> None:
        self._stream = stream
        self._lines: list[str] = []
        self._reader = csv.reader(self._read_lines(), delimiter=delimiter, strict=True)

    def __iter__(self) -> Iterator[list[str] | UnreadableRow]:
        return self

    def __next__(self) -> list[str] | UnreadableRow:
        while True:
            self._lines.clear()
            try:
                record = next(self._reader)
            except csv.Error as error:
                return UnreadableRow(
                    "bad_row", f"Expected a row of CSV, was {error}", "".join(self._lines)
                )
            if record:
                return record

    def _read_lines(self) -> Iterator[str]:
        while line := self._stream.readline(LINE_CHARS_MAX):
            self._lines.append(line)
            yield line
