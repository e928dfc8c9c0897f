"""The archive's journal in Redis: which batch was written down under which epoch.

    {prefix:3}:journal:owner    hash: `epoch` of the owner, `floor`: all below it was archived
    {prefix:3}:journal:order    sorted set: first offset of each note, by itself
    {prefix:3}:journal:notes    hash: first offset -> next offset, inserted, what its rows are; note

It is as durable as Redis is: with `appendfsync everysec` a power loss costs up to two seconds of
notes, and an emptied Redis all of them. It never looks at the archive itself.
"""

from typing import Any, Final

import msgspec

from swapstats.adapters.redis.connection import TIMEOUT_MS, RedisLine, Script, tagged
from swapstats.errors import Fenced, InvariantBroken, NotAcquired, StoreCorrupt, Transient
from swapstats.ports.archive import BatchNote, JournalState, expect_same_rows

NOTES_MAX: Final = 100_000
"""Notes of one partition; some hours without a checkpoint."""
_FORGOTTEN_MAX: Final = 1_000

_ACQUIRE: Final = Script("""
local owner = redis.call('HMGET', KEYS[1], 'epoch', 'floor')
local stored = tonumber(owner[1] or '0')
if stored > tonumber(ARGV[1]) then return {'epoch', stored} end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
return {'ok', owner[2] or '0', redis.call('HVALS', KEYS[3])}
""")
# ARGV: epoch, first offset, next offset, what its rows are, value, bound on notes.
_NOTE: Final = Script("""
local stored = tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0')
if stored ~= tonumber(ARGV[1]) then return {'epoch', stored} end
local found = redis.call('ZREVRANGEBYSCORE', KEYS[2], '(' .. ARGV[3], '-inf', 'LIMIT', 0, 1)
local held = found[1] and redis.call('HGET', KEYS[3], found[1])
if found[1] and not held then return {'damaged', found[1]} end
if held then
  local next, rows = string.match(held, '^(%d+) %d (%S+)\\n')
  if tonumber(next) > tonumber(ARGV[2]) then
    if found[1] ~= ARGV[2] or next ~= ARGV[3] then return {'overlap', held} end
    if rows ~= ARGV[4] then return {'rows', held} end
    redis.call('HSET', KEYS[3], ARGV[2], ARGV[5])
    return {'ok'}
  end
end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[6]) then return {'full'} end
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[2])
redis.call('HSET', KEYS[3], ARGV[2], ARGV[5])
return {'ok'}
""")
# One that is not inserted keeps itself and all that follow: no holes.
_FORGET: Final = Script("""
local gone, floor = {}, nil
for _, first in ipairs(redis.call('ZRANGE', KEYS[2], 0, tonumber(ARGV[2]) - 1)) do
  local held = redis.call('HGET', KEYS[3], first)
  local next, inserted = string.match(held or '', '^(%d+) (%d) ')
  if inserted ~= '1' or tonumber(next) > tonumber(ARGV[1]) then break end
  gone[#gone + 1] = first
  floor = next
end
if floor then
  redis.call('ZREM', KEYS[2], unpack(gone))
  redis.call('HDEL', KEYS[3], unpack(gone))
  if tonumber(floor) > tonumber(redis.call('HGET', KEYS[1], 'floor') or '0') then
    redis.call('HSET', KEYS[1], 'floor', floor)
  end
end
return #gone
""")


class RedisArchiveJournal:
    """Notes of archive batches; from any thread.

    Args:
        url: of the Redis, see `RedisLine`.
        prefix: first part of every key, without braces.
        notes_max: notes of one partition.
        timeout_ms: bound on each answer.
    """

    def __init__(
        self,
        url: str,
        prefix: str,
        *,
        notes_max: int = NOTES_MAX,
        timeout_ms: int = TIMEOUT_MS,
    ) -> None:
        self._line = RedisLine(url, timeout_ms=timeout_ms)
        self._prefix = prefix
        self._notes_max = notes_max

    def acquire(self, partition: int, epoch: int) -> JournalState:
        """Become the partition's owner; see `ArchiveJournal.acquire`.

        Raises:
            Fenced: a higher epoch has acquired it.
            Transient: Redis cannot be reached; acquire it again.
            StoreCorrupt: a note cannot be read.
        """
        answer = self._line.run(_ACQUIRE, self._keys(partition), epoch)
        if answer[0] == b"epoch":
            raise _fenced(partition, epoch, answer[1])
        return JournalState(int(answer[1]), tuple(self._sorted(partition, answer[2])))

    def note(self, note: BatchNote) -> None:
        """Write a batch down; the same range again replaces its note.

        Raises:
            Fenced: a higher epoch acquired this partition; nothing was changed.
            SettingsMismatch: the same range was noted with another digest.
            InvariantBroken: the range overlaps another one, or its epoch was not acquired (or
                Redis was emptied since).
            Transient: Redis cannot be reached, or too many notes are held.
            StoreFull: no room.
        """
        rows = f"{note.digest}:{note.rows}:{note.late_rows}"
        prefix = f"{note.next_offset} {int(note.inserted)} {rows}\n"
        answer = self._line.run(
            _NOTE,
            self._keys(note.partition),
            note.epoch,
            note.first_offset,
            note.next_offset,
            rows,
            prefix.encode() + msgspec.msgpack.encode(note),
            self._notes_max,
        )
        if answer[0] != b"ok":
            raise self._refusal(note, answer)

    def notes(self, partition: int) -> list[BatchNote]:
        """Notes held, by offset.

        Raises:
            Transient: Redis cannot be reached.
            StoreCorrupt: a note cannot be read.
        """
        return self._sorted(partition, self._line.call("HVALS", self._keys(partition)[2]))

    def forget(self, partition: int, before_offset: int) -> None:
        """Drop notes of inserted ranges that end at or before an offset, and raise the floor.

        Raises:
            Transient: Redis cannot be reached; forget them later.
        """
        gone = _FORGOTTEN_MAX
        while gone == _FORGOTTEN_MAX:
            gone = self._line.run(_FORGET, self._keys(partition), before_offset, _FORGOTTEN_MAX)

    def close(self) -> None:
        """Release connections."""
        self._line.close()

    def _keys(self, partition: int) -> list[str]:
        tag = tagged(self._prefix, partition)
        return [f"{tag}:journal:{kind}" for kind in ("owner", "order", "notes")]

    def _sorted(self, partition: int, held: list[bytes]) -> list[BatchNote]:
        notes = [self._decoded(partition, value) for value in held]
        return sorted(notes, key=lambda note: note.first_offset)

    def _decoded(self, partition: int, held: bytes) -> BatchNote:
        try:
            return msgspec.msgpack.decode(held.partition(b"\n")[2], type=BatchNote)
        except msgspec.MsgspecError as error:
            raise self._corrupt(partition, str(error)) from error

    def _refusal(self, note: BatchNote, answer: list[Any]) -> Exception:
        if answer[0] == b"epoch":
            if answer[1] > note.epoch:
                return _fenced(note.partition, note.epoch, answer[1])
            return NotAcquired(
                f"Expected an acquired epoch of partition {note.partition} in {self._line.name} "
                f"(at most {answer[1]}), was {note.epoch}: acquire the partition before noting; "
                "if it was, Redis was emptied since"
            )
        if answer[0] == b"full":
            return Transient(
                f"Expected fewer than {self._notes_max} notes of partition {note.partition}, was "
                "that many: no checkpoint has been written for long"
            )
        if answer[0] == b"damaged":
            return self._corrupt(note.partition, f"no note of offset {answer[1].decode()}")
        held = self._decoded(note.partition, answer[1])
        if answer[0] == b"rows":
            expect_same_rows(held, note)
        return InvariantBroken(
            f"Expected the range {held.first_offset} to {held.next_offset} of partition "
            f"{note.partition} as it was noted, was {note.first_offset} to {note.next_offset}"
        )

    def _corrupt(self, partition: int, found: str) -> StoreCorrupt:
        return StoreCorrupt(
            f"Expected the notes of partition {partition} in {self._line.name} as they were "
            f"written, was a damaged one ({found}): compare the archive with the log before going "
            "on"
        )


def _fenced(partition: int, epoch: int, newer: int) -> Fenced:
    return Fenced(
        f"Expected to own partition {partition} under epoch {epoch}, was taken over under epoch "
        f"{newer}: this instance must stop archiving"
    )
