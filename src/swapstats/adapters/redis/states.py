"""States of the preprocessor in Redis: one hash a partition, fenced.

{prefix:preprocess:<partition>}:state   hash: epoch, of the owner; and of the newest state its
                                        saved_epoch, next_offset, crc and blob
"""

import contextlib
from typing import Final

from swapstats.adapters.embedded.states import EPOCH_UNIT_S, expect_owner, state_crc
from swapstats.adapters.redis.connection import TIMEOUT_MS, RedisLine, Script, tagged
from swapstats.errors import StoreCorrupt
from swapstats.model.saved_state import SavedState
from swapstats.model.writer import EPOCH_ZERO_S

_SAVED: Final = ("saved_epoch", "next_offset", "crc", "blob")

# A Redis that was emptied must not give an epoch again that somebody still writes under.
_ACQUIRE: Final = Script("""
local epoch = tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0') + 1
if epoch == 1 and tonumber(ARGV[1]) > 0 then
  local units = (tonumber(redis.call('TIME')[1]) - tonumber(ARGV[2])) / tonumber(ARGV[1])
  epoch = math.max(1, math.floor(units))
end
redis.call('HSET', KEYS[1], 'epoch', string.format('%d', epoch))
return epoch
""")
_SAVE: Final = Script("""
local epoch = redis.call('HGET', KEYS[1], 'epoch') or '0'
if epoch == ARGV[1] then
  redis.call('HSET', KEYS[1], 'saved_epoch', ARGV[1], 'next_offset', ARGV[2], 'crc', ARGV[3],
    'blob', ARGV[4])
end
return tonumber(epoch)
""")


class RedisStateStore:
    """States in Redis; from any thread.

    Args:
        url: of the Redis, see `RedisLine`.
        prefix: first part of every key, without braces.
        timeout_ms: bound on each answer.
        epoch_unit_s: the first epoch counts so many seconds since 2024; 0 = it is 1.
    """

    def __init__(
        self,
        url: str,
        prefix: str,
        *,
        timeout_ms: int = TIMEOUT_MS,
        epoch_unit_s: int = EPOCH_UNIT_S,
    ) -> None:
        self._line = RedisLine(url, timeout_ms=timeout_ms)
        self._prefix = prefix
        self._epoch_unit_s = epoch_unit_s

    def acquire(self, partition: int) -> int:
        """Become the partition's owner: raise its epoch and return it.

        Raises:
            Transient: Redis cannot be reached; the epoch may have been raised.
        """
        return int(
            self._line.run(_ACQUIRE, [self._key(partition)], self._epoch_unit_s, EPOCH_ZERO_S)
        )

    def load(self, partition: int) -> SavedState | None:
        """Read the newest state; None if none.

        Raises:
            StoreCorrupt: the bytes are not what was written.
            Transient: Redis cannot be reached.
        """
        found = self._line.call("HMGET", self._key(partition), *_SAVED)
        epoch, next_offset, crc, blob = found
        if epoch is None:
            return None
        with contextlib.suppress(TypeError, ValueError):
            state = SavedState(int(epoch), int(next_offset), blob)
            if state_crc(partition, state) == int(crc):
                return state
        raise StoreCorrupt(
            f"Expected the state of partition {partition} that was written in {self._line.name}, "
            f"was damaged: start with --rebuild to make it from the raw log again"
        )

    def save(self, partition: int, state: SavedState) -> None:
        """Put a state in place of the one before: all of it or nothing.

        Raises:
            Fenced: the partition's epoch in Redis is another than the state's.
            StoreFull: no memory; the state before stands.
            Transient: Redis cannot be reached; the state may be written or not.
        """
        crc = state_crc(partition, state)
        stored = self._line.run(
            _SAVE, [self._key(partition)], state.epoch, state.next_offset, crc, state.blob
        )
        expect_owner(partition, state.epoch, stored)

    def close(self) -> None:
        """Release connections."""
        self._line.close()

    def _key(self, partition: int) -> str:
        return f"{tagged(self._prefix, f'preprocess:{partition}')}:state"
