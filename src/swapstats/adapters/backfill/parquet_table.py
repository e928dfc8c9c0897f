"""Rows of a Parquet file, page by page: only the columns asked for, and no row group as a whole."""

from collections.abc import Generator, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from swapstats.adapters.backfill.file_identity import identity_of
from swapstats.errors import Rejected
from swapstats.ports.table import Row, TableChunk, TableProgress

BUFFER_BYTES: Final = 1 << 20


class ParquetTable:
    """A Parquet file as a table.

    Args:
        path: the file.
        chunk_rows: rows of a chunk.

    Raises:
        Rejected: it cannot be read.
    """

    def __init__(self, path: str, chunk_rows: int) -> None:
        self._path = path
        self._chunk_rows = chunk_rows
        self._done = 0
        self._identity = identity_of(path)
        try:
            self._file = pq.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False)
        except (OSError, pa.ArrowException) as error:
            raise _damaged(path, error) from error
        self.columns: tuple[str, ...] = tuple(self._file.schema_arrow.names)

    @property
    def identity(self) -> str:
        """What a place belongs to."""
        return self._identity

    def chunks(self, columns: Sequence[str], place: str) -> Generator[TableChunk, None, None]:
        """Read rows; see `Table.chunks`."""
        skip = int(place or 0)
        number = 0
        for group in range(self._file.num_row_groups):
            count = self._file.metadata.row_group(group).num_rows
            if number + count <= skip:
                number += count
                continue
            for batch in self._batches(group, columns):
                first, number = number, number + batch.num_rows
                if number > skip:
                    kept = batch.slice(max(skip - first, 0))
                    self._done = number
                    yield TableChunk(_rows(kept, columns), number - len(kept) + 1, str(number))

    def progress(self) -> TableProgress:
        """Rows."""
        return TableProgress(self._done, self._file.metadata.num_rows)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _batches(self, group: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._file.iter_batches(
                batch_size=self._chunk_rows,
                row_groups=[group],
                columns=list(columns),
                use_threads=False,
            )
        except (OSError, pa.ArrowException) as error:
            raise _damaged(self._path, error) from error


def _rows(batch: pa.RecordBatch, columns: Sequence[str]) -> list[Row]:
    if not columns:
        return [()] * batch.num_rows
    return list(zip(*(_values(batch.column(name)) for name in columns), strict=True))


def _values(column: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        # Python's moments end at microseconds, the contract at milliseconds.
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    values: list[Any] = column.to_pylist()
    return values


def _damaged(path: str, error: Exception) -> Rejected:
    return Rejected(
        f"Expected a whole Parquet file {path}, was {error}: what came before counts; put a whole "
        f"copy in its place and start again"
    )
