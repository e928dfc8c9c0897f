"""Hearing: subscribed is what is watched, and what is heard wakes the replica."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable

import pytest

from swapstats.adapters.memory.token_feed import MemoryTokenFeed, MemoryTokenSubscriber
from swapstats.model.token_update import TokenUpdate
from swapstats.roles.serve.hearing import TOGETHER_MAX, Hearing
from swapstats.testing.eventually import eventually_async


class Rig:
    """A hearing on a feed in memory."""

    def __init__(self, keys_max: int = 1_000) -> None:
        self.feed = MemoryTokenFeed()
        self.publisher = self.feed.publisher()
        self.subscriber: MemoryTokenSubscriber = self.feed.subscriber(keys_max=keys_max)
        self.woken: list[set[int] | None] = []
        self.hearing = Hearing(self.subscriber, self.wake)
        self.task = asyncio.create_task(self.hearing.run())

    def wake(self, partitions: Iterable[int] | None) -> None:
        self.woken.append(None if partitions is None else set(partitions))

    def hears(self) -> set[str]:
        return set(self.subscriber._keys)

    async def until_hears(self, keys: set[str]) -> None:
        await eventually_async(lambda: self.hears() == keys, 60_000, f"to hear {len(keys)} tokens")


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    yield made
    made.task.cancel()
    await asyncio.gather(made.task, return_exceptions=True)
    assert not made.hearing.is_connected


def update(key: str, partition: int) -> TokenUpdate:
    return TokenUpdate(key, None, partition, 1, (1 << 32) + 1, 0, 1, 2, 3, 4, (0,) * 30)


async def test_a_watched_token_wakes_its_partition(rig: Rig) -> None:
    rig.hearing.watched("a", True)
    rig.hearing.watched("b", True)
    await rig.until_hears({"a", "b"})
    rig.publisher.publish([update("a", 3), update("b", 5), update("c", 7)])
    await eventually_async(lambda: rig.woken, 60_000, "to be woken")
    assert rig.woken == [{3, 5}]
    assert rig.hearing.heard == 2
    rig.hearing.watched("a", False)
    await rig.until_hears({"b"})


async def test_a_token_watched_again_at_once_costs_the_feed_nothing(rig: Rig) -> None:
    rig.hearing.watched("a", True)
    await rig.until_hears({"a"})
    rig.hearing.watched("a", False)
    rig.hearing.watched("a", True)
    assert rig.hearing._pending == {}


async def test_what_was_missed_wakes_everything(rig: Rig) -> None:
    await eventually_async(lambda: rig.hearing.is_connected, 60_000, "a connection")
    rig.hearing._missed()
    assert rig.woken == [None]


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_heard_ends_equal_to_what_is_watched(rig: Rig, seed: int) -> None:
    print("seed", seed)
    chance = random.Random(seed)
    watched: set[str] = set()
    for _ in range(600):
        key = f"t{chance.randrange(3 * TOGETHER_MAX)}"
        watched ^= {key}
        rig.hearing.watched(key, key in watched)
        if chance.random() < 0.03:
            await rig.until_hears(watched)
    await rig.until_hears(watched)


async def test_a_feed_that_is_full_costs_a_hint_and_nothing_else() -> None:
    full = Rig(keys_max=2)
    for key in ("a", "b", "c"):
        full.hearing.watched(key, True)
    await eventually_async(lambda: full.hearing.refused == 1, 60_000, "a refusal")
    full.publisher.publish([update("a", 1)])
    await eventually_async(lambda: full.woken, 60_000, "to be woken")
    full.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await full.task
