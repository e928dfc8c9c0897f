"""Facts of a deployment: whoever comes first writes them, and all others read the same."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from swapstats.adapters.redis.cluster_facts import KEY_BYTES, RedisClusterFacts
from swapstats.adapters.redis.connection import RedisLine
from swapstats.errors import SettingsError, SettingsMismatch, StoreCorrupt, Transient
from swapstats.stack.process import free_port

SHAPE = {"partitions": 4, "step_ms": 5_000, "widths_ms": [300_000, 3_600_000]}
OpenFacts = Callable[[], RedisClusterFacts]


@pytest.fixture
def open_facts(redis_url: str, prefix: str) -> Iterator[OpenFacts]:
    with contextlib.ExitStack() as opened:

        def make() -> RedisClusterFacts:
            return opened.enter_context(contextlib.closing(RedisClusterFacts(redis_url, prefix)))

        yield make


def test_all_who_begin_at_once_agree(open_facts: OpenFacts) -> None:
    many = [open_facts() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        origins = set(pool.map(lambda facts: facts.origin(), many))
        keys = set(pool.map(lambda facts: facts.hash_key(), many))
    assert len(origins) == len(keys) == 1
    (key,) = keys
    assert len(key) == KEY_BYTES
    again = open_facts()
    assert {again.origin()} == origins
    assert {again.hash_key()} == keys


def test_deployments_differ(redis_url: str, prefix: str) -> None:
    found = []
    for name in ("one", "other"):
        with contextlib.closing(RedisClusterFacts(redis_url, f"{prefix}-{name}")) as facts:
            found.append((facts.origin(), facts.hash_key()))
    assert found[0][0] != found[1][0]
    assert found[0][1] != found[1][1]


def test_the_first_shape_stands(open_facts: OpenFacts) -> None:
    facts, other = open_facts(), open_facts()
    assert facts.shape() is None
    facts.agree(SHAPE)
    assert other.shape() == SHAPE
    other.agree({**SHAPE, "widths_ms": (300_000, 3_600_000)})
    with pytest.raises(
        SettingsMismatch, match=r"partitions 8 instead of 4.*stores\.redis\.prefix"
    ) as told:
        other.agree({**SHAPE, "partitions": 8})
    assert "step_ms" not in str(told.value)
    with pytest.raises(SettingsMismatch, match="more 1 instead of None"):
        other.agree({**SHAPE, "more": 1})
    assert facts.shape() == SHAPE


def test_what_is_damaged_is_told(
    open_facts: OpenFacts, line: RedisLine, prefix: str, redis_url: str
) -> None:
    facts = open_facts()
    key = f"{{{prefix}:facts}}"
    line.call("HSET", key, "hash_key", "abc", "shape", "[1]")
    with pytest.raises(StoreCorrupt, match="hash_key"):
        facts.hash_key()
    with pytest.raises(StoreCorrupt, match="JSON object"):
        facts.shape()
    line.call("HSET", key, "shape", "{")
    with pytest.raises(StoreCorrupt, match="JSON object"):
        facts.agree(SHAPE)


def test_a_redis_that_is_away_is_worth_another_try() -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    with contextlib.closing(RedisClusterFacts(url, "any")) as facts:
        for call in (facts.origin, facts.hash_key, facts.shape, lambda: facts.agree(SHAPE)):
            with pytest.raises(Transient):
                call()
    with pytest.raises(SettingsError, match="prefix"):
        RedisClusterFacts(url, "")


def test_a_cluster_takes_them(cluster_url: str, prefix: str) -> None:
    with contextlib.closing(RedisClusterFacts(cluster_url, prefix)) as facts:
        assert facts.origin() == facts.origin()
        facts.agree(SHAPE)
        assert facts.shape() == SHAPE
