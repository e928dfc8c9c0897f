import contextlib
import random
import threading
from collections.abc import Iterator

import pytest

from swapstats.adapters.redis.connection import RedisLine
from swapstats.adapters.redis.token_bucket import RedisTokenBuckets
from swapstats.core.token_bucket import BucketLevel, BucketRate, take_tokens
from swapstats.errors import UsageError


@contextlib.contextmanager
def opened(url: str, prefix: str, rate: BucketRate) -> Iterator[RedisTokenBuckets]:
    with contextlib.closing(RedisTokenBuckets(url, prefix, rate)) as buckets:
        yield buckets


def test_random_requests_equal_the_rule(redis_url: str, prefix: str) -> None:
    """The script by the clock of Redis, the rule by the moments the script says."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    refused = 0
    for number in range(12):
        rate = BucketRate(chance.choice((1, 7, 50, 1 << 30)), chance.choice((1, 333, 5_000)))
        level: BucketLevel | None = None
        with opened(redis_url, prefix, rate) as buckets:
            for _ in range(60):
                cost = chance.randint(1, max(1, rate.capacity // chance.choice((1, 3, 10))))
                found = buckets.take_timed(f"{number} {{x}}", cost)
                if level is not None and found.now_ms - level.at_ms >= rate.full_after_ms:
                    level = None  # forgotten as full; a full bucket decides alike
                level, answer = take_tokens(rate, level, found.now_ms, cost)
                assert found.answer == answer
                refused += not answer.allowed
    assert refused > 0


def test_many_processes_share_one_bucket(redis_url: str, prefix: str) -> None:
    rate = BucketRate(capacity=100, refill_per_s=1)
    allowed: list[bool] = []

    def ask() -> None:
        with opened(redis_url, prefix, rate) as buckets:
            allowed.extend(buckets.take("one").allowed for _ in range(60))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(allowed) == 240
    # The refill of the few seconds the test may take.
    assert 100 <= sum(allowed) <= 120


def test_buckets_are_apart_and_forgotten_when_full(
    redis_url: str, prefix: str, line: RedisLine
) -> None:
    with opened(redis_url, prefix, BucketRate(1, 1_000_000)) as buckets:
        assert buckets.take("quick").allowed
    with opened(redis_url, prefix, BucketRate(2, 1)) as buckets:
        assert buckets.take("a", 2).remaining == 0
        refused = buckets.take("a")
        assert not refused.allowed
        assert 0 < refused.retry_after_ms <= 1_000
        assert buckets.take("b").remaining == 1
        (key,) = line.call("KEYS", f"*{prefix}*:a")
        assert 0 < line.call("PTTL", key) <= 2_000
        with pytest.raises(UsageError):
            buckets.take("a", 3)
