import json
from collections import Counter
from typing import Any

import pytest

from swapstats.core.preprocess.candles import CandleBook
from swapstats.core.preprocess.exchange_rates import ExchangeRates
from swapstats.core.preprocess.refusal import Refusal
from swapstats.core.preprocess.rules import PriceRules
from swapstats.core.preprocess.trade_swaps import TradeSwaps
from swapstats.testing.raw_events import FIRST_MS, exchange_trade


class Venue:
    """Exchanges, told of trades."""

    def __init__(self, **rules: Any) -> None:
        self.rules = PriceRules(**rules)
        self.candles = CandleBook(self.rules)
        self.trades = TradeSwaps(self.rules, ExchangeRates(self.rules), self.candles)
        self.counts: Counter[str] = Counter()

    def tell(self, base: str, quote: str, price: str, quantity: str = "1", second: int = 0,
             **changes: Any) -> dict[str, Any] | str:  # fmt: skip
        at = FIRST_MS + second * 1_000
        trade = exchange_trade(base, quote, price, quantity, event_time=at, **changes)
        found = self.trades.apply(trade, at, self.counts)
        if isinstance(found, Refusal):
            return found.reason
        message: dict[str, Any] = json.loads(found)
        return message

    def usd(self, *told: Any, **changes: Any) -> tuple[Any, Any]:
        found = self.tell(*told, **changes)
        assert isinstance(found, dict)
        return found["amount_usd"], found["price_source"]


def test_every_field_is_written() -> None:
    assert Venue().tell("BTC", "USDT", "40000.5", "0.002", trade_id="77", side="sell") == {
        "schema_version": 1, "event_id": "binance:BTCUSDT:77", "token_address": "BTC",
        "token_symbol": "BTC", "venue": "binance", "side": "sell", "amount_token": "0.002",
        "amount_usd": "80.001", "event_time": FIRST_MS, "price_source": "exchange",
    }  # fmt: skip


def test_quotes_that_are_no_dollars_go_by_their_rate() -> None:
    venue = Venue()
    assert venue.usd("ETH", "BTC", "0.05", "2") == (None, "none")
    venue.tell("BTC", "USDT", "40000")
    assert venue.usd("ETH", "BTC", "0.05", "2", 1) == ("4000", "exchange")
    assert venue.usd("ETH", "XYZ", "0.05", "2", 1) == (None, "none")


def test_a_dollar_that_slipped_counts_at_its_rate() -> None:
    venue = Venue()
    venue.tell("USDC", "USD", "0.9")
    assert venue.usd("BTC", "USDC", "40000", "1", 1) == ("36000", "exchange")


def test_a_multiplied_market_is_told_in_single_units() -> None:
    venue = Venue()
    found = venue.tell("PEPE", "USDT", "0.0125", "4000", multiplier=1_000, market="1000PEPEUSDT")
    assert isinstance(found, dict)
    assert (found["amount_token"], found["amount_usd"]) == ("4000000", "50")
    (candle,), (price,) = venue.candles.drain()
    assert (candle.close, candle.volume_token) == ("0.0000125", "4000000")
    assert price.price_usd == "0.0000125"


@pytest.mark.parametrize(
    ("told", "changes", "reason"),
    [
        (("BTC", "USDT", "1e5"), {}, "bad_field"),
        (("BTC", "USDT", "1", "-1"), {}, "bad_field"),
        (("BTC", "USDT", "0"), {}, "one_sided"),
        (("BTC", "USDT", "1", "0.000"), {}, "one_sided"),
        (("BTC", "USDT", "1", "0.0000000000000000005"), {}, "dust"),
        (("BTC", "USDT", "1", "0.9"), {}, "dust"),
        (("BTC", "USDT", "1", "1" + "0" * 20), {}, "not_representable"),
        (("BTC", "USDT", "1000000000000"), {}, "not_representable"),
        (("BAD", "USDT", "1"), {}, "denied"),
        (("BTC", "EUR", "1"), {}, "denied"),
        (("BTC", "USDT", "1"), {"market": "价" * 100}, "bad_field"),
    ],
)
def test_what_becomes_no_swap(told: tuple[str, ...], changes: dict[str, Any], reason: str) -> None:
    venue = Venue(deny=frozenset({"BAD", "binance:BTCEUR"}), dust_micros=1_000_000)
    assert venue.tell(*told, **changes) == reason  # type: ignore[arg-type]


def test_a_trade_repeats_its_amount_while_its_second_is_remembered_and_is_refused_after() -> None:
    venue = Venue(horizon_seconds=60)
    venue.tell("BTC", "USDT", "40000")
    first = venue.tell("ETH", "BTC", "0.05", "1", 2)
    venue.tell("BTC", "USDT", "50000", "1", 1, trade_id="2")
    assert venue.tell("ETH", "BTC", "0.05", "1", 2) == first
    venue.tell("BTC", "USDT", "50000", "1", 62, trade_id="3")
    assert venue.tell("ETH", "BTC", "0.05", "1", 2) == "past_horizon"
    assert venue.usd("ETH", "USD", "1", "1", 2) == ("1", "exchange")  # needs no rate


def test_duplicates_add_nothing_to_candles() -> None:
    venue = Venue()
    for _ in range(2):
        venue.tell("BTC", "USDT", "40000", "1", trade_id="9")
        venue.tell("BTC", "USDT", "40001", "1", trade_id="10")
    (candle,), (price,) = venue.candles.drain()
    assert (candle.open, candle.close, candle.trades) == ("40000", "40001", 2)
    assert price.price_usd == "40001"
    assert venue.counts == {"exchange": 4}
