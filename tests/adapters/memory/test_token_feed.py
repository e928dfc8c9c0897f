"""What the conformance suite cannot see from outside: other threads, loops without time."""

import asyncio
import threading

from swapstats.adapters.memory.token_feed import MemoryTokenFeed
from swapstats.model.token_update import TokenUpdate
from swapstats.testing.eventually import eventually_async


def update(key: str, seq: int) -> TokenUpdate:
    return TokenUpdate(key, None, 0, 1, seq, seq - 1, seq, seq, 5_000, 0, (seq, *[0] * 9))


async def test_a_loop_without_time_gets_the_newest_only() -> None:
    feed = MemoryTokenFeed()
    came: list[TokenUpdate] = []
    subscriber = feed.subscriber()
    await subscriber.connect(came.extend)
    await subscriber.subscribe("A")
    publisher = feed.publisher()

    def publish() -> None:
        for seq in range(1, 1_001):
            publisher.publish([update("A", seq)])

    thread = threading.Thread(target=publish)
    thread.start()
    thread.join()  # this loop has no turn meanwhile
    await eventually_async(lambda: came, 60_000, "the newest")
    assert [(each.seq, each.prev) for each in came] == [(1_000, 0)]
    assert publisher.sent == 1_000


async def test_what_nobody_hears_goes_nowhere() -> None:
    feed = MemoryTokenFeed()
    came: list[TokenUpdate] = []
    subscriber = feed.subscriber()
    await subscriber.connect(came.extend)
    await subscriber.subscribe("A")
    publisher = feed.publisher()
    publisher.publish([update("A", 1)])
    await subscriber.unsubscribe("A")
    publisher.publish([update("A", 2)])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert came == []
    assert publisher.sent == 1
    await subscriber.close()
    assert not subscriber.is_connected
