"""What the tests of tables share."""

from collections.abc import Sequence

from swapstats.ports.table import Row, Table, TableChunk


def read(table: Table, columns: Sequence[str], place: str = "") -> list[TableChunk]:
    """All chunks with rows."""
    return [chunk for chunk in table.chunks(columns, place) if chunk.rows]


def numbered(chunks: Sequence[TableChunk]) -> list[tuple[int, Row]]:
    """Every row with its number."""
    return [(chunk.first_number + at, row) for chunk in chunks for at, row in enumerate(chunk.rows)]
