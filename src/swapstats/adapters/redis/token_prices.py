"""Newest prices in Redis: one hash, the newest event of each token wins.

{prefix:prices}:newest   hash: token -> event_time, source, price
{prefix:prices}:times    sorted set: token by event_time, so that the oldest can go
{prefix:prices}:writers  hash: what is owned -> epoch of the newest owner that has written
"""

from collections.abc import Sequence
from typing import Final

from swapstats.adapters.redis.connection import (
    FIELDS_MAX,
    TIMEOUT_MS,
    Argument,
    RedisLine,
    Script,
    tagged,
)
from swapstats.errors import Fenced, StoreCorrupt
from swapstats.model.preprocessed import TokenPrice
from swapstats.model.writer import Writer

# KEYS: newest, times, writers. ARGV: how many may stay; name and epoch of the writer; then for each
# price: token, event_time, value; an empty value deletes. Answers the newest epoch.
_PUT: Final = Script("""
local epoch = redis.call('HGET', KEYS[3], ARGV[2])
if epoch and tonumber(epoch) > tonumber(ARGV[3]) then
  return tonumber(epoch)
end
redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
for at = 4, #ARGV, 3 do
  local known = redis.call('HGET', KEYS[1], ARGV[at])
  local known_ms = known and tonumber(string.match(known, '^%d+')) or -1
  if tonumber(ARGV[at + 1]) >= known_ms then
    if ARGV[at + 2] == '' then
      redis.call('HDEL', KEYS[1], ARGV[at])
      redis.call('ZREM', KEYS[2], ARGV[at])
    else
      redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 2])
      redis.call('ZADD', KEYS[2], ARGV[at + 1], ARGV[at])
    end
  end
end
local beyond = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[1])
if beyond > 0 then
  local oldest = redis.call('ZPOPMIN', KEYS[2], beyond)
  for at = 1, #oldest, 2 do
    redis.call('HDEL', KEYS[1], oldest[at])
  end
end
return tonumber(ARGV[3])
""")
NO_PRICE: Final = "none"
TOKENS_MAX: Final = 1_000_000


class RedisTokenPrices:
    """The newest price of each token; from any thread and any number of processes.

    Args:
        url: of the Redis, see `RedisLine`.
        prefix: first part of every key, without braces.
        tokens_max: the price with the oldest trade goes beyond this.
        timeout_ms: bound on each answer.
    """

    def __init__(
        self,
        url: str,
        prefix: str,
        *,
        tokens_max: int = TOKENS_MAX,
        timeout_ms: int = TIMEOUT_MS,
    ) -> None:
        self._line = RedisLine(url, timeout_ms=timeout_ms)
        self._tokens_max = tokens_max
        self._key = f"{tagged(prefix, 'prices')}:newest"
        self._times = f"{tagged(prefix, 'prices')}:times"
        self._writers = f"{tagged(prefix, 'prices')}:writers"

    def put(self, prices: Sequence[TokenPrice], writer: Writer) -> None:
        """Put prices in place of those that are not newer; see `TokenPrices.put`."""
        for first in range(0, len(prices), FIELDS_MAX):
            args: list[Argument] = [self._tokens_max, writer.name, writer.epoch]
            for price in prices[first : first + FIELDS_MAX]:
                value = f"{price.event_time} {price.source} {price.price_usd}"
                args += (price.token, price.event_time, "" if price.source == NO_PRICE else value)
            newest = self._line.run(_PUT, [self._key, self._times, self._writers], *args)
            if newest > writer.epoch:
                raise Fenced(writer.refused(newest, f"{self._writers} of {self._line.name}"))

    def get(self, token: str) -> TokenPrice | None:
        """The newest price of a token; None if it has none.

        Raises:
            StoreCorrupt: the bytes are not what was written.
            Transient: Redis cannot be reached.
        """
        found = self._line.call("HGET", self._key, token)
        if found is None:
            return None
        try:
            event_time, source, price_usd = found.decode().split(" ")
            return TokenPrice(
                token=token, price_usd=price_usd, source=source, event_time=int(event_time)
            )
        except ValueError as error:
            raise StoreCorrupt(
                f"Expected a price that was written in {self._line.name}, was another value of "
                f"{token!r}: delete {self._key}; prices come again with trades"
            ) from error

    def close(self) -> None:
        """Release connections."""
        self._line.close()
