"""The hot store in Redis, the reading side: for any number of API processes.

A read is one script call as long as few tokens changed. Of many, the numbers come first and rows
in parts after them; what changed meanwhile is read in the next round, until a round is one call:
then the whole is the state of that moment. `hot_store.py` writes and says where what lies.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from swapstats.adapters.redis.connection import TIMEOUT_MS, RedisLine, Script, tagged
from swapstats.adapters.redis.hot_parts import (
    PART_TOKENS_MAX,
    pack_numbers,
    unpack_names,
    unpack_numbers,
    unpack_rows,
)
from swapstats.errors import StoreCorrupt, Transient
from swapstats.model.effects import StatsUpdate, TokenName
from swapstats.ports.hot_store import HotHead

_ROUNDS_MAX: Final = 50
_FIELDS: Final = (
    "epoch",
    "seq",
    "offset",
    "t_ms",
    "end_ms",
    "complete_since_ms",
    "put_ms",
    "lag_ms",
    "whole_seq",
    "row_bytes",
)

_LOOK_UP = """
local function look_up(key, numbers)
  local found = {}
  for at = 1, #numbers, 2000 do
    local last = math.min(at + 1999, #numbers)
    for place, value in ipairs(redis.call('HMGET', key, unpack(numbers, at, last))) do
      if not value then return nil end
      found[at + place - 1] = value
    end
  end
  return found
end
local function rows_and_names(numbers)
  local rows, names = look_up(KEYS[2], numbers), look_up(KEYS[3], numbers)
  if not rows or not names then return nil end
  return table.concat(rows), names
end
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then return {'moved'} end
"""
_CHANGES = Script(
    _LOOK_UP
    + """
local head = redis.call('HMGET', KEYS[1], unpack(ARGV, 4))
local numbers = redis.call('ZRANGEBYSCORE', KEYS[4], '(' .. ARGV[2], '+inf')
if #numbers > tonumber(ARGV[3]) then return {'many', head, table.concat(numbers)} end
local rows, names = rows_and_names(numbers)
if not rows then return {'missing'} end
return {'all', head, table.concat(numbers), rows, names}
"""
)
_FETCH = Script(
    _LOOK_UP
    + """
local numbers = {}
for at = 1, #ARGV[2], 4 do numbers[#numbers + 1] = string.sub(ARGV[2], at, at + 3) end
local rows, names = rows_and_names(numbers)
if not rows then return {'missing'} end
return {'ok', rows, names}
"""
)


class _Moved(Exception):
    """The tokens were numbered anew while they were read."""


class _Collected:
    """What rounds of one read found, the newest last."""

    def __init__(self) -> None:
        self.numbers: list[NDArray[np.int32]] = []
        self.rows: list[NDArray[np.int64]] = []
        self.names: dict[int, TokenName] = {}

    def add(
        self, numbers: NDArray[np.int32], packed: bytes, names: list[bytes], size_bytes: int
    ) -> None:
        self.numbers.append(numbers)
        self.rows.append(unpack_rows(packed, len(numbers), size_bytes))
        self.names.update((name.token_id, name) for name in unpack_names(numbers, names))

    def newest(self) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Numbers, ascending, and the last row found of each."""
        # unique() returns the first place of each number.
        numbers, first = np.unique(np.concatenate(self.numbers[::-1]), return_index=True)
        return numbers, np.concatenate(self.rows[::-1])[first]


class RedisHotStoreReader:
    """Reads what shards' owners wrote; from any thread.

    Args:
        url: of the Redis, see `RedisLine`.
        prefix: first part of every key, without braces.
        timeout_ms: bound on each answer.
    """

    def __init__(self, url: str, prefix: str, *, timeout_ms: int = TIMEOUT_MS) -> None:
        self.line = RedisLine(url, timeout_ms=timeout_ms)
        self._prefix = prefix

    def head(self, partition: int) -> HotHead | None:
        """Where a partition stands; None if nothing was ever put.

        Raises:
            Transient: Redis cannot be reached.
        """
        found = self._look(partition)
        if found is None:
            return None
        place = found[1]
        return HotHead(
            epoch=place["epoch"],
            seq=place["seq"],
            offset=place["offset"],
            t_ms=place["t_ms"],
            put_ms=place["put_ms"],
            lag_ms=place["lag_ms"],
        )

    def changes(self, partition: int, after_seq: int) -> StatsUpdate | None:
        """Read what changed after an update.

        Args:
            partition: the shard.
            after_seq: seq of the newest update the reader has; 0 = none.

        Returns:
            One update that brings a reader of `after_seq` to the newest state, with the names of
            all tokens in it; `whole` if it holds every token. None if there is nothing newer.

        Raises:
            Transient: Redis cannot be reached, or it is written faster than it can be read.
            StoreCorrupt: rows are missing; the next whole update mends it.
        """
        for _ in range(_ROUNDS_MAX):
            found = self._look(partition)
            if found is None:
                return None
            generation, place = found
            if place["seq"] <= after_seq:
                return None
            try:
                return self._read(partition, generation, place, after_seq)
            except _Moved:
                continue
        raise self._too_fast(partition)

    def close(self) -> None:
        """Release connections."""
        self.line.close()

    def _read(
        self, partition: int, generation: str, place: dict[str, int], after_seq: int
    ) -> StatsUpdate:
        whole = after_seq < place["whole_seq"]
        after = 0 if whole else after_seq
        collected = _Collected()
        keys = self._keys(partition, generation)
        for _ in range(_ROUNDS_MAX):
            answer = self._expect(
                partition,
                self.line.run(_CHANGES, keys, generation, after, PART_TOKENS_MAX, *_FIELDS),
            )
            place = _place(answer[1])
            numbers = unpack_numbers(answer[2])
            if answer[0] == b"all":
                collected.add(numbers, answer[3], answer[4], place["row_bytes"])
                return _update(partition, place, collected, whole=whole)
            self._fetch(partition, keys, generation, numbers, collected, place["row_bytes"])
            after = place["seq"]
        raise self._too_fast(partition)

    def _fetch(
        self,
        partition: int,
        keys: list[str],
        generation: str,
        numbers: NDArray[np.int32],
        collected: _Collected,
        size_bytes: int,
    ) -> None:
        parts = [
            numbers[at : at + PART_TOKENS_MAX] for at in range(0, len(numbers), PART_TOKENS_MAX)
        ]
        # One call after the other: what a reader asks for must not keep Redis from its writers.
        for part in parts:
            answer = self._expect(
                partition, self.line.run(_FETCH, keys[:3], generation, pack_numbers(part))
            )
            collected.add(part, answer[1], answer[2], size_bytes)

    def _look(self, partition: int) -> tuple[str, dict[str, int]] | None:
        """Generation and place of a partition."""
        found = self.line.call("HMGET", self._keys(partition, "")[0], "generation", *_FIELDS)
        return None if found[0] is None else (found[0].decode(), _place(found[1:]))

    def _keys(self, partition: int, generation: str) -> list[str]:
        tag = tagged(self._prefix, partition)
        kinds = ("rows", "names", "changed")
        return [f"{tag}:head", *(f"{tag}:{kind}:{generation}" for kind in kinds)]

    def _expect(self, partition: int, answer: list[Any]) -> list[Any]:
        if answer[0] == b"moved":
            raise _Moved
        if answer[0] == b"missing":
            raise StoreCorrupt(
                f"Expected rows and names of all tokens of partition {partition} in "
                f"{self.line.name}, was without some (keys evicted?): set `maxmemory-policy` to "
                "noeviction; the next whole update mends it"
            )
        return answer

    def _too_fast(self, partition: int) -> Transient:
        return Transient(
            f"Expected to read partition {partition} in {self.line.name} within {_ROUNDS_MAX} "
            "rounds, was written faster: try again"
        )


def _place(found: list[bytes | None]) -> dict[str, int]:
    return {name: int(value or 0) for name, value in zip(_FIELDS, found, strict=True)}


def _update(
    partition: int, place: dict[str, int], collected: _Collected, *, whole: bool
) -> StatsUpdate:
    numbers, rows = collected.newest()
    return StatsUpdate(
        partition=partition,
        epoch=place["epoch"],
        seq=place["seq"],
        offset=place["offset"],
        t_ms=place["t_ms"],
        end_ms=place["end_ms"],
        complete_since_ms=place["complete_since_ms"],
        names=tuple(collected.names[number] for number in sorted(collected.names)),
        token_ids=numbers,
        rows=rows,
        whole=whole,
    )
