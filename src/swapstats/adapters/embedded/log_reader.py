"""The swap log's reading side: one SQLite file of record groups, read beside its writer.

Groups are read in offset order and checked for holes and checksums. Nothing here writes; `log.py`
does. What the rows mean is in `log_schema.py`.
"""

import contextlib
import itertools
import sqlite3
import struct
import threading
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import zstandard

from swapstats.adapters.embedded.database import ReadPool
from swapstats.adapters.embedded.groups import (
    Piece,
    RecordGroup,
    fit_piece,
    group_crc,
    join_pieces,
    unpack_group,
)
from swapstats.adapters.embedded.log_schema import (
    LOG_KIND,
    Extent,
    checked_position,
    group_id,
    read_extent,
    read_extents,
)
from swapstats.errors import InvariantBroken, OffsetGone, StoreCorrupt, StoreError
from swapstats.model.record import RecordBatch

GROUPS_CACHED_MAX: Final = 8

_GROUP_AT = "SELECT id FROM groups WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1"
_GROUPS_FROM = """SELECT id, count, append_ms, raw_bytes, crc, payload
    FROM groups WHERE id >= ? AND id < ? ORDER BY id"""


@dataclass(frozen=True, slots=True)
class CorruptRange:
    """Offsets of one partition whose stored bytes are not what was written.

    Attributes:
        first: first offset.
        end: offset after the last.
        readable: True if the messages could be read nonetheless (they are in the batch, but may
            differ from what was written); False if they are missing from it.
    """

    first: int
    end: int
    readable: bool


@dataclass(frozen=True, slots=True)
class UncheckedRead:
    """What a read past damage found.

    Attributes:
        batch: the records that can be read; None if none can.
        corrupt: damaged offset ranges, ascending.
        next_offset: where to read on.
    """

    batch: RecordBatch | None
    corrupt: tuple[CorruptRange, ...]
    next_offset: int


class EmbeddedSwapLogReader:
    """Reads a swap log file; works beside a writer in another process and from any thread.

    Args:
        path: the log's file.

    Raises:
        StoreCorrupt: not a swap log, or damaged.
        StoreFormat: written by a newer version.
        StoreError: there is no such file, or its writer is still making it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pool = ReadPool(path, LOG_KIND)
        self._cut_groups = _CutGroups()
        try:
            self._partition_count = self._count_partitions()
        except BaseException:
            self._pool.close()
            raise

    def _count_partitions(self) -> int:
        count = len(self._extents())
        if not count:
            raise StoreError(
                f"Expected a swap log with partitions at {self._path}, was one that is being made, "
                f"or whose writer was killed at it: start the writer (again)"
            )
        return count

    @property
    def partition_count(self) -> int:
        """Number of partitions."""
        return self._partition_count

    def start_offsets(self) -> list[int]:
        """First offset still held, by partition."""
        return [extent.start_offset for extent in self._extents()]

    def end_offsets(self) -> list[int]:
        """Offset the next record will get, by partition."""
        return [extent.end_offset for extent in self._extents()]

    def size_bytes(self) -> int:
        """Bytes of messages held, as stored (compressed); what `trim` bounds."""
        return sum(extent.stored_bytes for extent in self._extents())

    def position(self, source: str) -> str | None:
        """Where a source stood when its last message was appended; None if never.

        Raises:
            StoreCorrupt: the bytes are not what was written.
        """
        with self._pool.snapshot() as connection:
            row = connection.execute(
                "SELECT position, crc FROM positions WHERE source = ?", (source,)
            ).fetchone()
        return None if row is None else checked_position(self._path, source, *row)

    def positions(self, prefix: str) -> dict[str, str]:
        """Everything noted under names that begin with `prefix`.

        Raises:
            StoreCorrupt: the bytes are not what was written.
        """
        with self._pool.snapshot() as connection:
            rows = connection.execute(
                "SELECT source, position, crc FROM positions WHERE source >= ? ORDER BY source",
                (prefix,),
            )
            under = itertools.takewhile(lambda row: str(row[0]).startswith(prefix), rows)
            return {
                str(source): checked_position(self._path, str(source), position, crc)
                for source, position, crc in under
            }

    def read(self, partition: int, offset: int, bytes_max: int) -> RecordBatch | None:
        """Read records from `offset` on, from as many groups as it takes.

        Args:
            partition: where from.
            offset: first record wanted.
            bytes_max: stop before the message that would exceed it; the first is always read.

        Returns:
            At least one record, in arrays of its own; None at the end of the log.

        Raises:
            OffsetGone: `offset` is below the first one held.
            StoreCorrupt: the bytes are not what was written, or the log ends before `offset`.
        """
        pieces, _next, _corrupt = self._collect(partition, offset, bytes_max, strict=True)
        return join_pieces(partition, pieces)

    def read_unchecked(self, partition: int, offset: int, bytes_max: int) -> UncheckedRead | None:
        """Read like `read`, but past damage, and say which offsets are damaged.

        Returns:
            None at the end of the log.

        Raises:
            OffsetGone: `offset` is below the first one held.
            StoreCorrupt: the log ends before `offset`, or SQLite cannot read the file.
        """
        pieces, next_offset, corrupt = self._collect(partition, offset, bytes_max, strict=False)
        if next_offset == offset:
            return None
        return UncheckedRead(join_pieces(partition, pieces), tuple(corrupt), next_offset)

    def close(self) -> None:
        """Release files and connections."""
        self._pool.close()

    def _extents(self) -> list[Extent]:
        with self._pool.snapshot() as connection:
            return read_extents(connection, self._path)

    def _collect(
        self, partition: int, offset: int, bytes_max: int, *, strict: bool
    ) -> tuple[list[Piece], int, list[CorruptRange]]:
        """Pieces from `offset` on, the offset after them, and what was damaged (not strict)."""
        pieces: list[Piece] = []
        corrupt: list[CorruptRange] = []
        at = offset
        taken_bytes = 0
        with (
            self._pool.snapshot() as connection,
            contextlib.closing(
                self._groups(connection, partition, offset, strict=strict)
            ) as groups,
        ):
            for group, intact in groups:
                if isinstance(group, CorruptRange):
                    corrupt.append(group)
                    at = group.end
                    continue
                first = at - group.base_offset
                piece = fit_piece(group, first, bytes_max - taken_bytes)
                if piece.end == piece.first:
                    if pieces:
                        break
                    piece = Piece(group, first, first + 1)
                pieces.append(piece)
                taken_bytes += int(group.bounds[piece.end] - group.bounds[piece.first])
                if not intact:
                    corrupt.append(CorruptRange(at, group.base_offset + piece.end, readable=True))
                at = group.base_offset + piece.end
                if at < group.next_offset:
                    if intact:
                        self._cut_groups.put(partition, group)
                    break
                if taken_bytes >= bytes_max:
                    break
        return pieces, at, corrupt

    def _groups(
        self, connection: sqlite3.Connection, partition: int, offset: int, *, strict: bool
    ) -> Generator[tuple[RecordGroup | CorruptRange, bool], None, None]:
        """The group that holds `offset` and those after it; with each, if its checksum holds.

        Offsets that no group can be read for come as a CorruptRange.
        """
        end = self._check_offset(connection, partition, offset)
        at = offset
        cut = self._cut_groups.get(partition, offset)
        if cut is not None and at < end:
            yield cut, True
            at = cut.next_offset
        if at >= end:
            return
        found = connection.execute(
            _GROUP_AT, (group_id(partition, 0), group_id(partition, at))
        ).fetchone()
        first_id = group_id(partition, at) if found is None else found[0]
        rows = connection.execute(_GROUPS_FROM, (first_id, group_id(partition, end)))
        for row in rows:
            group, intact = self._unpack(partition, row, strict=strict)
            if group is None or not at < group.next_offset <= end:
                continue
            if group.base_offset > at:
                yield self._hole(partition, at, group.base_offset, strict=strict), False
                at = group.base_offset
            yield group, intact
            at = group.next_offset
        if at < end:
            yield self._hole(partition, at, end, strict=strict), False

    def _check_offset(self, connection: sqlite3.Connection, partition: int, offset: int) -> int:
        """Check that an offset lies in the log; returns the end of its partition."""
        extent = read_extent(connection, self._path, partition)
        if extent is None:
            raise InvariantBroken(
                f"Expected a partition below {self._partition_count}, was {partition}"
            )
        start, end = extent.start_offset, extent.end_offset
        if offset < start:
            raise OffsetGone(
                f"Expected offset {offset} of partition {partition} in {self._path}, was trimmed: "
                f"the log begins at {start}; start with --accept-gap to go on from there"
            )
        if offset > end:
            raise StoreCorrupt(
                f"Expected partition {partition} of {self._path} to reach offset {offset}, was "
                f"{end} long: the end of the log is lost (power loss, or an older copy of the "
                "file); rebuild the state from the log with --rebuild"
            )
        return end

    def _unpack(
        self, partition: int, row: tuple[Any, ...], *, strict: bool
    ) -> tuple[RecordGroup | None, bool]:
        """Check and decompress a row: the group if it can be read, and whether it is intact."""
        row_id, count, append_ms, raw_bytes, crc, payload = row
        base_offset = row_id - group_id(partition, 0)
        try:
            found_crc = group_crc(partition, base_offset, append_ms, count, raw_bytes, payload)
            if found_crc == crc or not strict:
                group = unpack_group(base_offset, append_ms, count, raw_bytes, payload)
                return group, found_crc == crc
            found = f"Expected checksum {crc}, was {found_crc}"
        except (ValueError, TypeError, struct.error, zstandard.ZstdError) as error:
            found = str(error)
        if strict:
            raise self._corrupt(partition, base_offset, found)
        return None, False

    def _hole(self, partition: int, first: int, end: int, *, strict: bool) -> CorruptRange:
        if strict:
            raise self._corrupt(partition, first, f"Expected records up to {end}, found none")
        return CorruptRange(first, end, readable=False)

    def _corrupt(self, partition: int, offset: int, found: str) -> StoreCorrupt:
        return StoreCorrupt(
            f"Expected the records that were written in {self._path}, partition {partition}, "
            f"offset {offset}, was damaged ({found}): restore the file from a copy"
        )


class _CutGroups:
    """The groups a read stopped in the middle of, so that the next one need not unpack them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: OrderedDict[int, RecordGroup] = OrderedDict()

    def put(self, partition: int, group: RecordGroup) -> None:
        with self._lock:
            self._groups[partition] = group
            self._groups.move_to_end(partition)
            if len(self._groups) > GROUPS_CACHED_MAX:
                self._groups.popitem(last=False)

    def get(self, partition: int, offset: int) -> RecordGroup | None:
        with self._lock:
            group = self._groups.get(partition)
        if group is not None and group.base_offset <= offset < group.next_offset:
            return group
        return None
