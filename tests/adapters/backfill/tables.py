"""What the tests of tables share."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from swapstats.ports.table import Table, TableChunk


def read(table: Table, columns: Sequence[str], place: str = "") -> list[TableChunk]:
    """All chunks with rows."""
    return [chunk for chunk in table.chunks(columns, place) if chunk.rows]


def numbered(chunks: Sequence[TableChunk]) -> list[tuple[int, Any]]:
    """Every row with its number."""
    return [(chunk.first_number + at, row) for chunk in chunks for at, row in enumerate(chunk.rows)]


def execute_postgres(url: str, *statements: str) -> None:
    """Carry out statements as its owner."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def execute_sqlite(path: Path, *statements: str) -> None:
    """Carry out statements as its owner."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
