"""Newest prices in Redis: one hash, the newest event of each token wins.

{prefix:prices}:newest   hash: token -> event_time, source, price
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
from swapstats.errors import StoreCorrupt
from swapstats.model.preprocessed import TokenPrice

# KEYS: newest. ARGV, for each price: token, event_time, value; an empty value deletes.
_PUT: Final = Script("""
for at = 1, #ARGV, 3 do
  local known = redis.call('HGET', KEYS[1], ARGV[at])
  local known_ms = known and tonumber(string.match(known, '^%d+')) or -1
  if tonumber(ARGV[at + 1]) >= known_ms then
    if ARGV[at + 2] == '' then
      redis.call('HDEL', KEYS[1], ARGV[at])
    else
      redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 2])
    end
  end
end
""")
NO_PRICE: Final = "none"


class RedisTokenPrices:
    """The newest price of each token; from any thread and any number of processes.

    Args:
        url: of the Redis, see `RedisLine`.
        prefix: first part of every key, without braces.
        timeout_ms: bound on each answer.
    """

    def __init__(self, url: str, prefix: str, *, timeout_ms: int = TIMEOUT_MS) -> None:
        self._line = RedisLine(url, timeout_ms=timeout_ms)
        self._key = f"{tagged(prefix, 'prices')}:newest"

    def put(self, prices: Sequence[TokenPrice]) -> None:
        """Put prices in place of those that are not newer; see `TokenPrices.put`."""
        for first in range(0, len(prices), FIELDS_MAX):
            args: list[Argument] = []
            for price in prices[first : first + FIELDS_MAX]:
                value = f"{price.event_time} {price.source} {price.price_usd}"
                args += (price.token, price.event_time, "" if price.source == NO_PRICE else value)
            self._line.run(_PUT, [self._key], *args)

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
