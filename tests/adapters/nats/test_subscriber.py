import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from nats.aio.client import Client

from swapstats.adapters.nats.link import confirmed
from swapstats.adapters.nats.publisher import NatsTokenPublisher
from swapstats.adapters.nats.subscriber import WAITING_MAX, NatsTokenSubscriber
from swapstats.core.subject import token_subject
from swapstats.core.token_codec import encode_update
from swapstats.errors import Rejected
from swapstats.model.token_update import TokenUpdate
from swapstats.stack.nats import NatsServer
from swapstats.testing.eventually import eventually_async


def update(key: str, seq: int) -> TokenUpdate:
    return TokenUpdate(key, None, 0, 1, seq, 0, seq, seq, 5_000, 0, (seq, *[0] * 9))


class Ear:
    """A subscriber with what came to it."""

    def __init__(self, url: str) -> None:
        self.subscriber = NatsTokenSubscriber([url])
        self.came: list[TokenUpdate] = []
        self.missed = 0

    async def open(self) -> None:
        await self.subscriber.connect(self.came.extend, self._miss)
        await self.connected()

    async def connected(self) -> None:
        await eventually_async(lambda: self.subscriber.is_connected, 60_000, "a connection")

    def _miss(self) -> None:
        self.missed += 1


@pytest.fixture
async def ear(server: NatsServer) -> AsyncIterator[Ear]:
    ear = Ear(server.url)
    await ear.open()
    yield ear
    await ear.subscriber.close()


@pytest.fixture
async def raw(server: NatsServer) -> AsyncIterator[Callable[[str, bytes], asyncio.Future[None]]]:
    """Publishes any bytes on any subject."""
    client = Client()
    await client.connect(server.url)
    yield lambda subject, payload: asyncio.ensure_future(client.publish(subject, payload))
    await client.close()


async def test_tokens_are_heard_again_after_a_kill(server: NatsServer, ear: Ear) -> None:
    publisher = NatsTokenPublisher([server.url])
    keys = [f"T{number}" for number in range(1_000)]
    for key in keys:
        await ear.subscriber.subscribe(key)
    for seq in (1, 2, 3):
        server.kill()
        await eventually_async(lambda: not ear.subscriber.is_connected, 60_000, "the loss")
        missed = ear.missed
        server.start()
        await eventually_async(lambda missed=missed: ear.missed > missed, 60_000, "word of a gap")  # type: ignore[misc] # bound at once
        ear.came.clear()
        publisher.publish([update(key, seq) for key in keys])
        await eventually_async(lambda: len(ear.came) >= 1_000, 60_000, "all updates")
        assert {each.key for each in ear.came} == set(keys)
    await asyncio.to_thread(publisher.close)


async def test_what_is_sent_right_after_subscribing_is_heard(server: NatsServer, ear: Ear) -> None:
    other = Client()
    await other.connect(server.url)
    for number in range(500):
        key = f"T{number}"
        await ear.subscriber.subscribe(key)
        await other.publish(token_subject(key), encode_update(update(key, 1)))
        await confirmed(other, 5)
    await eventually_async(lambda: len(ear.came) == 500, 60_000, "every update")
    await other.close()


async def test_nothing_is_heard_twice_after_a_reconnection(server: NatsServer, ear: Ear) -> None:
    for _ in range(3):
        server.kill()
        await eventually_async(lambda: not ear.subscriber.is_connected, 60_000, "the loss")
        server.start()
        await ear.connected()
        await ear.subscriber.subscribe("A")  # beside the subscriptions made for the connection
    publisher = NatsTokenPublisher([server.url])
    publisher.publish([update("A", 1)])
    await eventually_async(lambda: ear.came, 60_000, "the update")
    publisher.publish([update("A", 2)])
    await eventually_async(lambda: len(ear.came) > 1, 60_000, "the next update")
    assert [each.seq for each in ear.came] == [1, 2]
    await asyncio.to_thread(publisher.close)


async def test_what_changes_while_the_server_is_away_holds_afterwards(
    server: NatsServer, ear: Ear
) -> None:
    for key in ("stays", "goes"):
        await ear.subscriber.subscribe(key)
    server.kill()
    await eventually_async(lambda: not ear.subscriber.is_connected, 60_000, "the loss")
    await ear.subscriber.unsubscribe("goes")
    await ear.subscriber.subscribe("new")
    server.start()
    await ear.connected()
    await eventually_async(lambda: ear.missed, 60_000, "word of a gap")
    publisher = NatsTokenPublisher([server.url])
    publisher.publish([update(key, 1) for key in ("goes", "stays", "new")])
    await eventually_async(lambda: len(ear.came) == 2, 60_000, "both updates")
    assert {each.key for each in ear.came} == {"stays", "new"}
    await asyncio.to_thread(publisher.close)


async def test_a_paused_server_is_given_up_without_blocking(server: NatsServer, ear: Ear) -> None:
    server.pause()
    await asyncio.wait_for(ear.subscriber.subscribe("A"), 10)
    server.resume()
    publisher = NatsTokenPublisher([server.url])

    def arrived() -> bool:
        publisher.publish([update("A", 1)])
        return bool(ear.came)

    await eventually_async(arrived, 60_000, "an update after the pause")
    await asyncio.to_thread(publisher.close)


async def test_messages_that_are_no_update_are_counted(
    server: NatsServer, ear: Ear, raw: Callable[[str, bytes], asyncio.Future[None]]
) -> None:
    await ear.subscriber.subscribe("A")
    for payload in (b"", b"\x01", b"nonsense", encode_update(update("B", 1))):
        await raw(token_subject("A"), payload)
    await raw(token_subject("A"), encode_update(update("A", 9)))
    await eventually_async(lambda: ear.came, 60_000, "the good one")
    assert ear.came == [update("A", 9)]
    assert ear.subscriber.rejected == 4


async def test_a_loop_without_time_misses_updates_and_says_so(
    server: NatsServer, ear: Ear, raw: Callable[[str, bytes], asyncio.Future[None]]
) -> None:
    del server
    await ear.subscriber.subscribe("A")
    payload = encode_update(update("A", 1))
    missed = ear.missed
    # All of it is read from the socket in a few turns, before the waiting messages get theirs.
    await asyncio.gather(*(raw(token_subject("A"), payload) for _ in range(40 * WAITING_MAX)))
    await eventually_async(lambda: ear.came, 60_000, "an update")
    await eventually_async(
        lambda: len(ear.came) + ear.subscriber.overflows >= 40 * WAITING_MAX, 60_000, "all of it"
    )
    assert ear.missed - missed == ear.subscriber.overflows > 0


async def test_a_key_without_a_subject_is_refused(ear: Ear) -> None:
    with pytest.raises(Rejected, match="1024"):
        await ear.subscriber.subscribe("x" * 1_025)
    await ear.subscriber.unsubscribe("x" * 1_025)
