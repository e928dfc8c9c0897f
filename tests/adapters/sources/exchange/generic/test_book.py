"""The book of a generic source: each trade once, whatever way it came, also over a restart."""

import msgspec
import pytest

from swapstats.adapters.sources.exchange.generic.book import Book
from swapstats.adapters.sources.exchange.venue import Market
from swapstats.errors import Rejected
from swapstats.model.raw_event import ExchangeTrade
from swapstats.ports.source import SourceBatch

MARKETS = {"BTC/USDT": Market("BTC/USDT", "BTC", "USDT")}
START_MS = 1_723_161_255_000


def row(number: int, **more: object) -> dict[str, object]:
    return {
        "id": str(number), "timestamp": START_MS + number, "side": "buy", "price": "2",
        "amount": "3", **more,
    }  # fmt: skip


def book(position: str | None = None, waiting_rows_max: int = 1_000) -> Book:
    return Book("generic-gate", MARKETS, position, waiting_rows_max)


def ids(batch: SourceBatch | None) -> list[str]:
    if batch is None:
        return []
    return [
        msgspec.json.decode(batch.block.message(index), type=ExchangeTrade).trade_id
        for index in range(len(batch.block))
    ]


def test_what_came_by_itself_and_what_was_asked_for_come_out_once() -> None:
    found = book()
    assert found.take() is None
    found.add("BTC/USDT", [row(1), row(2)], is_history=False)
    found.add("BTC/USDT", [row(2), row(3), row(4)], is_history=True)
    found.add("BTC/USDT", [row(4), row(5)], is_history=False)
    assert ids(found.take()) == ["1", "2", "3", "4", "5"]
    assert found.brought_of("BTC/USDT") == 2
    assert found.told() == ["2 trades came by asking again only"]
    assert found.last_ms("BTC/USDT") == START_MS + 5


def test_a_restart_knows_what_went_on() -> None:
    first = book()
    first.add("BTC/USDT", [row(n) for n in range(10)], is_history=False)
    batch = first.take()
    assert batch is not None
    second = book(batch.position)
    assert second.last_ms("BTC/USDT") == START_MS + 9
    second.add("BTC/USDT", [row(n) for n in range(5, 13)], is_history=True)
    assert ids(second.take()) == ["10", "11", "12"]


def test_what_came_before_the_start_stays_out() -> None:
    found = book()
    found.add("BTC/USDT", [row(100)], is_history=False)
    found.add("BTC/USDT", [row(n) for n in range(90, 103)], is_history=True)
    assert ids(found.take()) == ["100", "101", "102"]


def test_rows_that_cannot_be_read_are_counted_and_told() -> None:
    found = book()
    found.add("BTC/USDT", [row(1), row(2, id=None), row(3)], is_history=False)
    assert ids(found.take()) == ["1", "3"]
    assert found.unreadable == 1
    assert found.told() == ["1 trades could not be read (Expected 'id' as text, was None)"]


def test_what_has_no_room_is_left_to_the_next_question() -> None:
    found = book(waiting_rows_max=2)
    assert found.add("BTC/USDT", [row(1), row(2), row(3)], is_history=False)
    assert not found.has_room
    assert not found.add("BTC/USDT", [row(4)], is_history=False)
    assert ids(found.take()) == ["1", "2", "3"]
    assert found.add("BTC/USDT", [row(3), row(4)], is_history=True)
    assert ids(found.take()) == ["4"]
    assert found.left_out == 1


def test_silence() -> None:
    found = book()
    assert found.is_silent("BTC/USDT")
    found.add("BTC/USDT", [row(1)], is_history=False)
    assert not found.is_silent("BTC/USDT")
    found.add("BTC/USDT", [row(2)], is_history=True)
    assert found.is_silent("BTC/USDT")


def test_a_position_of_another_source() -> None:
    first = Book("generic-kraken", MARKETS, None, 10)
    first.add("BTC/USDT", [row(1)], is_history=False)
    batch = first.take()
    assert batch is not None
    with pytest.raises(Rejected, match="position of generic-gate"):
        book(batch.position)
