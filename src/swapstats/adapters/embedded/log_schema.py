"""The swap log's file: its tables, how rows are numbered and how they are known to be intact.

The file holds one row per group in `groups`, whose id is `partition << 44 | base_offset`, so that a
partition lies in offset order; where each partition begins and ends in `partitions`; and where each
source stood in `positions`. `log_reader.py` reads them, `log.py` writes them.
"""

import sqlite3
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from swapstats.adapters.embedded.database import StoreKind
from swapstats.errors import StoreCorrupt

OFFSET_BITS: Final = 44
PARTITIONS_MAX: Final = 1 << 16

LOG_KIND: Final = StoreKind(
    name="swap log",
    application_id=0x53574C47,
    version=1,
    schema=(
        """CREATE TABLE groups (
            id INTEGER PRIMARY KEY,
            count INTEGER NOT NULL,
            append_ms INTEGER NOT NULL,
            raw_bytes INTEGER NOT NULL,
            crc INTEGER NOT NULL,
            payload BLOB NOT NULL)""",
        """CREATE TABLE partitions (
            partition INTEGER PRIMARY KEY,
            start_offset INTEGER NOT NULL,
            end_offset INTEGER NOT NULL,
            last_ms INTEGER NOT NULL,
            stored_bytes INTEGER NOT NULL,
            partition_count INTEGER NOT NULL,
            crc INTEGER NOT NULL)""",
        """CREATE TABLE positions (
            source TEXT PRIMARY KEY,
            position TEXT NOT NULL,
            crc INTEGER NOT NULL) WITHOUT ROWID""",
    ),
)

_EXTENT = struct.Struct("<6q")
_EXTENTS = """SELECT partition, start_offset, end_offset, last_ms, stored_bytes,
    partition_count, crc
    FROM partitions ORDER BY partition"""
_EXTENT_OF = """SELECT partition, start_offset, end_offset, last_ms, stored_bytes,
    partition_count, crc
    FROM partitions WHERE partition = ?"""


@dataclass(slots=True)
class Extent:
    """Where a partition begins and ends, and what it holds.

    Attributes:
        start_offset: first offset held.
        end_offset: offset the next record will get.
        last_ms: append time of the newest record, ms since epoch; 0 = none yet.
        stored_bytes: size of its groups as stored.
    """

    start_offset: int
    end_offset: int
    last_ms: int
    stored_bytes: int

    def crc(self, partition: int, partition_count: int) -> int:
        """Checksum of the row that holds it, the number of such rows included.

        Raises:
            struct.error: a number is not an integer of 64 bits.
        """
        return zlib.crc32(
            _EXTENT.pack(
                partition,
                self.start_offset,
                self.end_offset,
                self.last_ms,
                self.stored_bytes,
                partition_count,
            )
        )


def position_crc(source: str, position: str) -> int:
    """Checksum of the row that holds a source's position."""
    return zlib.crc32(position.encode(), zlib.crc32(source.encode()))


def checked_position(path: Path, source: str, position: object, crc: object) -> str:
    """A position as it was read.

    Raises:
        StoreCorrupt: it is not what was written.
    """
    text = str(position)
    if position_crc(source, text) != crc:
        raise StoreCorrupt(
            f"Expected the position of source {source!r} that was written in {path}, was {text!r}, "
            "damaged: restore the file from a copy"
        )
    return text


def read_extents(connection: sqlite3.Connection, path: Path) -> list[Extent]:
    """Read the extents of all partitions.

    Raises:
        StoreCorrupt: the rows are not what was written.
    """
    rows = connection.execute(_EXTENTS).fetchall()
    extents = [_extent(path, at, row) for at, row in enumerate(rows)]
    if rows and rows[0][5] != len(rows):
        raise StoreCorrupt(
            f"Expected the bounds of partition {len(rows)} that were written in {path}, was no "
            "row: restore the file from a copy"
        )
    return extents


def read_extent(connection: sqlite3.Connection, path: Path, partition: int) -> Extent | None:
    """Read the extent of one partition; None if there is no such partition.

    Raises:
        StoreCorrupt: the row is not what was written.
    """
    row = connection.execute(_EXTENT_OF, (partition,)).fetchone()
    return None if row is None else _extent(path, partition, row)


def _extent(path: Path, partition: int, row: tuple[Any, ...]) -> Extent:
    extent = Extent(*row[1:5])
    try:
        intact = row[0] == partition and extent.crc(partition, row[5]) == row[6]
    except struct.error:
        intact = False
    if not intact:
        raise StoreCorrupt(
            f"Expected the bounds of partition {partition} that were written in {path}, was a "
            "damaged row: restore the file from a copy"
        )
    return extent


def group_id(partition: int, offset: int) -> int:
    """Row id of the group of `partition` that begins at `offset`."""
    return partition << OFFSET_BITS | offset
