import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from swapstats.adapters.nats.publisher import BATCH_MAX, NatsTokenPublisher
from swapstats.adapters.nats.subscriber import NatsTokenSubscriber
from swapstats.model.token_update import TokenUpdate
from swapstats.stack.nats import NatsServer
from swapstats.stack.process import free_port
from swapstats.testing.eventually import eventually, eventually_async

Open = Callable[..., NatsTokenPublisher]


def update(key: str, seq: int, prev: int = 0) -> TokenUpdate:
    return TokenUpdate(key, None, 0, 1, seq, prev, seq, seq, 5_000, 0, (seq, *[0] * 29))


@pytest.fixture
def opened() -> Iterator[Open]:
    made: list[NatsTokenPublisher] = []

    def publisher(url: str, **limits: int) -> NatsTokenPublisher:
        made.append(NatsTokenPublisher([url], **limits))
        return made[-1]

    yield publisher
    for each in made:
        each.close()


def connected(publisher: NatsTokenPublisher) -> None:
    eventually(lambda: publisher.is_connected, 60_000, "a connection")


def test_without_a_server_the_newest_waits_and_nothing_blocks(opened: Open) -> None:
    publisher = opened(f"nats://127.0.0.1:{free_port()}", pending_max=100)
    begun = time.monotonic()
    for seq in range(1, 201):
        publisher.publish([update(f"T{number}", seq, seq - 1) for number in range(120)])
    assert time.monotonic() - begun < 30
    assert publisher.waiting == 100
    assert publisher.dropped == 20 * 200
    assert publisher.coalesced == 100 * 199
    publisher.close()
    assert (publisher.sent, publisher.waiting) == (0, 0)
    assert publisher.dropped == 20 * 200 + 100


async def test_a_paused_server_gets_the_newest_of_each_token(
    server: NatsServer, opened: Open
) -> None:
    publisher = opened(server.url)
    subscriber = NatsTokenSubscriber([server.url])
    came: list[TokenUpdate] = []
    await subscriber.connect(came.extend)
    await eventually_async(lambda: subscriber.is_connected, 60_000, "a connection")
    for number in range(1_000):
        await subscriber.subscribe(f"T{number}")
    connected(publisher)
    publisher.publish([update(f"T{number}", 1) for number in range(1_000)])
    await eventually_async(lambda: len(came) == 1_000, 60_000, "the first of each")
    server.pause()
    for seq in range(2, 52):
        publisher.publish([update(f"T{number}", seq, seq - 1) for number in range(1_000)])
    assert publisher.waiting <= 1_000
    server.resume()
    newest: dict[str, int] = {}

    def all_newest() -> bool:
        newest.update((each.key, max(each.seq, newest.get(each.key, 0))) for each in came)
        return set(newest.values()) == {51}

    await eventually_async(all_newest, 60_000, "the newest of each")
    assert len(came) < 10_000
    assert publisher.coalesced > 40_000
    assert publisher.dropped == 0
    await subscriber.close()


def test_a_killed_server_is_found_again(server: NatsServer, opened: Open) -> None:
    publisher = opened(server.url)
    connected(publisher)
    publisher.publish([update("A", 1)])
    eventually(lambda: publisher.sent == 1, 60_000, "the update to be sent")
    for seq in range(2, 5):
        server.kill()
        eventually(lambda: not publisher.is_connected, 60_000, "the loss to be seen")
        publisher.publish([update("A", seq)])
        assert publisher.sent == seq - 1
        server.start()
        eventually(lambda seq=seq: publisher.sent == seq, 60_000, "the update to be sent")  # type: ignore[misc] # bound at once
    assert publisher.dropped == 0


def test_a_paused_server_is_given_up_and_found_again(server: NatsServer, opened: Open) -> None:
    publisher = opened(server.url)
    connected(publisher)
    server.pause()
    publisher.publish([update("A", 1)])
    eventually(lambda: not publisher.is_connected, 60_000, "the pause to be seen")
    server.resume()
    eventually(lambda: publisher.sent == 1, 60_000, "the update to be sent")


def test_closing_sends_what_waits(server: NatsServer, opened: Open) -> None:
    publisher = opened(server.url)
    connected(publisher)
    count = 3 * BATCH_MAX + 1
    publisher.publish([update(f"T{number}", 1) for number in range(count)])
    publisher.close()
    assert (publisher.sent, publisher.dropped) == (count, 0)


def test_a_key_without_a_subject_is_dropped_and_counted(server: NatsServer, opened: Open) -> None:
    publisher = opened(server.url)
    connected(publisher)
    publisher.publish([update("x" * 2_000, 1), update("A", 1 << 70), update("A b", 1)])
    eventually(lambda: publisher.sent == 1, 60_000, "the good one to be sent")
    assert publisher.dropped == 2


def test_memory_does_not_grow_while_a_server_is_gone(tmp_path: Path, opened: Open) -> None:
    publisher = opened(f"nats://127.0.0.1:{free_port()}")
    batch = [[update(f"T{number}", seq, seq - 1) for number in range(500)] for seq in (1, 2)]
    publisher.publish(batch[0])
    publisher.publish(batch[1])
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for seq in range(3, 60):
            publisher.publish([update(f"T{number}", seq, seq - 1) for number in range(500)])
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # The 500 that wait now were made after the measurement began: one generation, not 57.
    assert grown < 4 * 500 * 2_000, grown
    assert publisher.waiting == 500
