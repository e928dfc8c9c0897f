from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapstats.adapters.memory.token_prices import MemoryTokenPrices
from swapstats.core.preprocess.amounts import CANDLE_PLACES, TOKEN_PLACES
from swapstats.core.preprocess.candles import FULL, LATE, TAKEN, CandleBook, Place, PricedTrade
from swapstats.core.preprocess.rules import PriceRules
from swapstats.model.preprocessed import MINUTE_MS, Candle
from swapstats.model.writer import Writer

WRITER = Writer("raw/0", 1)

MINUTE = 28_000_000


def place(minute: int, index: int = 0) -> Place:
    return ((MINUTE + minute) * MINUTE_MS + index, index)


def trade(price: int, usd: int = 10, amount: int = 1) -> PricedTrade:
    scaled = price * 10**CANDLE_PLACES
    return PricedTrade(scaled, usd * 1_000_000, amount * 10**TOKEN_PLACES, "stable")


class Book:
    """Candles with less to write."""

    def __init__(self, **rules: Any) -> None:
        self.rules = PriceRules(**rules)
        self.book = CandleBook(self.rules)

    def add(self, minute: int, index: int, price: int, token: str = "T", **amounts: int) -> str:
        at = place(minute, index)
        return self.book.add(token, at, trade(price, **amounts), int(at[0]))

    def drop(self, minute: int, index: int) -> str:
        return self.book.take_back("T", place(minute, index))

    def told(self) -> tuple[list[tuple[Any, ...]], list[tuple[str, str]]]:
        candles, prices = self.book.drain()
        return [brief(each) for each in candles], [(p.token, p.price_usd) for p in prices]


def brief(candle: Candle) -> tuple[Any, ...]:
    minute = candle.minute_ms // MINUTE_MS - MINUTE
    return (minute, candle.open, candle.high, candle.low, candle.close, candle.volume_usd,
            candle.volume_token, candle.trades)  # fmt: skip


def test_a_minute_in_event_order_whatever_the_order_of_arrival() -> None:
    book = Book()
    for index, price in ((3, 7), (1, 5), (2, 9), (4, 6), (5, 1)):
        assert book.add(0, index, price, usd=price, amount=2) == TAKEN
    assert book.add(0, 3, 7, usd=7, amount=2) == TAKEN  # a duplicate
    assert book.told() == ([(0, "5", "9", "1", "1", "28", "10", 5)], [("T", "1")])
    assert book.told() == ([], [])


def test_a_removal_leaves_what_would_be_there_without_it() -> None:
    book = Book()
    for index, price in ((1, 5), (2, 9), (3, 7)):
        book.add(0, index, price)
    book.told()
    assert book.drop(0, 3) == TAKEN
    assert book.drop(0, 3) == TAKEN
    assert book.told() == ([(0, "5", "9", "5", "9", "20", "2", 2)], [("T", "9")])
    book.drop(0, 1)
    book.drop(0, 2)
    candles, prices = book.book.drain()
    assert [brief(each) for each in candles] == [(0, "0", "0", "0", "0", "0", "0", 0)]
    assert [(each.price_usd, each.source) for each in prices] == [("0", "none")]


def test_a_price_that_left_the_chain_makes_way_where_prices_are_kept() -> None:
    book, kept = Book(), MemoryTokenPrices()
    for index, price in ((1, 5), (2, 9)):
        book.add(0, index, price)
        kept.put(book.book.drain()[1], WRITER)
    book.drop(0, 2)
    kept.put(book.book.drain()[1], WRITER)
    found = kept.get("T")
    assert found is not None
    assert found.price_usd == "5"


def test_the_newest_price_falls_back_to_earlier_minutes_and_closed_ones() -> None:
    book = Book(candle_minutes=1)
    book.add(0, 1, 5)
    book.add(1, 1, 6)
    assert book.told()[1] == [("T", "6")]
    book.drop(1, 1)
    assert book.told() == ([(1, "0", "0", "0", "0", "0", "0", 0)], [("T", "5")])
    assert book.drop(0, 1) == LATE
    assert book.told() == ([], [])


def test_a_closed_minute_takes_nothing() -> None:
    book = Book(candle_minutes=2)
    book.add(0, 1, 5)
    book.add(2, 1, 6)
    assert book.add(0, 2, 9) == LATE
    assert book.add(1, 2, 9) == TAKEN
    assert book.add(5, 1, 6, token="U") == TAKEN  # another token's minutes are its own
    assert book.add(1, 3, 9) == TAKEN


def test_a_minute_that_changes_and_closes_in_one_batch_is_told() -> None:
    book = Book(candle_minutes=1)
    book.add(0, 1, 5)
    book.add(1, 1, 6)
    assert [candle[0] for candle in book.told()[0]] == [0, 1]


def test_a_trade_ahead_of_the_clock_closes_nothing() -> None:
    book = Book(candle_minutes=1)
    book.add(0, 1, 5)
    book.book.add("T", place(30), trade(6), int(place(0)[0]))
    assert book.add(0, 2, 7) == TAKEN


def test_a_full_book_closes_the_token_longest_silent() -> None:
    book = Book(candle_trades=3)
    book.add(0, 1, 5, token="T")
    book.add(0, 1, 5, token="U")
    book.add(0, 2, 6, token="T")
    assert book.add(0, 3, 7, token="T") == TAKEN
    assert book.add(0, 2, 9, token="U") == LATE
    assert book.told()[0] == [
        (0, "5", "7", "5", "7", "30", "3", 3),
        (0, "5", "5", "5", "5", "10", "1", 1),
    ]


def test_a_full_book_of_one_minute_leaves_the_rest_out() -> None:
    book = Book(candle_trades=2)
    book.add(0, 1, 5)
    book.add(0, 2, 6)
    assert book.add(0, 3, 7) == FULL
    assert book.add(1, 4, 8) == FULL
    assert book.told() == ([(0, "5", "6", "5", "6", "20", "2", 2)], [("T", "6")])


def test_a_full_book_of_one_token_closes_its_older_minutes() -> None:
    book = Book(candle_trades=2)
    book.add(0, 1, 5)
    book.add(1, 1, 6)
    assert book.add(1, 2, 7) == TAKEN
    assert book.add(0, 2, 9) == LATE


def test_a_forgotten_token_opens_no_minute_again_that_was_told() -> None:
    book = Book(tokens_max=1)
    book.add(0, 1, 5)
    book.add(1, 1, 6, token="U")
    assert book.told()[1] == [("T", "5"), ("U", "6")]
    assert book.add(0, 2, 7) == LATE
    assert book.add(1, 2, 7) == LATE  # U's minute: T might have traded in it, too
    assert book.told() == ([], [])
    assert book.add(2, 2, 7) == TAKEN
    assert book.told() == ([(2, "7", "7", "7", "7", "10", "1", 1)], [("T", "7")])


@settings(deadline=None, max_examples=50)
@given(st.randoms(use_true_random=False), st.integers(1, 6), st.sampled_from((1, 2, 4)))
def test_cuts_and_restarts_change_nothing(random: Random, most: int, tokens: int) -> None:
    """Under pressure of every bound: the same fates, the same state, the same last values."""
    rules = {"candle_trades": most, "tokens_max": tokens, "candle_minutes": 2}
    once, cut = Book(**rules), Book(**rules)
    last: list[dict[Any, Any]] = [{}, {}]

    def drain(which: int, book: CandleBook) -> None:
        candles, prices = book.drain()
        last[which] |= {(each.token, each.minute_ms): each for each in candles}
        # A price that came back has the time of what left, if that was told.
        last[which] |= {each.token: (each.price_usd, each.source) for each in prices}

    for _ in range(40):
        at, token = place(random.randrange(4), random.randrange(6)), random.choice("ABCD")
        if random.random() < 0.7:
            one = trade(random.randrange(1, 9))
            fates = [b.book.add(token, at, one, int(at[0])) for b in (once, cut)]
        else:
            fates = [b.book.take_back(token, at) for b in (once, cut)]
        assert fates[0] == fates[1]
        drain(1, cut.book)
        fresh = CandleBook(cut.rules)
        fresh.unpack(cut.book.pack())
        assert fresh.pack() == cut.book.pack()
        cut.book = fresh
    drain(0, once.book)
    assert once.book.pack() == cut.book.pack()
    if tokens == len("ABCD"):  # none is forgotten: what a price was before is known
        assert last[0] == {name: last[1][name] for name in last[0]}


@pytest.mark.parametrize("count", [1, 50])
def test_it_is_packed_whole(count: int) -> None:
    book, other = Book(), Book()
    for index in range(count):
        book.add(index % 3, index, index + 1)
    book.told()
    other.book.unpack(book.book.pack())
    assert other.book.pack() == book.book.pack()
    book.add(3, 99, 1)
    other.add(3, 99, 1)
    assert other.told() == book.told()
