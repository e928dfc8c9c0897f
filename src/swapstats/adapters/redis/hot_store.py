"""The hot store in Redis: the newest statistics of every token, written by shards' owners.

All keys of a partition begin with the same hash tag, so that a Cluster keeps them in one place:

    {prefix:3}:head             hash: where the partition stands, and the generation of its tokens
    {prefix:3}:uploads          set: generations and uploads there are, failed ones too
    {prefix:3}:rows:GENERATION      hash: token number -> row
    {prefix:3}:names:GENERATION     hash: token number -> key and symbol
    {prefix:3}:changed:GENERATION   sorted set: token number by the seq of its newest change
    {prefix:3}:parts:UPLOAD         list: an update too large for one command

A whole update is uploaded under a generation of its own and becomes the partition by one small
script; a change of some tokens is one script that compares the epoch and writes rows and head. An
update too large for one command is uploaded in parts first and then taken in by one script.
"""

import threading
import uuid
from typing import Any, Final

from swapstats.adapters.redis.connection import TIMEOUT_MS, RedisLine, Script, tagged
from swapstats.adapters.redis.hot_parts import parts_of, row_bytes
from swapstats.adapters.redis.hot_store_reader import RedisHotStoreReader
from swapstats.errors import Fenced, InvariantBroken, StoreFull, Transient
from swapstats.model.effects import StatsUpdate
from swapstats.ports.hot_store import HotHead

_UPLOADS_DROPPED_MAX: Final = 100

# Takes a part into the hashes KEYS[3] (rows), KEYS[4] (names) and the sorted set KEYS[5].
_TAKE = """
local function store(command, key, pairs)
  for at = 1, #pairs, 2000 do
    redis.call(command, key, unpack(pairs, at, math.min(at + 1999, #pairs)))
  end
end
local function take(packed, seq, size)
  local numbers, rows, bare, named, place = struct.unpack('<I4c0I4c0I4c0I4c0', packed)
  local by_row, by_seq, by_name = {}, {}, {}
  for at = 0, #numbers / 4 - 1 do
    local number = string.sub(numbers, 4 * at + 1, 4 * at + 4)
    by_row[2 * at + 1] = number
    by_row[2 * at + 2] = string.sub(rows, size * at + 1, size * at + size)
    by_seq[2 * at + 1] = seq
    by_seq[2 * at + 2] = number
  end
  store('HSET', KEYS[3], by_row)
  for at = 0, #bare / 4 - 1 do
    local number = string.sub(bare, 4 * at + 1, 4 * at + 4)
    redis.call('HSETNX', KEYS[3], number, string.rep('\\0', size))
    by_seq[#by_seq + 1] = seq
    by_seq[#by_seq + 1] = number
  end
  store('ZADD', KEYS[5], by_seq)
  for at = 0, #named / 4 - 1 do
    by_name[2 * at + 1] = string.sub(named, 4 * at + 1, 4 * at + 4)
    by_name[2 * at + 2], place = struct.unpack('<I4c0', packed, place)
  end
  store('HSET', KEYS[4], by_name)
end
"""
_CHECK_EPOCH = """
local head = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'generation')
local epoch = tonumber(head[1] or '0')
if epoch > tonumber(ARGV[1]) then return {'epoch', epoch} end
"""
_UPLOAD = Script(
    _TAKE
    + _CHECK_EPOCH
    + """
redis.call('SADD', KEYS[2], ARGV[2])
take(ARGV[3], ARGV[4], tonumber(ARGV[5]))
return {'ok'}
"""
)
_STAGE = Script(
    _CHECK_EPOCH
    + """
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('RPUSH', KEYS[3], ARGV[3])
return {'ok'}
"""
)
_CHECK_ORDER = """
if epoch == tonumber(ARGV[1]) and tonumber(head[2]) >= tonumber(ARGV[2]) then
  return {'order', head[2]}
end
"""
_SWITCH = Script(
    _CHECK_EPOCH
    + _CHECK_ORDER
    + """
redis.call('SADD', KEYS[2], ARGV[3])
redis.call('HSET', KEYS[1], 'generation', ARGV[3], unpack(ARGV, 4))
return {'ok', redis.call('SMEMBERS', KEYS[2])}
"""
)
# ARGV: epoch, seq, generation, row size, part (or the upload's name if the parts are in the list
# KEYS[6]), seq of the writer's last put, head. Another last seq: Redis lost its last moments.
_PUT = Script(
    _TAKE
    + _CHECK_EPOCH
    + _CHECK_ORDER
    + """
if epoch ~= tonumber(ARGV[1]) or head[3] ~= ARGV[3] then return {'lost'} end
if tonumber(head[2]) ~= tonumber(ARGV[6]) then return {'lost'} end
if KEYS[6] then
  for at = 0, redis.call('LLEN', KEYS[6]) - 1 do
    take(redis.call('LINDEX', KEYS[6], at), ARGV[2], tonumber(ARGV[4]))
  end
  redis.call('UNLINK', KEYS[6])
  redis.call('SREM', KEYS[2], ARGV[5])
else
  take(ARGV[5], ARGV[2], tonumber(ARGV[4]))
end
redis.call('HSET', KEYS[1], unpack(ARGV, 7))
return {'ok'}
"""
)
_DROP = Script(
    _CHECK_EPOCH
    + """
for at = 2, #ARGV do
  if ARGV[at] ~= head[3] then
    redis.call('SREM', KEYS[2], ARGV[at])
    for key = 4 * at - 5, 4 * at - 2 do redis.call('UNLINK', KEYS[key]) end
  end
end
return {'ok'}
"""
)


class RedisHotStore:
    """The writer of newest statistics, and their reader for the same process; from any thread.

    Args:
        url: of the Redis, see `RedisLine`.
        prefix: first part of every key, without braces.
        timeout_ms: bound on each answer.
    """

    def __init__(self, url: str, prefix: str, *, timeout_ms: int = TIMEOUT_MS) -> None:
        self._reader = RedisHotStoreReader(url, prefix, timeout_ms=timeout_ms)
        self._line: RedisLine = self._reader.line
        self._prefix = prefix
        self._lock = threading.Lock()
        self._generations: dict[int, tuple[str, int]] = {}

    def head(self, partition: int) -> HotHead | None:
        """Where a partition stands; None if nothing was ever put."""
        return self._reader.head(partition)

    def changes(self, partition: int, after_seq: int) -> StatsUpdate | None:
        """Read what changed after an update, see `RedisHotStoreReader.changes`."""
        return self._reader.changes(partition, after_seq)

    def put(self, update: StatsUpdate, now_ms: int, lag_ms: int) -> None:
        """Take an update in, all of it or nothing.

        Args:
            update: updates of one partition come in order of seq; the first one of this store
                object, and the first one after an error, must be whole.
            now_ms: the writer's wall clock.
            lag_ms: how far the writer is behind the log.

        Raises:
            Fenced: a higher epoch wrote this partition; nothing was changed.
            Transient: Redis cannot be reached, or it was emptied; the next update must be whole.
            StoreFull: no room; the next update must be whole.
            InvariantBroken: this update, or a newer one, was put before.
        """
        place: list[str | int | bytes] = []
        for name, number in (
            ("epoch", update.epoch),
            ("seq", update.seq),
            ("offset", update.offset),
            ("t_ms", update.t_ms),
            ("end_ms", update.end_ms),
            ("complete_since_ms", update.complete_since_ms),
            ("put_ms", now_ms),
            ("lag_ms", lag_ms),
        ):
            place += (name, number)
        with self._lock:
            # Out of the table until it has gone well: afterwards only a whole update puts it back.
            last = self._generations.pop(update.partition, None)
            if update.whole:
                generation = uuid.uuid4().hex[:16]
                self._put_whole(update, generation, place)
            else:
                generation = self._put_changes(update, last, place)
            self._generations[update.partition] = (generation, update.seq)

    def close(self) -> None:
        """Release connections."""
        self._reader.close()

    def _put_whole(
        self, update: StatsUpdate, generation: str, place: list[str | int | bytes]
    ) -> None:
        keys = self._keys(update.partition, generation)
        size_bytes = row_bytes(update)
        calls = (
            (keys, (update.epoch, generation, part, update.seq, size_bytes))
            for part in parts_of(update)
        )
        members: list[bytes] = []
        try:
            for answer in self._line.run_each(_UPLOAD, calls):
                self._expect(update, answer)
            more = ("whole_seq", update.seq, "row_bytes", size_bytes)
            head = (update.epoch, update.seq, generation, *place, *more)
            members = self._expect(update, self._line.run(_SWITCH, keys[:2], *head))[1]
        except StoreFull:
            self._drop(update, [generation])
            raise
        self._drop(update, [member.decode() for member in members])

    def _put_changes(
        self, update: StatsUpdate, last: tuple[str, int] | None, place: list[str | int | bytes]
    ) -> str:
        """Write changes on top of the last put (its generation and seq); returns the former."""
        if last is None:
            raise self._whole_needed(update)
        generation, last_seq = last
        keys = self._keys(update.partition, generation)
        parts = list(parts_of(update))
        upload: str | bytes = parts[0]
        if len(parts) > 1:
            upload = uuid.uuid4().hex[:16]
            keys.append(self._upload_keys(update.partition, upload)[3])
            calls = (([*keys[:2], keys[5]], (update.epoch, upload, part)) for part in parts)
            for answer in self._line.run_each(_STAGE, calls):
                self._expect(update, answer)
        head = (update.epoch, update.seq, generation, row_bytes(update), upload, last_seq, *place)
        self._expect(update, self._line.run(_PUT, keys, *head))
        return generation

    def _drop(self, update: StatsUpdate, names: list[str]) -> None:
        """Drop uploads and generations other than the one in service; what fails waits."""
        for first in range(0, len(names), _UPLOADS_DROPPED_MAX):
            some = names[first : first + _UPLOADS_DROPPED_MAX]
            keys = self._keys(update.partition, "")[:2]
            for name in some:
                keys += self._upload_keys(update.partition, name)
            try:
                self._expect(update, self._line.run(_DROP, keys, update.epoch, *some))
            except (Transient, Fenced):
                return

    def _keys(self, partition: int, generation: str) -> list[str]:
        tag = tagged(self._prefix, partition)
        return [
            f"{tag}:head",
            f"{tag}:uploads",
            *self._upload_keys(partition, generation)[:3],
        ]

    def _upload_keys(self, partition: int, name: str) -> list[str]:
        tag = tagged(self._prefix, partition)
        return [f"{tag}:{kind}:{name}" for kind in ("rows", "names", "changed", "parts")]

    def _expect(self, update: StatsUpdate, answer: list[Any]) -> list[Any]:
        """Pass an answer on if it is good."""
        if answer[0] == b"ok":
            return answer
        if answer[0] == b"epoch":
            raise Fenced(
                f"Expected to own partition {update.partition} under epoch {update.epoch}, was "
                f"taken over under epoch {answer[1]}: this instance must stop writing"
            )
        if answer[0] == b"order":
            raise InvariantBroken(
                f"Expected an update of partition {update.partition} after seq "
                f"{int(answer[1])}, was {update.seq}"
            )
        raise self._whole_needed(update)

    def _whole_needed(self, update: StatsUpdate) -> Transient:
        return Transient(
            f"Expected a whole update of partition {update.partition}, was one of some tokens: "
            f"{self._line.name} does not hold what it builds on (a first update, one after an "
            "error, or Redis was emptied); put a whole one"
        )
