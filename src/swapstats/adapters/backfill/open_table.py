"""The reader of a source, by its URL, its name and its first bytes."""

from pathlib import Path
from typing import Final

from swapstats.adapters.backfill.csv_table import CsvTable
from swapstats.adapters.backfill.database_table import (
    Database,
    DatabaseTable,
    Relation,
    TimeOrder,
)
from swapstats.adapters.backfill.postgres_database import SCHEMES, PostgresDatabase
from swapstats.adapters.backfill.sqlite_database import SCHEME, SqliteDatabase
from swapstats.adapters.sources.text_files import unreadable
from swapstats.errors import UsageError
from swapstats.ports.table import Table

PARQUET_MAGIC: Final = b"PAR1"
SQLITE_MAGIC: Final = b"SQLite format 3\0"


def open_table(
    source: str,
    *,
    table: str,
    query: str,
    order: TimeOrder | None,
    delimiter: str,
    chunk_rows: int,
) -> Table:
    """Open a source.

    Args:
        source: a file, `sqlite:///FILE` or `postgresql://...`.
        table: of a database.
        query: instead of a table.
        order: the column of event times, if one column is it.
        delimiter: of CSV.
        chunk_rows: rows that are held at once.

    Raises:
        UsageError: it is nothing that can be read, or lacks a table.
        Rejected: it cannot be read.
        Transient: its server cannot be reached.
    """
    if is_database(source):
        relation = Relation.of(table, query)
        database: Database = (
            SqliteDatabase(source) if source.startswith(SCHEME) else PostgresDatabase(source)
        )
        try:
            return DatabaseTable(database, relation, order, chunk_rows)
        except BaseException:
            database.close()
            raise
    if "://" in source:
        raise UsageError(
            f"Expected a file, {SCHEME}FILE or {SCHEMES[0]}..., was a URL of another kind"
        )
    if table or query:
        raise UsageError("Expected --table and --query with a database only, was with a file")
    try:
        with Path(source).open("rb") as file:
            head = file.read(len(SQLITE_MAGIC))
    except OSError as error:
        raise unreadable(source, error) from error
    if head == SQLITE_MAGIC:
        raise UsageError(f"Expected a SQLite file as {SCHEME}{source}, was {source}: name it so")
    if head.startswith(PARQUET_MAGIC):
        from swapstats.adapters.backfill.parquet_table import ParquetTable  # pyarrow is large

        return ParquetTable(source, chunk_rows)
    return CsvTable(source, delimiter, chunk_rows)


def is_database(source: str) -> bool:
    """Whether a source is the URL of a database."""
    return source.startswith((SCHEME, *SCHEMES))
