"""The swap log in Redis Streams, the reading side: one stream a partition.

All keys of a log share one hash tag, since an append is one transaction over its partitions: in a
Cluster a log lies on one node.

    {prefix:log}:state       hash: `partitions`, `append_ms` of the last append, `groups` ever
                             appended; by partition `start:3`, `end:3` (offsets) and `bytes:3`
    {prefix:log}:positions   hash: source -> where it stood
    {prefix:log}:swaps:3     stream: groups of records, compressed as in `embedded.groups`

An entry is a group, and its id is `<offset of its last record>-1`: the first entry at or above an
offset is the one that holds it. Offsets are dense. Nothing here writes; `streams.py` does.
"""

import struct
from collections.abc import Iterator
from typing import Any, Final

import zstandard

from swapstats.adapters.embedded.groups import (
    Piece,
    RecordGroup,
    fit_piece,
    group_crc,
    join_pieces,
    unpack_group,
)
from swapstats.adapters.redis.connection import TIMEOUT_MS, RedisLine, tagged
from swapstats.errors import InvariantBroken, OffsetGone, StoreCorrupt, UsageError
from swapstats.model.record import RecordBatch

ENTRIES_FIRST: Final = 4
ENTRIES_MAX: Final = 32
"""Entries asked for at a time: few at first, since one may hold a megabyte."""

_Entry = tuple[bytes, dict[bytes, bytes]]


class RedisSwapLogReader:
    """Reads records; works beside a writer, from any thread and any machine.

    Args:
        url: of the Redis, see `RedisLine`.
        prefix: first part of every key, without braces.
        timeout_ms: bound on each answer.

    Raises:
        UsageError: there is no such log.
        Transient: Redis cannot be reached.
    """

    def __init__(self, url: str, prefix: str, *, timeout_ms: int = TIMEOUT_MS) -> None:
        self.line = RedisLine(url, timeout_ms=timeout_ms)
        self.tag = tagged(prefix, "log")
        count = self.line.call("HGET", f"{self.tag}:state", "partitions")
        if count is None:
            self.line.close()
            raise UsageError(
                f"Expected a swap log under {prefix!r} in {self.line.name}, was none: start what "
                "writes it first"
            )
        self._partition_count = int(count)
        self._cut: dict[int, RecordGroup] = {}

    @property
    def partition_count(self) -> int:
        """Number of partitions."""
        return self._partition_count

    def start_offsets(self) -> list[int]:
        """First offset still held, by partition."""
        return self._offsets("start")

    def end_offsets(self) -> list[int]:
        """Offset the next record will get, by partition."""
        return self._offsets("end")

    def position(self, source: str) -> str | None:
        """Where a source stood when its last message was appended; None if never."""
        found = self.line.call("HGET", f"{self.tag}:positions", source)
        return None if found is None else found.decode()

    def positions(self, prefix: str) -> dict[str, str]:
        """Everything noted under names that begin with `prefix`."""
        noted = self.line.call("HGETALL", f"{self.tag}:positions")
        return {
            name.decode(): at.decode()
            for name, at in noted.items()
            if name.startswith(prefix.encode())
        }

    def read(self, partition: int, offset: int, bytes_max: int) -> RecordBatch | None:
        """Read records from `offset` on.

        Returns:
            At least one record and about `bytes_max` bytes at most; None at the end of the log.

        Raises:
            OffsetGone: `offset` is below the first one held.
            StoreCorrupt: the bytes are not what was written, or the log ends before `offset`.
            Transient: Redis cannot be reached.
        """
        if not 0 <= partition < self._partition_count:
            raise InvariantBroken(
                f"Expected a partition below {self._partition_count}, was {partition}"
            )
        pieces: list[Piece] = []
        at, taken_bytes = offset, 0
        for group in self._groups(partition, offset):
            piece = fit_piece(group, at - group.base_offset, bytes_max - taken_bytes)
            if piece.end == piece.first:
                if pieces:
                    break
                piece = Piece(group, piece.first, piece.first + 1)
            pieces.append(piece)
            taken_bytes += int(group.bounds[piece.end] - group.bounds[piece.first])
            at = group.base_offset + piece.end
            if at < group.next_offset:
                # The next read begins within this group: it need not be unpacked again.
                self._cut[partition] = group
                break
            if taken_bytes >= bytes_max:
                break
        return join_pieces(partition, pieces)

    def close(self) -> None:
        """Release connections."""
        self.line.close()

    def stream(self, partition: int) -> str:
        """Key of a partition's stream."""
        return f"{self.tag}:swaps:{partition}"

    def _offsets(self, name: str) -> list[int]:
        fields = [f"{name}:{partition}" for partition in range(self._partition_count)]
        found = self.line.call("HMGET", f"{self.tag}:state", *fields)
        return [int(value or 0) for value in found]

    def _groups(self, partition: int, offset: int) -> Iterator[RecordGroup]:
        """The group that holds `offset`, and those after it up to the end of the log."""
        at = offset
        cut = self._cut.get(partition)
        if cut is not None and cut.base_offset <= at < cut.next_offset:
            yield cut
            at = cut.next_offset
        count = ENTRIES_FIRST
        while True:
            end, entries = self._look(partition, at, count, first=offset)
            for entry in entries:
                group = self._unpack(partition, entry)
                if not group.base_offset <= at < group.next_offset:
                    raise self._corrupt(partition, at, f"a group from {group.base_offset} on")
                yield group
                at = group.next_offset
            if at >= end:
                return
            if not entries:
                raise self._corrupt(partition, at, f"nothing up to {end}")
            count = min(2 * count, ENTRIES_MAX)

    def _look(self, partition: int, at: int, count: int, first: int) -> tuple[int, list[_Entry]]:
        """End of a partition and entries from an offset on, both of one moment."""
        bounds, entries = self.line.together(
            ("HMGET", f"{self.tag}:state", f"start:{partition}", f"end:{partition}"),
            ("XRANGE", self.stream(partition), str(at), "+", "COUNT", count),
        )
        start, end = (int(value or 0) for value in bounds)
        if at < start:
            if at > first:
                # Trimmed while it was read: what was found so far is whole.
                return at, []
            raise OffsetGone(
                f"Expected offset {at} of partition {partition} in {self.line.name}, was trimmed: "
                f"the log begins at {start}; start with --accept-gap to go on from there"
            )
        if at > end:
            raise StoreCorrupt(
                f"Expected partition {partition} in {self.line.name} to reach offset {at}, was "
                f"{end} long: the end of the log is lost (a crash without appendfsync always, or "
                "Redis was emptied); rebuild the state from the log with --rebuild"
            )
        return end, entries

    def _unpack(self, partition: int, entry: _Entry) -> RecordGroup:
        entry_id, fields = entry
        last = int(entry_id.partition(b"-")[0])
        try:
            count, append_ms, raw_bytes, crc = (
                int(fields[name]) for name in (b"count", b"append_ms", b"raw_bytes", b"crc")
            )
            payload = fields[b"group"]
            found = group_crc(partition, 0, 0, count, raw_bytes, payload)
            if found != crc:
                raise self._corrupt(partition, last, f"checksum {found} instead of {crc}")
            return unpack_group(last + 1 - count, append_ms, count, raw_bytes, payload)
        except (KeyError, ValueError, TypeError, struct.error, zstandard.ZstdError) as error:
            raise self._corrupt(partition, last, str(error)) from error

    def _corrupt(self, partition: int, offset: int, found: Any) -> StoreCorrupt:
        return StoreCorrupt(
            f"Expected the records that were written in {self.line.name}, partition {partition}, "
            f"offset {offset}, was damaged ({found}): restore Redis from a copy"
        )
