"""What every token feed must do: the port's promises, on each adapter."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from swapstats.adapters.memory.token_feed import MemoryTokenFeed
from swapstats.adapters.nats.publisher import NatsTokenPublisher
from swapstats.adapters.nats.subscriber import NatsTokenSubscriber
from swapstats.errors import Rejected, UsageError
from swapstats.model.token_update import TokenUpdate
from swapstats.ports.token_feed import TokenPublisher, TokenSubscriber
from swapstats.stack.nats import NatsServer
from swapstats.testing.eventually import eventually_async


@dataclass(frozen=True)
class FeedAdapter:
    """How to make both sides of one kind of feed, out of what its server fixture gives."""

    name: str
    server: str
    publisher: Callable[[Any], TokenPublisher]
    subscriber: Callable[[Any], TokenSubscriber]


FEEDS = (
    FeedAdapter(
        "memory",
        "memory_feed",
        lambda feed: feed.publisher(),
        lambda feed: feed.subscriber(keys_max=1_000),
    ),
    FeedAdapter(
        "NATS",
        "nats_server",
        lambda server: NatsTokenPublisher([server.url]),
        lambda server: NatsTokenSubscriber([server.url], keys_max=1_000),
    ),
)
ODD_KEYS = (
    "",
    "a.b",
    "a b",
    "*",
    ">",
    "a.>",
    "[x]",
    "1:0xab",
    "ü漢🙂",
    ".",
    "..",
    "%",
    "a\nb\r\n",
    "~",
)


def update(key: str, seq: int, *, prev: int = 0, epoch: int = 1) -> TokenUpdate:
    return TokenUpdate(
        key, "SYM", 3, epoch, seq, prev, 10 * seq, seq, 5_000, 7, (seq, -1, *[0] * 8)
    )


@pytest.fixture
def memory_feed() -> MemoryTokenFeed:
    return MemoryTokenFeed()


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    try:
        server = NatsServer(tmp_path_factory.mktemp("nats"))
    except UsageError as error:
        pytest.skip(str(error))
    server.start()
    yield server
    server.stop()


class Sides:
    """One publisher, and subscribers with what came to each."""

    def __init__(
        self, publisher: TokenPublisher, subscriber: Callable[[], TokenSubscriber]
    ) -> None:
        self.publisher = publisher
        self._subscriber = subscriber
        self._opened: list[TokenSubscriber] = []

    async def subscriber(self) -> tuple[TokenSubscriber, list[TokenUpdate]]:
        came: list[TokenUpdate] = []
        subscriber = self._subscriber()
        await subscriber.connect(came.extend)
        self._opened.append(subscriber)
        await eventually_async(lambda: subscriber.is_connected, 60_000, "a connection")
        return subscriber, came

    async def close(self) -> None:
        for subscriber in self._opened:
            await subscriber.close()
        self.publisher.close()


@pytest.fixture(params=FEEDS, ids=lambda adapter: adapter.name)
async def sides(request: pytest.FixtureRequest) -> AsyncIterator[Sides]:
    adapter = request.param
    server = request.getfixturevalue(adapter.server)
    opened = Sides(adapter.publisher(server), lambda: adapter.subscriber(server))
    yield opened
    await opened.close()


async def test_every_field_of_an_update_arrives(sides: Sides) -> None:
    subscriber, came = await sides.subscriber()
    await subscriber.subscribe("USDC")
    limit = (1 << 63) - 1
    sent = TokenUpdate("USDC", None, 9, limit, limit, 1, 2, 3, 4, 5, (limit, -limit - 1) * 10)
    sides.publisher.publish([sent])
    await eventually_async(lambda: came, 60_000, "the update")
    assert came == [sent]


async def test_only_subscribed_tokens_are_heard(sides: Sides) -> None:
    subscriber, came = await sides.subscriber()
    await subscriber.subscribe("A")
    await subscriber.subscribe("A")
    sides.publisher.publish([update("B", 1), update("A", 2), update("AA", 3)])
    await eventually_async(lambda: came, 60_000, "the update")
    assert came == [update("A", 2)]


async def test_an_unsubscribed_token_is_silent(sides: Sides) -> None:
    subscriber, came = await sides.subscriber()
    for key in ("A", "B"):
        await subscriber.subscribe(key)
    await subscriber.unsubscribe("A")
    await subscriber.unsubscribe("never heard")
    sides.publisher.publish([update("A", 1), update("B", 2)])
    await eventually_async(lambda: came, 60_000, "the update of B")
    assert came == [update("B", 2)]
    await subscriber.subscribe("A")
    sides.publisher.publish([update("A", 3)])
    await eventually_async(lambda: len(came) == 2, 60_000, "the update of A")
    assert came[1] == update("A", 3)


async def test_odd_keys_are_kept_apart(sides: Sides) -> None:
    subscriber, came = await sides.subscriber()
    for key in ODD_KEYS:
        await subscriber.subscribe(key)
    sides.publisher.publish([update(key, at + 1) for at, key in enumerate(ODD_KEYS)])
    await eventually_async(lambda: len(came) == len(ODD_KEYS), 60_000, "all updates")
    assert sorted(came, key=lambda each: each.seq) == [
        update(key, at + 1) for at, key in enumerate(ODD_KEYS)
    ]


async def test_the_newest_comes_last_and_the_chain_has_no_gap(sides: Sides) -> None:
    subscriber, came = await sides.subscriber()
    await subscriber.subscribe("A")
    for seq in range(1, 501):
        sides.publisher.publish([update("A", seq, prev=seq - 1)])
    await eventually_async(lambda: bool(came) and came[-1].seq == 500, 60_000, "the newest")
    place = 0
    for each in came:
        assert each.prev == place
        assert each.seq > place
        place = each.seq


async def test_a_new_epoch_starts_a_new_chain(sides: Sides) -> None:
    subscriber, came = await sides.subscriber()
    await subscriber.subscribe("A")
    sides.publisher.publish([update("A", 7, prev=6), update("A", 8, epoch=2)])
    await eventually_async(lambda: came, 60_000, "the update")
    await eventually_async(lambda: came[-1].epoch == 2, 60_000, "the new epoch")
    assert came[-1] == update("A", 8, epoch=2)


async def test_every_subscriber_hears(sides: Sides) -> None:
    heard = [await sides.subscriber() for _ in range(3)]
    for subscriber, _ in heard:
        await subscriber.subscribe("A")
    await heard[0][0].close()
    sides.publisher.publish([update("A", 1)])
    for _, came in heard[1:]:
        await eventually_async(lambda came=came: came, 60_000, "the update")  # type: ignore[misc] # bound at once
        assert came == [update("A", 1)]
    assert heard[0][1] == []


async def test_the_number_of_tokens_is_bounded(sides: Sides) -> None:
    subscriber, came = await sides.subscriber()
    for number in range(1_000):
        await subscriber.subscribe(f"T{number}")
    with pytest.raises(Rejected, match="1000"):
        await subscriber.subscribe("one more")
    sides.publisher.publish([update(f"T{number}", 1) for number in range(1_000)])
    await eventually_async(lambda: len(came) == 1_000, 60_000, "all updates")
    assert {each.key for each in came} == {f"T{number}" for number in range(1_000)}


async def test_connecting_twice_is_refused(sides: Sides) -> None:
    subscriber, _ = await sides.subscriber()
    with pytest.raises(UsageError):
        await subscriber.connect(lambda _: None)


async def test_publishing_after_the_end_is_harmless(sides: Sides) -> None:
    with contextlib.closing(sides.publisher):
        sides.publisher.publish([])
    sides.publisher.publish([update("A", 1)])
    sides.publisher.close()
