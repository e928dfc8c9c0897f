"""The swap log in Redis Streams: a second transport, for those who run Redis and no broker.

An append is one script: groups into the streams of their partitions, offsets, and the positions of
sources, all or nothing. What lies where is said in `streams_reader.py`. It keeps what Redis keeps:
memory bounds its length, and `appendfsync always` what a power loss costs.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import zstandard
from numpy.typing import NDArray

from swapstats.adapters.embedded.groups import COMPRESSION_LEVEL, group_crc, split_block
from swapstats.adapters.redis.connection import (
    TIMEOUT_MS,
    Argument,
    RedisLine,
    Script,
    tagged,
)
from swapstats.adapters.redis.streams_reader import RedisSwapLogReader
from swapstats.errors import InvariantBroken, SettingsMismatch, StoreCorrupt, UsageError
from swapstats.model.record import MessageBlock, RecordBatch

PARTITIONS_MAX: Final = 1_024
APPEND_BYTES_MAX: Final = 64 << 20
"""Compressed bytes of one append: it is one command."""
_TRIM_STEPS: Final = 64

_OPEN: Final = Script("""
redis.call('HSETNX', KEYS[1], 'partitions', ARGV[1])
return tonumber(redis.call('HGET', KEYS[1], 'partitions'))
""")
# KEYS: state, positions, a stream for each group. ARGV: partitions, append_ms, number of positions
# and of forgotten ones, sources and positions, forgotten sources, and for each group its partition,
# count, raw size, checksum and bytes.
_APPEND: Final = Script("""
local state = redis.call('HMGET', KEYS[1], 'partitions', 'append_ms', 'groups')
if state[1] ~= ARGV[1] then return 'lost' end
local at = 5
for _ = 1, tonumber(ARGV[3]) do
  redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
  at = at + 2
end
for _ = 1, tonumber(ARGV[4]) do
  redis.call('HDEL', KEYS[2], ARGV[at])
  at = at + 1
end
if #KEYS == 2 then return 'ok' end
local append_ms = ARGV[2]
local last_ms = state[2] or '0'
if tonumber(last_ms) > tonumber(append_ms) then append_ms = last_ms end
local groups = tonumber(state[3] or '0')
for key = 3, #KEYS do
  local partition, count = ARGV[at], tonumber(ARGV[at + 1])
  local last = redis.call('HINCRBY', KEYS[1], 'end:' .. partition, count) - 1
  groups = groups + 1
  redis.call('XADD', KEYS[key], string.format('%d-1', last), 'count', count,
    'append_ms', append_ms, 'number', groups, 'raw_bytes', ARGV[at + 2], 'crc', ARGV[at + 3],
    'group', ARGV[at + 4])
  redis.call('HINCRBY', KEYS[1], 'bytes:' .. partition, #ARGV[at + 4])
  at = at + 5
end
redis.call('HSET', KEYS[1], 'append_ms', append_ms, 'groups', groups)
return 'ok'
""")
# Drops the oldest group, up to so many times. KEYS: state, streams. ARGV: before_ms, bytes_max,
# steps, offsets to keep from.
_TRIM: Final = Script("""
local function entry(key, after)
  local found = redis.call('XRANGE', key, after, '+', 'COUNT', 1)[1]
  if not found then return nil end
  local group = {last = tonumber(string.match(found[1], '^(%d+)'))}
  for at = 1, #found[2], 2 do group[found[2][at]] = found[2][at + 1] end
  return group
end
local heads, held_bytes, dropped, changed = {}, 0, 0, {}
for key = 2, #KEYS do
  heads[key] = entry(KEYS[key], '-')
  held_bytes = held_bytes + tonumber(redis.call('HGET', KEYS[1], 'bytes:' .. (key - 2)) or '0')
end
local more = 1
for _ = 1, tonumber(ARGV[3]) do
  local oldest = nil
  for key, head in pairs(heads) do
    if head.last < tonumber(ARGV[key + 2])
      and (not oldest or tonumber(head.number) < tonumber(heads[oldest].number)) then
      oldest = key
    end
  end
  local too_much = tonumber(ARGV[2]) > 0 and held_bytes > tonumber(ARGV[2])
  if not oldest
    or not (too_much or tonumber(heads[oldest].append_ms) < tonumber(ARGV[1])) then
    more = 0
    break
  end
  local head = heads[oldest]
  held_bytes = held_bytes - #head.group
  dropped = dropped + tonumber(head.count)
  redis.call('HINCRBY', KEYS[1], 'bytes:' .. (oldest - 2), -#head.group)
  redis.call('HSET', KEYS[1], 'start:' .. (oldest - 2), string.format('%d', head.last + 1))
  changed[oldest] = string.format('%d-2', head.last)
  heads[oldest] = entry(KEYS[oldest], changed[oldest])
end
for key, bound in pairs(changed) do redis.call('XTRIM', KEYS[key], 'MINID', '=', bound) end
return {dropped, more}
""")


class RedisSwapLog:
    """The writer of a log, and its reader for the same process; from any thread.

    Args:
        url: of the Redis, see `RedisLine`.
        prefix: first part of every key, without braces.
        partition_count: fixed when the log is made.
        timeout_ms: bound on each answer.

    Raises:
        SettingsMismatch: the log was made with another number of partitions.
        Transient: Redis cannot be reached.
    """

    def __init__(
        self, url: str, prefix: str, partition_count: int, *, timeout_ms: int = TIMEOUT_MS
    ) -> None:
        if not 0 < partition_count <= PARTITIONS_MAX:
            raise SettingsMismatch(
                f"Expected 1 to {PARTITIONS_MAX} partitions, was {partition_count}"
            )
        self._line = RedisLine(url, timeout_ms=timeout_ms)
        self._state = f"{tagged(prefix, 'log')}:state"
        found = self._line.run(_OPEN, [self._state], partition_count)
        if found != partition_count:
            self._line.close()
            raise SettingsMismatch(
                f"Expected {partition_count} partitions under {prefix!r} in {self._line.name}, was "
                f"made with {found}: give that number, or use another prefix"
            )
        self._reader = RedisSwapLogReader(url, prefix, timeout_ms=timeout_ms)

    @property
    def partition_count(self) -> int:
        """Number of partitions."""
        return self._reader.partition_count

    def start_offsets(self) -> list[int]:
        """First offset still held, by partition."""
        return self._reader.start_offsets()

    def end_offsets(self) -> list[int]:
        """Offset the next record will get, by partition."""
        return self._reader.end_offsets()

    def position(self, source: str) -> str | None:
        """Where a source stood when its last message was appended; None if never."""
        return self._reader.position(source)

    def positions(self, prefix: str) -> dict[str, str]:
        """Everything noted under names that begin with `prefix`."""
        return self._reader.positions(prefix)

    def read(self, partition: int, offset: int, bytes_max: int) -> RecordBatch | None:
        """Read records from `offset` on; see `RedisSwapLogReader.read`."""
        return self._reader.read(partition, offset, bytes_max)

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
            StoreFull: no room; nothing of the block was appended.
            StoreCorrupt: Redis was emptied; nothing was appended.
            Transient: Redis cannot be reached; the block may have been appended, and appending it
                again makes duplicates, which are told apart when they are counted.
            UsageError: the block is too large for one command.
            InvariantBroken: a partition that does not exist.
        """
        self._check_partitions(block, partitions)
        keys = [self._state, f"{self._reader.tag}:positions"]
        kept = {name: at for name, at in positions.items() if at is not None}
        forgotten = [name for name, at in positions.items() if at is None]
        args: list[Argument] = [self.partition_count, append_ms, len(kept), len(forgotten)]
        for source, position in kept.items():
            args += (source, position)
        args += forgotten
        size_bytes = 0
        for group in split_block(block, partitions, zstandard.ZstdCompressor(COMPRESSION_LEVEL)):
            keys.append(self._reader.stream(group.partition))
            crc = group_crc(group.partition, 0, 0, group.count, group.raw_bytes, group.payload)
            args += (group.partition, group.count, group.raw_bytes, crc, group.payload)
            size_bytes += len(group.payload)
        if size_bytes > APPEND_BYTES_MAX:
            raise UsageError(
                f"Expected a block of at most {APPEND_BYTES_MAX} bytes, was {size_bytes}: append "
                "it in parts"
            )
        self._expect(self._line.run(_APPEND, keys, *args))

    def trim(self, before_ms: int, bytes_max: int, keep_from: list[int]) -> int:
        """Drop whole old record groups, a bounded number a script.

        Args:
            before_ms: drop what was appended earlier than this ...
            bytes_max: ... and, oldest first, what exceeds this size as stored (0 = no bound).
            keep_from: never drop at or after these offsets, by partition.

        Returns:
            Number of records dropped.

        Raises:
            Transient: Redis cannot be reached; trim again.
        """
        if len(keep_from) != self.partition_count:
            raise InvariantBroken(
                f"Expected {self.partition_count} offsets to keep from, was {len(keep_from)}"
            )
        keys = [self._state, *map(self._reader.stream, range(self.partition_count))]
        dropped, more = 0, 1
        while more:
            count, more = self._line.run(_TRIM, keys, before_ms, bytes_max, _TRIM_STEPS, *keep_from)
            dropped += count
        return dropped

    def close(self) -> None:
        """Release connections."""
        self._reader.close()
        self._line.close()

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

    def _expect(self, answer: Any) -> None:
        if answer != b"ok":
            raise StoreCorrupt(
                f"Expected the log of {self.partition_count} partitions in {self._line.name}, was "
                "gone: Redis was emptied; start again, with a new log and --rebuild"
            )
