"""Statistics on their way out: merged while they wait, whole again after a gap, prev in a chain."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
from tests.roles.aggregator.group_rig import AwayStore, Heard

from swapstats.adapters.memory.hot_store import MemoryHotStore
from swapstats.core.market import Market
from swapstats.core.merge_updates import merge_updates
from swapstats.errors import StoreFull, SwapstatsError
from swapstats.model.effects import StatsUpdate
from swapstats.model.window import WindowSpec
from swapstats.roles.aggregator.publisher import ShardPublisher
from swapstats.testing.eventually import eventually
from swapstats.testing.manual_clock import ManualClock
from swapstats.testing.synthetic_updates import SyntheticUpdates

FLUSH_MS = 10_000
SPEC = WindowSpec(1_000, (5_000, 60_000))


def stream(seed: int, tokens: int, count: int) -> list[StatsUpdate]:
    """Updates of one shard: a whole one, then some of its tokens each."""
    made = SyntheticUpdates(SPEC, tokens=tokens, seed=seed)
    first = replace(made.update_of(0, np.arange(tokens, dtype=np.int32)), whole=True)
    return [first, *(made.update(0, max(1, tokens // 3)) for _ in range(count - 1))]


class Rig:
    """A publisher over a hot store in memory."""

    def __init__(self) -> None:
        self.store = AwayStore(MemoryHotStore())
        self.heard = Heard()
        self.publisher = ShardPublisher(self.store, self.heard, ManualClock(5_000), coalesce_ms=0)
        self.publisher.start()


@pytest.fixture
def rig() -> Iterator[Rig]:
    one = Rig()
    yield one
    one.publisher.close()


def test_prev_names_what_was_sent_before(rig: Rig) -> None:
    sent: dict[str, int] = {}
    for update in stream(3, 5, 30):
        rig.publisher.publish(update, 0)
        assert rig.publisher.flush(FLUSH_MS)
    for heard in rig.heard.updates:
        assert heard.prev == sent.get(heard.key, 0)
        assert heard.seq > heard.prev
        sent[heard.key] = heard.seq
    assert len(sent) == 5


def test_what_waits_is_merged_and_nothing_is_lost(rig: Rig) -> None:
    updates = stream(4, 40, 60)
    market = Market(SPEC, 1)
    rig.store.is_away = True
    for update in updates:
        market.apply(update)
        rig.publisher.publish(update, 7)
    eventually(lambda: rig.publisher.problem, 60_000, "the store to be missed")
    rig.store.is_away = False
    whole = reduce(merge_updates, updates)
    rig.publisher.publish(replace(whole, seq=whole.seq + 1), 7)
    assert rig.publisher.flush(FLUSH_MS)
    assert_same(rig.store.store, market)


def test_after_a_gap_nothing_but_a_whole_update_is_written(rig: Rig) -> None:
    first, second, third = stream(5, 10, 3)
    rig.publisher.publish(first, 0)
    assert rig.publisher.flush(FLUSH_MS)
    rig.store.is_away = True
    rig.publisher.publish(second, 0)
    assert rig.publisher.flush(FLUSH_MS)
    rig.store.is_away = False
    rig.publisher.publish(third, 0)
    assert rig.publisher.flush(FLUSH_MS)
    assert [update.seq for update in rig.store.puts] == [first.seq]
    wanted, fenced = rig.publisher.take_requests()
    assert (wanted, fenced) == ({first.partition}, set())
    assert rig.publisher.take_requests() == (set(), set())


def test_a_store_that_fails_for_good_is_told_to_the_stream(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(update: StatsUpdate, now_ms: int, lag_ms: int) -> None:
        raise StoreFull("no space")

    monkeypatch.setattr(rig.store, "put", full)
    first, second = stream(6, 2, 2)
    rig.publisher.publish(first, 0)
    eventually(lambda: rig.publisher.failure, 60_000, "the failure")
    with pytest.raises(SwapstatsError, match="no space"):
        rig.publisher.publish(second, 0)


def test_flush_says_when_it_took_too_long(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    put = rig.store.put

    def slow(update: StatsUpdate, now_ms: int, lag_ms: int) -> None:
        go_on.wait()
        put(update, now_ms, lag_ms)

    monkeypatch.setattr(rig.store, "put", slow)
    rig.publisher.publish(stream(7, 2, 1)[0], 0)
    assert not rig.publisher.flush(20)
    go_on.set()
    assert rig.publisher.flush(FLUSH_MS)


def assert_same(store: MemoryHotStore, market: Market) -> None:
    read = Market(market.spec, 1)
    update = store.changes(0, 0)
    assert update is not None
    read.apply(update)
    assert [read.key(i) for i in range(len(read))] == [market.key(i) for i in range(len(market))]
    assert (read.rows == market.rows).all()
