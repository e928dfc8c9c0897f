"""The preprocessor's state in Redis: damage, and a Redis that was emptied."""

import contextlib

import pytest

from swapstats.adapters.redis.connection import RedisLine
from swapstats.adapters.redis.states import RedisStateStore
from swapstats.errors import Fenced, StoreCorrupt
from swapstats.model.saved_state import SavedState


def test_a_damaged_state_is_told_with_what_to_do(
    redis_url: str, prefix: str, line: RedisLine
) -> None:
    with contextlib.closing(RedisStateStore(redis_url, prefix)) as store:
        store.save(0, SavedState(store.acquire(0), 5, b"state"))
        line.call("HSET", f"{{{prefix}:preprocess:0}}:state", "next_offset", "6")
        with pytest.raises(StoreCorrupt, match="--rebuild"):
            store.load(0)


def test_an_emptied_redis_gives_no_epoch_again(
    redis_url: str, prefix: str, line: RedisLine
) -> None:
    with contextlib.closing(RedisStateStore(redis_url, prefix, epoch_unit_s=1)) as store:
        before = store.acquire(0)
        line.call("DEL", f"{{{prefix}:preprocess:0}}:state")
        with pytest.raises(Fenced):
            store.save(0, SavedState(before, 5, b"of a former life"))
        assert store.acquire(0) >= before
        assert before > 1_000_000
