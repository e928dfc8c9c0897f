"""Newest prices in Redis: many at once, and what is none."""

import contextlib

import pytest

from swapstats.adapters.redis import token_prices
from swapstats.adapters.redis.connection import RedisLine
from swapstats.adapters.redis.token_prices import RedisTokenPrices
from swapstats.errors import StoreCorrupt
from swapstats.model.preprocessed import TokenPrice
from swapstats.model.writer import Writer

WRITER = Writer("raw/0", 1)


def test_many_prices_go_by_parts(
    redis_url: str, prefix: str, line: RedisLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_prices, "FIELDS_MAX", 3)
    with contextlib.closing(RedisTokenPrices(redis_url, prefix)) as prices:
        prices.put(
            [
                TokenPrice(token=f"T{at}", price_usd=str(at), source="pool", event_time=at)
                for at in range(10)
            ],
            WRITER,
        )
        found = [prices.get(f"T{at}") for at in range(10)]
    assert [price.price_usd for price in found if price] == [str(at) for at in range(10)]


def test_a_value_that_is_no_price_is_told(redis_url: str, prefix: str, line: RedisLine) -> None:
    with contextlib.closing(RedisTokenPrices(redis_url, prefix)) as prices:
        line.call("HSET", f"{{{prefix}:prices}}:newest", "T", "nonsense")
        with pytest.raises(StoreCorrupt, match="'T'"):
            prices.get("T")


def test_the_oldest_prices_go_beyond_the_limit(
    redis_url: str, prefix: str, line: RedisLine
) -> None:
    with contextlib.closing(RedisTokenPrices(redis_url, prefix, tokens_max=3)) as prices:
        for at in (5, 1, 4, 2, 3):
            price = TokenPrice(token=f"T{at}", price_usd="1", source="pool", event_time=at)
            prices.put([price], WRITER)
        prices.put([TokenPrice(token="T4", price_usd="0", source="none", event_time=6)], WRITER)
        prices.put([TokenPrice(token="T6", price_usd="1", source="pool", event_time=6)], WRITER)
        kept = [at for at in range(1, 7) if prices.get(f"T{at}")]
    assert kept == [3, 5, 6]
    assert line.call("ZCARD", f"{{{prefix}:prices}}:times") == 3
