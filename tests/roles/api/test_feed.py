"""The hand-over between threads: in order, bounded, and never a wait or an error for the writer."""

import asyncio
from functools import partial
from threading import Thread

from hypothesis import given, settings
from hypothesis import strategies as st

from swapstats.core.market import Market
from swapstats.model.effects import StatsUpdate
from swapstats.roles.api.feed import ApiFeed
from swapstats.testing.eventually import eventually_async
from swapstats.testing.synthetic_updates import SyntheticUpdates

from .running import SPEC, WAIT_MS


async def test_a_loop_that_keeps_up_gets_every_update_in_order() -> None:
    feed = ApiFeed()
    got: list[StatsUpdate] = []
    feed.attach(asyncio.get_running_loop(), got.extend)
    for update in SyntheticUpdates(SPEC, partitions=2).stream(20, 3):
        feed.publish(update)
        await eventually_async(partial(_newest_is, got, update), WAIT_MS, "the update")
    for partition in (0, 1):
        seqs = [update.seq for update in got if update.partition == partition]
        assert len(seqs) == 10
        assert seqs == sorted(seqs)
    assert feed.merged == 0


def _newest_is(got: list[StatsUpdate], update: StatsUpdate) -> bool:
    return bool(got) and got[-1] is update


async def test_a_thread_may_publish_while_the_loop_reads() -> None:
    feed, market = ApiFeed(pending_max=4), Market(SPEC, 3)

    def take(updates: list[StatsUpdate]) -> None:
        for update in updates:
            market.apply(update)

    feed.attach(asyncio.get_running_loop(), take)
    updates = list(SyntheticUpdates(SPEC, tokens=30, partitions=3).stream(600, 4))

    def write() -> None:
        for update in updates:
            feed.publish(update)

    thread = Thread(target=write)
    thread.start()
    await eventually_async(
        lambda: [market.place(part).seq for part in range(3)] == [(1 << 32) + 200] * 3,
        WAIT_MS, "the last updates",
    )  # fmt: skip
    thread.join()
    plain = Market(SPEC, 3)
    take_plain = [plain.apply(update) for update in updates]
    assert len(take_plain) == 600
    assert market.stale_updates == 0
    for index in range(len(plain)):
        other = market.by_key(plain.key(index))
        assert other is not None
        assert market.current(other) == plain.current(index)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(0, 60))
def test_what_waits_is_bounded_and_ends_the_same(seed: int, pending: int, count: int) -> None:
    updates = list(SyntheticUpdates(SPEC, tokens=20, partitions=2, seed=seed).stream(count, 3))
    feed, market, plain = ApiFeed(pending_max=pending), Market(SPEC, 2), Market(SPEC, 2)
    for update in updates:
        feed.publish(update)
        plain.apply(update)
        assert all(len(waiting) <= pending for waiting in feed._pending.values())

    def take(got: list[StatsUpdate]) -> None:
        for update in got:
            market.apply(update)

    async def read() -> None:
        feed.attach(asyncio.get_running_loop(), take)
        await eventually_async(lambda: not feed._pending, WAIT_MS, "all of it")

    asyncio.run(read())
    assert len(market) == len(plain)
    for index in range(len(plain)):
        other = market.by_key(plain.key(index))
        assert other is not None
        assert market.current(other) == plain.current(index)


async def test_many_rows_are_merged_before_there_are_many_updates() -> None:
    source = SyntheticUpdates(SPEC, tokens=40_000)
    feed = ApiFeed()
    for _ in range(12):
        feed.publish(source.update(0, 40_000))
    assert sum(len(update.token_ids) for update in feed._pending[0]) <= 2 * 50_000


def test_stale_updates_do_not_pile_up_and_are_left_to_the_market() -> None:
    source = SyntheticUpdates(SPEC, tokens=3)
    old, new = source.update(0, 3), source.update(0, 3)
    feed = ApiFeed(pending_max=4)
    feed.publish(new)
    for _ in range(100):
        feed.publish(old)
    assert len(feed._pending[0]) <= 8


async def test_nobody_reading_is_no_error_and_what_waits_is_kept() -> None:
    source = SyntheticUpdates(SPEC, tokens=3)
    feed = ApiFeed()
    got: list[StatsUpdate] = []
    feed.publish(source.update(0, 1))
    loop = asyncio.new_event_loop()
    feed.attach(loop, got.extend)
    loop.close()
    feed.publish(source.update(0, 1))
    feed.detach()
    feed.deliver_waiting()
    feed.publish(source.update(0, 1))
    assert got == []
    feed.attach(asyncio.get_running_loop(), got.extend)
    await eventually_async(partial(_has, got, 3), WAIT_MS, "what waited")


def _has(got: list[StatsUpdate], count: int) -> bool:
    return len(got) == count
