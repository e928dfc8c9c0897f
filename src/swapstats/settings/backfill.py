"""Keys of `swapstats backfill`: where a producer's table is, and which column is which field.

A part of the table of every key, like `stream.py`; see there.
"""
# ruff: noqa: RUF009 - key() declares a field, as dataclasses.field() does

from collections.abc import Mapping
from dataclasses import dataclass

from swapstats.settings.key import key
from swapstats.settings.kinds import BOOLEAN, INTEGER, MAP, SECRET, TEXT, Secret


@dataclass(frozen=True, slots=True)
class Backfill:
    """A table that a producer keeps, read by `swapstats backfill`."""

    url: Secret = key(
        "url",
        SECRET,
        "",
        "Database to read, such as `postgresql://reader@db:5432/dex`, if the command names no "
        "source; may hold a password.",
    )
    table: str = key(
        "table", TEXT, "", "Table of the database; a schema may stand before it, with a dot."
    )
    query: str = key("query", TEXT, "", "Query to read instead of a table.")
    columns: Mapping[str, str] = key(
        "columns",
        MAP,
        {},
        "Field of wire v1 -> column, or `= text` with `{column}` in it, and conversions; see "
        '"Backfill" in OPERATIONS. A column named like a field needs no entry.',
        bounds=(0, 100),
    )
    sides: Mapping[str, str] = key(
        "sides",
        MAP,
        {},
        "More words for the side -> `buy` or `sell`; upper and lower case are the same.",
        bounds=(0, 1_000),
    )
    delimiter: str = key(
        "delimiter", TEXT, ",", "Character between the cells of CSV.", words={"tab": "\t"}
    )
    allow_float: bool = key(
        "allow_float",
        BOOLEAN,
        "false",
        "Take amounts from floating-point columns as they print: not bit for bit what the "
        "producer sent.",
    )
    refused_max: int = key(
        "refused_max",
        INTEGER,
        "10000",
        "More rows that are no swap end a backfill.",
        bounds=(0, 100_000_000),
        unit="rows",
    )
    chunk_rows: int = key(
        "chunk_rows",
        INTEGER,
        "10000",
        "Rows held at once, and written into the log at once.",
        bounds=(1, 1_000_000),
        unit="rows",
    )
