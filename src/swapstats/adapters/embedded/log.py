"""The swap log in one SQLite file: durable, partitioned, append-only.

The writer's side. Messages are stored in groups (`groups.py`), all partitions of an append and the
source positions in one transaction: after a kill -9 either all of it is there or nothing. Reading,
here and in other processes, goes through `log_reader.py` and never waits for the writer.
"""

import heapq
import itertools
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import zstandard
from numpy.typing import NDArray

from swapstats.adapters.embedded.database import (
    Durability,
    Faults,
    no_faults,
    open_writer,
    reclaim,
    translated,
    write_transaction,
)
from swapstats.adapters.embedded.groups import (
    COMPRESSION_LEVEL,
    StoredGroup,
    group_crc,
    split_block,
)
from swapstats.adapters.embedded.log_reader import EmbeddedSwapLogReader, UncheckedRead
from swapstats.adapters.embedded.log_schema import (
    LOG_KIND,
    PARTITIONS_MAX,
    Extent,
    group_id,
    position_crc,
    read_extents,
)
from swapstats.errors import InvariantBroken, SettingsMismatch
from swapstats.model.record import MessageBlock, RecordBatch

FAULT_POINTS: Final = (
    "log.begin",
    "log.group",
    "log.positions",
    "log.commit",
    "log.done",
    "log.trim",
)
"""Steps at which a fault plan may stop the log, in the order they come; the last one in `trim`."""

TRIM_GROUPS_MAX: Final = 1_024
TRIM_BYTES_MAX: Final = 64 << 20
"""Groups and stored bytes dropped in one transaction, so that an append waits no longer for it."""


@dataclass(frozen=True, slots=True)
class _Droppable:
    """A whole group that may be trimmed."""

    append_ms: int
    partition: int
    next_offset: int
    count: int
    stored_bytes: int


class EmbeddedSwapLog:
    """The log's writer, and its reader for the same process.

    One thread may append while others read; appends of several threads take turns.

    Args:
        path: the log's file; created if there is none.
        partition_count: number of partitions; fixed for the life of the file.
        durability: `process` or `full`.
        faults: called between any two steps, see FAULT_POINTS.

    Raises:
        SettingsMismatch: the file has another number of partitions.
        StoreFull: no space to create the file.
        StoreCorrupt: not a swap log, or damaged.
        StoreFormat: written by a newer version.
    """

    def __init__(
        self,
        path: Path,
        partition_count: int,
        *,
        durability: Durability = "process",
        faults: Faults | None = None,
    ) -> None:
        if not 0 < partition_count <= PARTITIONS_MAX:
            raise SettingsMismatch(
                f"Expected 1 to {PARTITIONS_MAX} partitions, was {partition_count}"
            )
        self._path = path
        self._faults = faults or no_faults
        self._lock = threading.Lock()
        self._compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL)
        self._connection = open_writer(path, LOG_KIND, durability)
        try:
            self._extents = self._load_extents(partition_count)
            self._last_ms = max(extent.last_ms for extent in self._extents)
            self._reader = EmbeddedSwapLogReader(path)
        except BaseException:
            self._connection.close()
            raise

    @property
    def partition_count(self) -> int:
        """Number of partitions."""
        return len(self._extents)

    def start_offsets(self) -> list[int]:
        """First offset still held, by partition."""
        return [extent.start_offset for extent in self._extents]

    def end_offsets(self) -> list[int]:
        """Offset the next record will get, by partition."""
        return [extent.end_offset for extent in self._extents]

    def size_bytes(self) -> int:
        """Bytes of messages held, as stored (compressed); what `trim` bounds."""
        return sum(extent.stored_bytes for extent in self._extents)

    def position(self, source: str) -> str | None:
        """Where a source stood when its last message was appended; None if never."""
        return self._reader.position(source)

    def positions(self, prefix: str) -> dict[str, str]:
        """Everything noted under names that begin with `prefix`."""
        return self._reader.positions(prefix)

    def read(self, partition: int, offset: int, bytes_max: int) -> RecordBatch | None:
        """Read records from `offset` on; see `EmbeddedSwapLogReader.read`.

        Raises:
            OffsetGone: `offset` is below the first one held.
            StoreCorrupt: the bytes are not what was written, or the log ends before `offset`.
        """
        # Asked many times a second by a reader that has caught up: no need to ask the file.
        if 0 <= partition < len(self._extents) and offset == self._extents[partition].end_offset:
            return None
        return self._reader.read(partition, offset, bytes_max)

    def read_unchecked(self, partition: int, offset: int, bytes_max: int) -> UncheckedRead | None:
        """Read past damage; see `EmbeddedSwapLogReader.read_unchecked`.

        Raises:
            OffsetGone: `offset` is below the first one held.
            StoreCorrupt: the log ends before `offset`, or SQLite cannot read the file.
        """
        return self._reader.read_unchecked(partition, offset, bytes_max)

    def append(
        self,
        block: MessageBlock,
        partitions: NDArray[np.int32],
        append_ms: int,
        positions: Mapping[str, str | None],
    ) -> None:
        """Append messages and note source positions in one transaction.

        Args:
            block: the messages.
            partitions: int32[n], the partition of each message.
            append_ms: append time, ms since epoch; raised to that of the last append if lower.
            positions: where each source stands after these messages; None forgets a name.

        Raises:
            StoreFull: no space; nothing of the block was appended.
            StoreCorrupt: a damaged file; nothing was appended.
            InvariantBroken: a partition that does not exist.
        """
        self._check_partitions(block, partitions)
        with self._lock:
            groups = list(split_block(block, partitions, self._compressor))
            last_ms = max(append_ms, self._last_ms)
            grown: dict[int, Extent] = {}
            with write_transaction(self._connection, self._path, LOG_KIND):
                self._faults("log.begin")
                for group in groups:
                    self._insert(group, last_ms, grown)
                    self._faults("log.group")
                self._write_extents(grown, self.partition_count)
                self._note(positions)
                self._faults("log.positions")
                self._faults("log.commit")
            self._extents = [grown.get(at, extent) for at, extent in enumerate(self._extents)]
            self._last_ms = last_ms if groups else self._last_ms
            self._faults("log.done")

    def trim(self, before_ms: int, bytes_max: int, keep_from: list[int]) -> int:
        """Drop whole old record groups, a bounded number a transaction.

        Args:
            before_ms: drop what was appended earlier than this ...
            bytes_max: ... and, oldest first, what exceeds this size as stored (0 = no bound).
            keep_from: never drop at or after these offsets, by partition.

        Returns:
            Number of records dropped.

        Raises:
            StoreFull: no space to note it.
            StoreCorrupt: a damaged file.
        """
        if len(keep_from) != self.partition_count:
            raise InvariantBroken(
                f"Expected {self.partition_count} offsets to keep from, was {len(keep_from)}"
            )
        dropped = 0
        more = True
        while more:
            with self._lock:
                count, more = self._trim_some(before_ms, bytes_max, keep_from)
            dropped += count
        if dropped:
            with self._lock:
                reclaim(self._connection)
        return dropped

    def close(self) -> None:
        """Release files and connections."""
        with self._lock:
            self._reader.close()
            self._connection.close()

    def _load_extents(self, partition_count: int) -> list[Extent]:
        with translated(self._path, LOG_KIND):
            extents = read_extents(self._connection, self._path)
        if not extents:
            extents = [Extent(0, 0, 0, 0) for _ in range(partition_count)]
            with write_transaction(self._connection, self._path, LOG_KIND):
                self._write_extents(dict(enumerate(extents)), partition_count)
        if len(extents) != partition_count:
            raise SettingsMismatch(
                f"Expected {partition_count} partitions in {self._path}, was made with "
                f"{len(extents)}: give that number, or use another data directory"
            )
        return extents

    def _check_partitions(self, block: MessageBlock, partitions: NDArray[np.int32]) -> None:
        if len(partitions) != len(block):
            raise InvariantBroken(
                f"Expected a partition for each of {len(block)} messages, was {len(partitions)}"
            )
        if len(block) and not 0 <= partitions.min() <= partitions.max() < self.partition_count:
            raise InvariantBroken(
                f"Expected partitions 0 to {self.partition_count - 1}, was "
                f"{partitions.min()} to {partitions.max()}"
            )

    def _note(self, positions: Mapping[str, str | None]) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO positions VALUES (?, ?, ?)",
            [
                (name, at, position_crc(name, at))
                for name, at in positions.items()
                if at is not None
            ],
        )
        self._connection.executemany(
            "DELETE FROM positions WHERE source = ?",
            [(name,) for name, at in positions.items() if at is None],
        )

    def _insert(self, group: StoredGroup, append_ms: int, grown: dict[int, Extent]) -> None:
        partition = group.partition
        now = self._extents[partition]
        extent = grown.setdefault(
            partition, Extent(now.start_offset, now.end_offset, append_ms, now.stored_bytes)
        )
        base_offset = extent.end_offset
        crc = group_crc(
            partition, base_offset, append_ms, group.count, group.raw_bytes, group.payload
        )
        self._connection.execute(
            "INSERT INTO groups (id, count, append_ms, raw_bytes, crc, payload) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                group_id(partition, base_offset),
                group.count,
                append_ms,
                group.raw_bytes,
                crc,
                group.payload,
            ),
        )
        extent.end_offset += group.count
        extent.stored_bytes += len(group.payload)

    def _write_extents(self, changed: Mapping[int, Extent], partition_count: int) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO partitions VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    partition,
                    extent.start_offset,
                    extent.end_offset,
                    extent.last_ms,
                    extent.stored_bytes,
                    partition_count,
                    extent.crc(partition, partition_count),
                )
                for partition, extent in changed.items()
            ],
        )

    def _trim_some(self, before_ms: int, bytes_max: int, keep_from: list[int]) -> tuple[int, bool]:
        """Drop some groups in one transaction; returns the records dropped, and if more wait."""
        with write_transaction(self._connection, self._path, LOG_KIND) as connection:
            chosen, more = self._choose(connection, before_ms, bytes_max, keep_from)
            if not chosen:
                return 0, False
            shrunk: dict[int, Extent] = {}
            for group in chosen:
                now = self._extents[group.partition]
                extent = shrunk.setdefault(
                    group.partition,
                    Extent(now.start_offset, now.end_offset, now.last_ms, now.stored_bytes),
                )
                extent.start_offset = group.next_offset
                extent.stored_bytes -= group.stored_bytes
            connection.executemany(
                "DELETE FROM groups WHERE id >= ? AND id < ?",
                [
                    (group_id(partition, 0), group_id(partition, extent.start_offset))
                    for partition, extent in shrunk.items()
                ],
            )
            self._write_extents(shrunk, self.partition_count)
            self._faults("log.trim")
        self._extents = [shrunk.get(at, extent) for at, extent in enumerate(self._extents)]
        return sum(group.count for group in chosen), more

    def _choose(
        self, connection: sqlite3.Connection, before_ms: int, bytes_max: int, keep_from: list[int]
    ) -> tuple[list[_Droppable], bool]:
        """Groups to drop now, oldest first, and True if there are more for the next time."""
        held_bytes = self.size_bytes()
        oldest_first = heapq.merge(
            *(
                self._droppable(connection, partition, keep)
                for partition, keep in enumerate(keep_from)
            ),
            key=lambda group: (group.append_ms, group.partition),
        )
        chosen: list[_Droppable] = []
        chosen_bytes = 0
        for group in itertools.islice(oldest_first, TRIM_GROUPS_MAX):
            too_much = 0 < bytes_max < held_bytes - chosen_bytes
            if group.append_ms >= before_ms and not too_much:
                return chosen, False
            if chosen_bytes >= TRIM_BYTES_MAX:
                return chosen, True
            chosen.append(group)
            chosen_bytes += group.stored_bytes
        return chosen, len(chosen) == TRIM_GROUPS_MAX

    @staticmethod
    def _droppable(
        connection: sqlite3.Connection, partition: int, keep_from: int
    ) -> Iterator[_Droppable]:
        rows = connection.execute(
            "SELECT id, count, append_ms, LENGTH(payload) FROM groups "
            "WHERE id >= ? AND id < ? ORDER BY id",
            (group_id(partition, 0), group_id(partition, keep_from)),
        )
        for row_id, count, append_ms, stored_bytes in rows:
            next_offset = row_id - group_id(partition, 0) + count
            if next_offset > keep_from:
                return
            yield _Droppable(append_ms, partition, next_offset, count, stored_bytes)
