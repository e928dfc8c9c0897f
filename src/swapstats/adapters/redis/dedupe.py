"""The add and remove sets in Redis: for a horizon longer than the windows, shared by owners.

One key per pair holds its state and its owner, the delivery that made it so:

    {prefix:3}:pair:FINGERPRINT -> flags, content check, offset of the add, offset of the removal

The same delivery (partition and offset) is decided as it was before, so a shard that reads records
again after a crash comes to the same state; any other delivery of the pair is a duplicate. A pair
is forgotten a horizon after its last change or duplicate: what was told of a delivery is told again
for as long. What the outcomes mean is in `core.kernels.dedup`; this module decides alike, and is
not asked about a pair twice when nobody crashed.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swapstats.adapters.redis.connection import (
    FIELDS_MAX,
    TIMEOUT_MS,
    Argument,
    RedisLine,
    Script,
    tagged,
)
from swapstats.core.kernels.dedup import CANCELLED, CONFLICT, DUPLICATE, NEW, REMOVED
from swapstats.errors import SettingsError

# ARGV: horizon in ms, offsets (8 bytes each), content checks (4 bytes), removed (1 byte).
# Offsets and checks are only compared, as bytes: numbers here would lose bits beyond 2^53.
_DECIDE: Final = Script(f"""
local none = string.rep('\\255', 8)
local outcome = {{}}
for at = 1, #KEYS do
  local offset = string.sub(ARGV[2], 8 * at - 7, 8 * at)
  local check = string.sub(ARGV[3], 4 * at - 3, 4 * at)
  local removed = string.byte(ARGV[4], at) ~= 0
  local state = redis.call('GET', KEYS[at])
  local first, added_by, removed_by = 'n', none, none
  local decided
  if not state then
    decided = removed and {CANCELLED} or {NEW}
    first = removed and 'r' or 'a'
  elseif string.sub(state, 2, 5) ~= check then
    decided = {CONFLICT}
  else
    first = string.sub(state, 1, 1)
    added_by, removed_by = string.sub(state, 6, 13), string.sub(state, 14, 21)
    local owner = removed and removed_by or added_by
    if owner == none or owner == offset then
      if removed then
        decided = first == 'r' and {CANCELLED} or {REMOVED}
      else
        decided = first == 'r' and {CANCELLED} or {NEW}
      end
    else
      decided = {DUPLICATE}
      redis.call('PEXPIRE', KEYS[at], ARGV[1])
    end
  end
  if decided ~= {CONFLICT} and decided ~= {DUPLICATE} then
    local owner = removed and removed_by or added_by
    if owner == none then
      if removed then removed_by = offset else added_by = offset end
      redis.call('SET', KEYS[at], first .. check .. added_by .. removed_by, 'PX', ARGV[1])
    end
  end
  outcome[at] = string.char(decided)
end
return table.concat(outcome)
""")


class RedisDedupe:
    """Decides over pairs, from any thread; the records of a partition come in log order.

    Args:
        url: of the Redis, see `RedisLine`.
        prefix: first part of every key, without braces; another log or hash key takes another one.
        horizon_ms: how long a pair is known after its last change or duplicate.
        timeout_ms: bound on each answer.

    Raises:
        SettingsError: the horizon is not positive.
    """

    def __init__(
        self, url: str, prefix: str, horizon_ms: int, *, timeout_ms: int = TIMEOUT_MS
    ) -> None:
        if horizon_ms <= 0:
            raise SettingsError(f"Expected a positive horizon, was {horizon_ms} ms")
        self._line = RedisLine(url, timeout_ms=timeout_ms)
        self._prefix = prefix
        self._horizon_ms = horizon_ms

    def decide(
        self,
        partition: int,
        offsets: NDArray[np.int64],
        fingerprints: NDArray[np.uint64],
        checks: NDArray[np.uint32],
        removed: NDArray[np.uint8],
    ) -> NDArray[np.uint8]:
        """Put the pairs of a batch into the sets, in order.

        Asking again is harmless: after an error the same batch gives what it would have given.

        Args:
            partition: where the records stand.
            offsets: int64[n].
            fingerprints: uint64[n], of (event_id, inclusion).
            checks: uint32[n], of the content.
            removed: uint8[n], 1 = a removal.

        Returns:
            uint8[n]: NEW, DUPLICATE, CONFLICT, REMOVED or CANCELLED.

        Raises:
            Transient: Redis cannot be reached; decide the batch again.
            StoreFull: no room; some of the batch may be decided.
        """
        calls = self._calls(partition, offsets, fingerprints, checks, removed)
        answers = b"".join(self._line.run_each(_DECIDE, calls))
        return np.frombuffer(answers, dtype=np.uint8).copy()

    def close(self) -> None:
        """Release connections."""
        self._line.close()

    def _calls(
        self,
        partition: int,
        offsets: NDArray[np.int64],
        fingerprints: NDArray[np.uint64],
        checks: NDArray[np.uint32],
        removed: NDArray[np.uint8],
    ) -> Iterator[tuple[list[str], tuple[Argument, ...]]]:
        tag = tagged(self._prefix, partition)
        for first in range(0, len(offsets), FIELDS_MAX):
            some = slice(first, first + FIELDS_MAX)
            yield (
                [f"{tag}:pair:{code:016x}" for code in fingerprints[some].tolist()],
                (
                    self._horizon_ms,
                    offsets[some].astype("<i8").tobytes(),
                    checks[some].astype("<u4").tobytes(),
                    removed[some].astype(np.uint8).tobytes(),
                ),
            )
