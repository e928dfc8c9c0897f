"""Refused messages in Redis, with their original bytes: for a log in Redis Streams.

    {prefix:letters}:order     sorted set: place -> append_ms; oldest first, then by place
    {prefix:letters}:letters   hash: place -> reason, letter
    {prefix:letters}:counts    hash: reason -> letters kept; ` bytes` -> their size

A place is partition and offset, so that a message read again after a crash is one letter. Redis
keeps them in memory: beyond a number and a size the oldest go first, at every put.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from swapstats.adapters.redis.connection import (
    COMMAND_BYTES_MAX,
    FIELDS_MAX,
    TIMEOUT_MS,
    Argument,
    RedisLine,
    Script,
    tagged,
)
from swapstats.errors import StoreCorrupt
from swapstats.model.effects import DeadLetter

LETTERS_MAX: Final = 100_000
LETTERS_BYTES_MAX: Final = 64 << 20
SCAN_LETTERS: Final = 256
"""Letters held at a time while they are listed."""

_TRIM_STEPS: Final = 1_000
_SIZE: Final = b" bytes"

# KEYS: order, letters, counts.
_DROP_OLDEST: Final = """
local function drop_oldest()
  local place = redis.call('ZPOPMIN', KEYS[1])[1]
  local value = redis.call('HGET', KEYS[2], place) or '\\n'
  redis.call('HDEL', KEYS[2], place)
  redis.call('HINCRBY', KEYS[3], ' bytes', -#value)
  local reason = string.match(value, '^[^\\n]*')
  if redis.call('HINCRBY', KEYS[3], reason, -1) <= 0 then redis.call('HDEL', KEYS[3], reason) end
end
"""
# ARGV: letters_max, bytes_max, and for each letter its append_ms, place, reason and value.
_PUT: Final = Script(
    _DROP_OLDEST
    + """
for at = 3, #ARGV, 4 do
  if redis.call('ZADD', KEYS[1], 'NX', ARGV[at], ARGV[at + 1]) == 1 then
    redis.call('HSET', KEYS[2], ARGV[at + 1], ARGV[at + 3])
    redis.call('HINCRBY', KEYS[3], ' bytes', #ARGV[at + 3])
    redis.call('HINCRBY', KEYS[3], ARGV[at + 2], 1)
  end
end
local count = redis.call('ZCARD', KEYS[1])
while count > tonumber(ARGV[1])
  or (count > 1 and tonumber(redis.call('HGET', KEYS[3], ' bytes')) > tonumber(ARGV[2])) do
  drop_oldest()
  count = count - 1
end
"""
)
# ARGV: letters_max, steps.
_TRIM: Final = Script(
    _DROP_OLDEST
    + """
local excess = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[1])
local dropped = math.max(0, math.min(excess, tonumber(ARGV[2])))
for _ = 1, dropped do drop_oldest() end
return dropped
"""
)


class RedisDeadLetterReader:
    """Lists refused messages; works beside a writer in another process and from any thread.

    Args:
        url: of the Redis, see `RedisLine`.
        prefix: of the log.
        timeout_ms: bound on each answer.
    """

    def __init__(self, url: str, prefix: str, *, timeout_ms: int = TIMEOUT_MS) -> None:
        self._line = RedisLine(url, timeout_ms=timeout_ms)
        tag = tagged(prefix, "letters")
        self._keys = [f"{tag}:{kind}" for kind in ("order", "letters", "counts")]

    def counts(self) -> dict[str, int]:
        """Number kept, by reason.

        Raises:
            Transient: Redis cannot be reached.
        """
        flat = self._line.call("HGETALL", self._keys[2])
        found = dict(zip(flat[::2], flat[1::2], strict=True)) if isinstance(flat, list) else flat
        found.pop(_SIZE, None)
        return {reason.decode(): int(count) for reason, count in sorted(found.items())}

    def scan(self, *, reason: str | None = None, limit: int = 100) -> Iterator[DeadLetter]:
        """Newest first, at most `limit`; letters put meanwhile do not disturb it.

        Letters that are dropped meanwhile are left out.

        Raises:
            Transient: Redis cannot be reached.
            StoreCorrupt: a letter cannot be read.
        """
        # every place is listed first: it is small beside its letter
        last = limit - 1 if reason is None else -1
        places = self._line.call("ZREVRANGE", self._keys[0], 0, last) if limit > 0 else []
        left = limit
        for first in range(0, len(places), SCAN_LETTERS):
            some = places[first : first + SCAN_LETTERS]
            for value in self._line.call("HMGET", self._keys[1], *some):
                if left == 0:
                    return
                if value is not None and (letter := self._letter(value, reason)) is not None:
                    left -= 1
                    yield letter

    def close(self) -> None:
        """Release connections."""
        self._line.close()

    def _letter(self, value: bytes, reason: str | None) -> DeadLetter | None:
        """Read a letter, unless it has another reason than the one asked for."""
        held, _, encoded = value.partition(b"\n")
        if reason is not None and held != reason.encode():
            return None
        try:
            return msgspec.msgpack.decode(encoded, type=DeadLetter)
        except msgspec.MsgspecError as error:
            raise StoreCorrupt(
                f"Expected a dead letter in {self._line.name} as it was written, was {error}: "
                f"something else writes under {self._keys[1]!r}"
            ) from error


class RedisDeadLetters(RedisDeadLetterReader):
    """The store's writer, and its reader for the same process.

    Args:
        url: of the Redis, see `RedisLine`.
        prefix: of the log.
        letters_max: most letters kept.
        bytes_max: about the most bytes of letters kept; the newest one always is.
        timeout_ms: bound on each answer.
    """

    def __init__(
        self,
        url: str,
        prefix: str,
        *,
        letters_max: int = LETTERS_MAX,
        bytes_max: int = LETTERS_BYTES_MAX,
        timeout_ms: int = TIMEOUT_MS,
    ) -> None:
        super().__init__(url, prefix, timeout_ms=timeout_ms)
        self._letters_max = letters_max
        self._bytes_max = bytes_max

    def put(self, letters: Sequence[DeadLetter]) -> None:
        """Keep letters; one of a place already kept is left as it is.

        Raises:
            Transient: Redis cannot be reached; put them all again.
            StoreFull: no room; some may be kept.
        """
        portion: list[Argument] = []
        size_bytes = 0
        for letter in letters:
            value = letter.reason.encode() + b"\n" + msgspec.msgpack.encode(letter)
            portion += (letter.append_ms, _place(letter), letter.reason, value)
            size_bytes += len(value)
            if size_bytes >= COMMAND_BYTES_MAX or len(portion) >= 4 * FIELDS_MAX:
                self._put(portion)
                portion, size_bytes = [], 0
        if portion:
            self._put(portion)

    def trim(self, count_max: int) -> int:
        """Drop the oldest beyond `count_max`; returns how many were dropped.

        Raises:
            Transient: Redis cannot be reached.
        """
        total = 0
        while dropped := self._line.run(_TRIM, self._keys, max(0, count_max), _TRIM_STEPS):
            total += int(dropped)
        return total

    def _put(self, portion: list[Argument]) -> None:
        self._line.run(_PUT, self._keys, self._letters_max, self._bytes_max, *portion)


def _place(letter: DeadLetter) -> str:
    """Name a place so that names sort as places do."""
    return f"{letter.partition:08d}:{letter.offset:020d}"
