"""Token buckets in Redis: one limit for any number of processes, by the clock of Redis.

The rule is `core.token_bucket`; the script keeps it in the same whole numbers, atomically. A
bucket nobody asks is forgotten as soon as it would be full.
"""

from dataclasses import dataclass
from typing import Final

from swapstats.adapters.redis.connection import TIMEOUT_MS, RedisLine, Script, tagged
from swapstats.core.token_bucket import BucketAnswer, BucketRate

_TAKE: Final = Script("""
local capacity, refill, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full_after_ms = tonumber(ARGV[4])
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local full = capacity * 1000
local found = redis.call('HMGET', KEYS[1], 'level', 'at_ms')
local level, at_ms = tonumber(found[1] or full), tonumber(found[2] or now_ms)
local elapsed_ms = math.min(math.max(0, now_ms - at_ms), full_after_ms)
local held = math.min(full, level + elapsed_ms * refill)
local needed = cost * 1000
local allowed, wait_ms = 0, 0
if held >= needed then
  allowed = 1
  held = held - needed
else
  wait_ms = math.ceil((needed - held) / refill)
end
at_ms = math.max(now_ms, at_ms)
redis.call('HSET', KEYS[1], 'level', string.format('%.0f', held),
  'at_ms', string.format('%.0f', at_ms))
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', at_ms + full_after_ms))
return {allowed, math.floor(held / 1000), wait_ms, now_ms}
""")


@dataclass(frozen=True, slots=True)
class TimedAnswer:
    """An answer, and the moment by the clock of Redis it is of.

    Attributes:
        answer: what became of the request.
        now_ms: ms since epoch.
    """

    answer: BucketAnswer
    now_ms: int


class RedisTokenBuckets:
    """Buckets of one rate, by name; from any thread.

    Args:
        url: of the Redis, see `RedisLine`.
        prefix: first part of every key, without braces.
        rate: size and refill of each bucket.
        timeout_ms: bound on each answer.
    """

    def __init__(
        self, url: str, prefix: str, rate: BucketRate, *, timeout_ms: int = TIMEOUT_MS
    ) -> None:
        self._line = RedisLine(url, timeout_ms=timeout_ms)
        self._prefix = prefix
        self._rate = rate

    def take(self, name: str, cost: int = 1) -> BucketAnswer:
        """Ask a bucket for tokens, see `take_timed`."""
        return self.take_timed(name, cost).answer

    def take_timed(self, name: str, cost: int = 1) -> TimedAnswer:
        """Ask a bucket for tokens.

        Args:
            name: whose bucket; a new one is full. Braces in it are of no meaning.
            cost: tokens asked for.

        Raises:
            UsageError: the cost is below 1 or above the capacity.
            Transient: Redis cannot be reached; the tokens may have been taken.
        """
        self._rate.expect_cost(cost)
        allowed, remaining, retry_after_ms, now_ms = self._line.run(
            _TAKE,
            [f"{tagged(self._prefix, 'buckets')}:{name}"],
            self._rate.capacity,
            self._rate.refill_per_s,
            cost,
            self._rate.full_after_ms,
        )
        return TimedAnswer(BucketAnswer(bool(allowed), remaining, retry_after_ms), now_ms)

    def close(self) -> None:
        """Release connections."""
        self._line.close()
