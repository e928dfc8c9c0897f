"""The replica against the hot store in memory: equal to a market that saw every update."""

import random
import threading
from dataclasses import replace

import numpy as np
import pytest

from swapstats.adapters.memory.hot_store import MemoryHotStore
from swapstats.adapters.system_clock import SystemClock
from swapstats.core.market import Market
from swapstats.errors import InvariantBroken, StoreCorrupt, Transient
from swapstats.model.effects import StatsUpdate
from swapstats.roles.serve.options import ReplicaOptions
from swapstats.roles.serve.replica import LAG_GRACE_MS, Replica
from swapstats.testing.eventually import eventually
from swapstats.testing.synthetic_updates import START_MS, SyntheticUpdates

from .rig import OPTIONS, SPEC, Rig, known, life, wholes


@pytest.mark.parametrize("seed", range(6))
def test_it_equals_a_market_that_saw_every_update(seed: int) -> None:
    print("seed", seed)
    chance = random.Random(seed)
    rig = Rig()
    for epoch in range(1, 5):
        offset = epoch * 1_000_000
        source = life(epoch, seed=seed * 10 + epoch, after=epoch * 60_000)
        for update in wholes(source, offset):
            rig.put(update)
        for _ in range(30):
            if chance.random() < 0.6:
                update = source.update(chance.randrange(2), chance.randrange(12))
                rig.put(replace(update, offset=update.offset + offset))
            else:
                rig.look()
                rig.expect_equal()
    rig.look()
    rig.expect_equal()
    assert rig.replica.updates < rig.direct.revision, "looks coalesce"
    assert not any(place.went_back for place in rig.replica.places)


def test_a_new_owner_that_has_not_caught_up_is_not_shown() -> None:
    rig = Rig(partitions=1)
    old = life(1, partitions=1, after=60_000)
    for update in wholes(old, offset=500):
        rig.put(update)
    rig.look()
    shown = known(rig.market)
    new = life(2, partitions=1, seed=2)
    for update in wholes(new):
        rig.put(update)
    rig.look()
    assert known(rig.market) == shown
    assert rig.market.held_updates == 1
    rig.put(replace(new.update(0, 5), offset=900, t_ms=START_MS + 61_000))
    rig.look()
    rig.expect_equal()
    assert known(rig.market) != shown


def test_an_empty_store_is_looked_at_and_nothing_is_handed_on() -> None:
    rig = Rig()
    rig.look()
    assert [place.looked for place in rig.replica.places] == [True, True]
    assert [place.head for place in rig.replica.places] == [None, None]
    assert rig.replica.updates == 0
    assert rig.replica.lag_ms() == 0


@pytest.mark.parametrize("behind", [0, 1, 2])
def test_the_moment_begins_with_the_partition_furthest_behind(behind: int) -> None:
    rig = Rig(partitions=3)
    updates = wholes(life(1, partitions=3))
    moments = [
        update.t_ms + (0 if at == behind else 3_600_000) for at, update in enumerate(updates)
    ]
    for update, t_ms in zip(updates, moments, strict=True):
        rig.put(replace(update, t_ms=t_ms, end_ms=SPEC.end_ms(t_ms)))
    rig.store.fails = lambda part: Transient("away") if part == 1 else None
    rig.look()
    rig.clock.advance(OPTIONS.retry_ms_max)
    rig.look()
    assert rig.market.as_of_ms == 0, "nothing is handed on before all were looked at"
    rig.store.fails = lambda _: None
    rig.clock.advance(OPTIONS.retry_ms_max)
    rig.look()
    assert rig.market.as_of_ms == moments[behind]
    assert known(rig.market) == known(rig.direct)


# Lag


def test_the_lag_is_that_of_the_owner_plus_the_age_beyond_the_grace() -> None:
    rig = Rig()
    first, second = wholes(life(1))
    rig.put(first, lag_ms=70)
    rig.put(second, lag_ms=30)
    rig.look()
    assert rig.replica.lag_ms() == 70
    rig.clock.advance(LAG_GRACE_MS - OPTIONS.look_ms)
    assert rig.replica.lag_ms() == 70
    rig.clock.advance(1)
    assert rig.replica.lag_ms() == 71
    rig.clock.jump(-3_600_000)
    assert rig.replica.lag_ms() == 70, "a clock set back makes nobody younger"


# Failures


def test_what_is_known_stays_while_the_store_is_away() -> None:
    rig = Rig()
    source = life(1)
    for update in wholes(source):
        rig.put(update)
    rig.look()
    shown = known(rig.market)
    rig.store.fails = lambda _: Transient("Expected Redis, was nothing")
    rig.put(source.update(0, 5))
    rig.store.asked.clear()
    end_ms = rig.clock.monotonic_ms() + 60_000
    while rig.clock.monotonic_ms() < end_ms:
        pause_ms = rig.replica.look_round()
        assert 0 < pause_ms <= OPTIONS.retry_ms_max
        rig.clock.advance(pause_ms)
    assert known(rig.market) == shown
    assert rig.replica.trouble == "Expected Redis, was nothing"
    assert rig.replica.lag_ms() >= 60_000 - LAG_GRACE_MS
    tries = len(rig.store.asked)
    assert 60_000 // OPTIONS.retry_ms_max <= tries <= 60_000 // OPTIONS.retry_ms_max + 6
    assert rig.replica.failed_looks == tries
    rig.store.fails = lambda _: None
    rig.clock.advance(OPTIONS.retry_ms_max)
    rig.look()
    rig.expect_equal()
    assert rig.replica.trouble is None


def test_a_wake_does_not_shorten_the_pause_after_a_failure() -> None:
    rig = Rig()
    rig.store.fails = lambda _: Transient("away")
    rig.look()
    asked = len(rig.store.asked)
    rig.replica.wake()
    assert rig.replica.look_round() > 0
    assert len(rig.store.asked) == asked


def test_one_partition_that_cannot_be_read_does_not_stop_the_others() -> None:
    rig = Rig(partitions=3)
    source = life(1, partitions=3)
    for update in wholes(source):
        rig.put(update)
    rig.look()
    rig.store.fails = lambda part: StoreCorrupt("rows are missing") if part == 0 else None
    for part in range(3):
        rig.put(source.update(part, 5))
    for _ in range(4):
        rig.clock.advance(OPTIONS.retry_ms_max)
        rig.replica.look_round()
    assert [rig.market.place(p).seq for p in (1, 2)] == [rig.direct.place(p).seq for p in (1, 2)]
    assert rig.market.place(0).seq < rig.direct.place(0).seq
    assert rig.replica.failed_looks >= 2
    rig.store.fails = lambda _: None
    rig.clock.advance(OPTIONS.retry_ms_max)
    rig.look()
    rig.expect_equal()


def test_a_partition_that_was_lost_is_read_whole_when_it_comes_back() -> None:
    rig = Rig(partitions=1)
    source = life(1, partitions=1)
    for update in wholes(source):
        rig.put(update)
    for _ in range(10):
        rig.put(source.update(0, 3))
    rig.look()
    shown, lost = known(rig.market), rig.replica.places[0]
    rig.store.store = MemoryHotStore()
    rig.look()
    assert known(rig.market) == shown
    assert rig.replica.places[0].is_gone
    assert not rig.replica.places[0].went_back
    assert rig.replica.places[0].head == lost.head
    # It had tokens under other numbers and was changed before we could look.
    other = SyntheticUpdates(SPEC, tokens=20, seed=9, epoch=1, start_ms=START_MS + 90_000)
    (whole,) = wholes(other, offset=5_000)
    rig.store.store.put(replace(whole, seq=lost.seq - 1), 0, 0)
    last = replace(other.update(0, 3), seq=lost.seq + 5, offset=6_000)
    rig.store.store.put(last, 0, 0)
    rig.look()
    assert not rig.replica.places[0].is_gone
    fresh = Market(SPEC, 1, origin="one")
    fresh.apply(replace(whole, seq=lost.seq - 1))
    fresh.apply(last)
    now = known(rig.market)
    assert all(now[key] == value for key, value in known(fresh).items())
    assert not np.any([now[key][1] for key in set(now) - set(known(fresh))])


def test_a_store_that_went_back_is_told_and_not_shown() -> None:
    rig = Rig(partitions=1)
    source = life(2, partitions=1)
    for update in wholes(source):
        rig.put(update)
    rig.look()
    shown = known(rig.market)
    rig.store.store = MemoryHotStore()
    for update in wholes(life(1, partitions=1, seed=5)):
        rig.store.store.put(update, 0, 0)
    rig.look()
    assert rig.replica.places[0].went_back
    assert known(rig.market) == shown


# Waking


def test_a_woken_partition_is_looked_at_before_its_turn_but_not_all_the_time() -> None:
    rig = Rig(partitions=3)
    rig.look()
    rig.store.asked.clear()
    assert rig.replica.look_round() == OPTIONS.look_ms
    rig.replica.wake([1, 7, -1])
    assert rig.replica.look_round() == OPTIONS.wake_gap_ms
    assert rig.store.asked == []
    rig.clock.advance(OPTIONS.wake_gap_ms)
    rig.replica.look_round()
    assert rig.store.asked == [1]
    rig.replica.wake()
    rig.clock.advance(OPTIONS.wake_gap_ms)
    rig.replica.look_round()
    assert rig.store.asked == [1, 0, 1, 2]


def test_the_thread_follows_the_store_and_ends() -> None:
    memory, source = MemoryHotStore(), life(1)
    market = Market(SPEC, 2)
    slow = ReplicaOptions(look_ms=3_600_000, wake_gap_ms=0)
    ended = threading.Event()
    replica = Replica(memory, 2, lambda update: void(market.apply(update)), SystemClock(), slow)
    for update in wholes(source):
        memory.put(update, 0, 0)
    replica.start(ended.set)
    eventually(lambda: all(p.seq for p in replica.places), 60_000, "the first looks")
    last = source.update(1, 4)
    memory.put(last, 0, 0)
    replica.wake([1])
    eventually(lambda: market.place(1).seq == last.seq, 60_000, "a look before its turn")
    assert not ended.is_set()
    replica.stop()
    replica.join()
    assert ended.is_set()


def test_a_fault_ends_the_thread_and_is_told() -> None:
    memory = MemoryHotStore()
    for update in wholes(life(1)):
        memory.put(update, 0, 0)

    def broken(_: StatsUpdate) -> None:
        raise InvariantBroken("Expected order, was none")

    ended = threading.Event()
    replica = Replica(memory, 2, broken, SystemClock())
    replica.start(ended.set)
    assert ended.wait(5)
    with pytest.raises(InvariantBroken, match="Expected order"):
        replica.join()


def void(_: object) -> None:
    """Take no notice."""
