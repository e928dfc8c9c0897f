"""Candles and prices on their way: merged while they wait, stored once their store is back."""

import threading
from collections.abc import Iterator, Sequence

import msgspec
import pytest
from tests.roles.preprocess.test_run import candle

from swapstats.adapters.memory.token_prices import MemoryTokenPrices
from swapstats.errors import Fenced, StoreFull, SwapstatsError, Transient
from swapstats.model.preprocessed import Candle, Preprocessed, TokenPrice
from swapstats.model.writer import Writer
from swapstats.roles.preprocess.outlets import Outlets
from swapstats.testing.eventually import eventually

WRITER = Writer("raw/0", 1)


class Store:
    """Takes candles unless it was told to fail."""

    def __init__(self) -> None:
        self.error: SwapstatsError | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.inside = threading.Event()
        self.puts: list[list[Candle]] = []

    def put(self, candles: Sequence[Candle], writer: Writer) -> None:
        self.inside.set()
        assert self.gate.wait(10)
        if self.error is not None:
            raise self.error
        self.puts.append(list(candles))


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def outlets(store: Store) -> Iterator[Outlets]:
    made = Outlets(store, MemoryTokenPrices(), waiting_max=3)
    made.start()
    yield made
    store.gate.set()
    made.close(0)


def of(*candles: Candle, prices: Sequence[TokenPrice] = ()) -> Preprocessed:
    return Preprocessed([], [], [], list(candles), list(prices))


def price(price_usd: str) -> TokenPrice:
    return TokenPrice(token="T", price_usd=price_usd, source="pool", event_time=int(price_usd))


def test_what_is_offered_is_stored(store: Store) -> None:
    prices = MemoryTokenPrices()
    outlets = Outlets(store, prices)
    outlets.start()
    outlets.offer(of(candle(1), candle(2), prices=[price("5")]), WRITER)
    assert outlets.drain(5_000)
    assert store.puts == [[candle(1), candle(2)]]
    assert prices.get("T") == price("5")
    outlets.close()


def test_of_what_waits_only_the_newest_of_each_is_stored(outlets: Outlets, store: Store) -> None:
    store.gate.clear()
    outlets.offer(of(candle(1)), WRITER)
    assert store.inside.wait(10)
    newest = msgspec.structs.replace(candle(2), trades=3)
    outlets.offer(of(candle(2)), WRITER)
    outlets.offer(of(newest), WRITER)
    assert not outlets.drain(1)
    store.gate.set()
    assert outlets.drain(5_000)
    assert store.puts == [[candle(1)], [newest]]


def test_a_value_that_came_while_its_elder_was_stored_is_not_lost(
    outlets: Outlets, store: Store
) -> None:
    store.gate.clear()
    outlets.offer(of(candle(1)), WRITER)
    assert store.inside.wait(10)
    again = candle(1)
    outlets.offer(of(again), WRITER)
    store.gate.set()
    assert outlets.drain(5_000)
    assert store.puts == [[candle(1)], [again]]


def test_a_store_that_is_away_keeps_what_waits_and_says_so(outlets: Outlets, store: Store) -> None:
    store.error = Transient("Expected an answer of Postgres, was none")
    outlets.offer(of(candle(1), candle(2), candle(3)), WRITER)
    eventually(lambda: outlets.problem, 5_000, "the trouble to be told")
    assert not outlets.drain(5_000)
    assert not outlets.has_room
    assert outlets.waiting == 3
    store.error = None
    eventually(lambda: outlets.drain(100), 5_000, "all to be stored")
    assert (outlets.problem, outlets.has_room) == ("", True)


def test_a_store_that_refuses_for_good_is_told_to_who_offers(
    outlets: Outlets, store: Store
) -> None:
    store.error = StoreFull("Expected room, was a full disk")
    outlets.offer(of(candle(1)), WRITER)
    with pytest.raises(StoreFull):
        outlets.drain(5_000)
    with pytest.raises(StoreFull):
        outlets.offer(of(candle(2)), WRITER)


def test_a_former_owner_is_refused_and_told_until_it_is_forgotten(
    outlets: Outlets, store: Store
) -> None:
    newer = Writer(WRITER.name, 2)
    store.error = Fenced("Expected epoch 2, was 1")
    outlets.offer(of(candle(1)), WRITER)
    eventually(lambda: outlets.problem, 5_000, "the refusal to be told")
    assert not outlets.drain(5_000), "no state above what is not stored"
    outlets.offer(of(candle(2)), WRITER)
    assert outlets.waiting == 0
    store.error = None
    outlets.forget(WRITER)
    outlets.offer(of(candle(3)), newer)
    assert outlets.drain(5_000)
    assert (store.puts, outlets.problem) == ([[candle(3)]], "")


def test_what_waits_of_a_partition_given_up_is_not_stored(outlets: Outlets, store: Store) -> None:
    other = Writer("raw/1", 1)
    store.gate.clear()
    outlets.offer(of(candle(1)), other)
    assert store.inside.wait(10)
    outlets.offer(of(candle(2)), WRITER)
    outlets.forget(WRITER)
    store.gate.set()
    assert outlets.drain(5_000)
    assert store.puts == [[candle(1)]]
