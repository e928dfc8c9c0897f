import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from swapstats.adapters.redis.connection import RedisLine, Script
from swapstats.adapters.redis.hot_store import RedisHotStore
from swapstats.errors import Fenced, InvariantBroken, StoreFull, Transient
from swapstats.model.effects import StatsUpdate
from swapstats.model.window import WindowSpec
from swapstats.stack.redis import RedisServer
from swapstats.testing.synthetic_updates import SyntheticUpdates

SPEC = WindowSpec(5_000, (300_000, 3_600_000, 86_400_000))
Opened = Callable[[str], RedisHotStore]


@pytest.fixture
def open_store(prefix: str) -> Iterator[Opened]:
    with contextlib.ExitStack() as stack:

        def opened(url: str) -> RedisHotStore:
            return stack.enter_context(contextlib.closing(RedisHotStore(url, prefix)))

        yield opened


def whole_of(synthetic: SyntheticUpdates) -> StatsUpdate:
    return replace(next(iter(synthetic.everything())), whole=True)


def keys_of(line: RedisLine, prefix: str) -> set[str]:
    return {key.decode() for key in line.call("KEYS", f"*{prefix}*")}


def test_after_redis_was_away_the_next_update_must_be_whole(
    open_store: Opened, own_redis: RedisServer
) -> None:
    store, synthetic = open_store(own_redis.url), SyntheticUpdates(SPEC, tokens=20)
    first = whole_of(synthetic)
    store.put(first, 1, 0)
    own_redis.kill()
    for attempt in (
        lambda: store.put(synthetic.update(0, 3), 1, 0),
        lambda: store.changes(0, 0),
        lambda: store.head(0),
    ):
        with pytest.raises(Transient, match="start it or check its address"):
            attempt()
    own_redis.start()
    found = store.changes(0, 0)
    assert found is not None
    assert found.seq == first.seq
    with pytest.raises(Transient, match="whole"):
        store.put(synthetic.update(0, 3), 1, 0)
    store.put(replace(synthetic.update(0, 20), whole=True, names=first.names), 1, 0)
    store.put(synthetic.update(0, 3), 1, 0)


def test_a_redis_that_lost_its_last_moments_asks_for_a_whole_update(
    open_store: Opened, prefix: str, redis_url: str, line: RedisLine
) -> None:
    """Its keys are those of an earlier put, generation included, as after a lost AOF second."""
    store, synthetic = open_store(redis_url), SyntheticUpdates(SPEC, tokens=20)
    first = whole_of(synthetic)
    store.put(first, 1, 0)
    earlier = {key: line.call("DUMP", key) for key in keys_of(line, prefix)}
    store.put(synthetic.update(0, 5), 1, 0)
    for key, value in earlier.items():
        line.call("RESTORE", key, 0, value, "REPLACE")
    with pytest.raises(Transient, match="whole"):
        store.put(synthetic.update(0, 5), 1, 0)
    last = replace(synthetic.update(0, 20), whole=True, names=first.names)
    store.put(last, 1, 0)
    found = store.changes(0, first.seq)
    assert found is not None
    assert (found.seq, len(found.token_ids)) == (last.seq, 20)


def test_an_emptied_redis_asks_for_a_whole_update(
    open_store: Opened, own_redis: RedisServer
) -> None:
    store, synthetic = open_store(own_redis.url), SyntheticUpdates(SPEC, tokens=20)
    store.put(whole_of(synthetic), 1, 0)
    with contextlib.closing(RedisLine(own_redis.url)) as line:
        line.call("FLUSHALL")
        with pytest.raises(Transient, match="emptied"):
            store.put(synthetic.update(0, 3), 1, 0)
        assert line.call("DBSIZE") == 0
    assert store.head(0) is None


def test_full_memory_is_store_full_and_changes_nothing(
    open_store: Opened, own_redis: RedisServer
) -> None:
    store, synthetic = open_store(own_redis.url), SyntheticUpdates(SPEC, tokens=20_000)
    small = synthetic.update_of(0, np.arange(10, dtype=np.int32))
    store.put(replace(small, whole=True), 1, 0)
    with contextlib.closing(RedisLine(own_redis.url)) as line:
        line.call("CONFIG", "SET", "maxmemory", "3mb")
        head = store.head(0)
        with pytest.raises(StoreFull, match="maxmemory"):
            store.put(whole_of(synthetic), 1, 0)
        assert store.head(0) == head
        found = store.changes(0, 0)
        assert found is not None
        assert np.array_equal(found.rows, small.rows)
        assert line.call("SCARD", next(k for k in line.call("KEYS", "*:uploads"))) == 1


def test_zombies_uploads_are_refused_and_dropped(
    open_store: Opened, redis_url: str, prefix: str, line: RedisLine
) -> None:
    zombie, owner = open_store(redis_url), open_store(redis_url)
    old = SyntheticUpdates(SPEC, tokens=9_000)
    new = SyntheticUpdates(SPEC, tokens=30, epoch=2)
    zombie.put(whole_of(old), 1, 0)
    before = keys_of(line, prefix)
    owner.put(whole_of(new), 1, 0)
    assert len(keys_of(line, prefix)) == len(before) == 5
    stands = keys_of(line, prefix)
    for update in (old.update(0, 9_000), replace(old.update(0, 5), whole=True)):
        with pytest.raises((Fenced, Transient)):
            zombie.put(update, 1, 0)
    assert keys_of(line, prefix) == stands


def test_a_zombie_taken_over_while_it_uploads_switches_nothing(
    open_store: Opened,
    redis_url: str,
    prefix: str,
    line: RedisLine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    zombie, owner = open_store(redis_url), open_store(redis_url)
    old = whole_of(SyntheticUpdates(SPEC, tokens=30))
    new = whole_of(SyntheticUpdates(SPEC, tokens=20, epoch=2))
    run_each = zombie._line.run_each

    def overtaken(script: Script, calls: Any) -> Iterator[Any]:
        yield from run_each(script, calls)
        owner.put(new, 1, 0)

    monkeypatch.setattr(zombie._line, "run_each", overtaken)
    with pytest.raises(Fenced, match="epoch 2"):
        zombie.put(old, 1, 0)
    found = owner.changes(0, 0)
    assert found is not None
    assert (found.seq, found.names) == (new.seq, new.names)
    assert len(keys_of(line, prefix)) == 5


def test_an_update_of_many_tokens_leaves_no_upload_behind(
    open_store: Opened, redis_url: str, prefix: str, line: RedisLine
) -> None:
    store, synthetic = open_store(redis_url), SyntheticUpdates(SPEC, tokens=9_000)
    first = whole_of(synthetic)
    store.put(first, 1, 0)
    update = synthetic.update(0, 9_000)
    store.put(update, 1, 0)
    assert len(keys_of(line, prefix)) == 5
    with pytest.raises(InvariantBroken):
        store.put(update, 1, 0)
    store.put(replace(synthetic.update(0, 9_000), whole=True, names=first.names), 1, 0)
    assert len(keys_of(line, prefix)) == 5


def test_all_keys_of_a_partition_lie_in_one_slot(open_store: Opened, cluster_url: str) -> None:
    store = open_store(cluster_url)
    synthetic = SyntheticUpdates(SPEC, tokens=9_000, partitions=2)
    for update in synthetic.everything():
        store.put(replace(update, whole=True), 1, 0)
        store.put(synthetic.update(update.partition, 4_500), 1, 0)
        found = store.changes(update.partition, 0)
        assert found is not None
        assert len(found.token_ids) == 4_500
