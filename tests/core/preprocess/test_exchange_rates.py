from typing import Any

import pytest

from swapstats.core.preprocess.amounts import ONE_DOLLAR, PRICE_PLACES, read_decimal
from swapstats.core.preprocess.exchange_rates import ExchangeRates, price_of
from swapstats.core.preprocess.rules import PriceRules
from swapstats.testing.raw_events import FIRST_MS, exchange_trade

SECOND = FIRST_MS // 1_000


class Told:
    """Rates, told of trades."""

    def __init__(self, **rules: Any) -> None:
        self.rules = PriceRules(**rules)
        self.rates = ExchangeRates(self.rules)

    def tell(self, base: str, quote: str, price: str, second: int = 0, **changes: Any) -> None:
        changes = {"event_time": FIRST_MS + second * 1_000} | changes
        trade = exchange_trade(base, quote, price, **changes)
        read = read_decimal(price)
        assert read is not None
        self.rates.observe(trade, price_of(*read, trade.multiplier), trade.event_time)

    def rate(self, asset: str, second: int, venue: str = "binance") -> float | None:
        found = self.rates.rate(asset, SECOND + second, venue)
        return None if found is None else found / ONE_DOLLAR


def test_only_seconds_before_count_and_not_for_ever() -> None:
    told = Told(rate_ms=10_000)
    told.tell("BTC", "USDT", "40000")
    assert [told.rate("BTC", second) for second in (0, 1, 10, 11)] == [None, 40_000, 40_000, None]


def test_an_answer_stays_whatever_comes_later() -> None:
    told = Told()
    told.tell("BTC", "USDT", "40000", 0)
    assert told.rate("BTC", 5) == 40_000
    told.tell("BTC", "USDT", "41000", 4)
    assert told.rate("BTC", 5) == 40_000
    assert told.rate("BTC", 6) == 41_000


def test_the_last_trade_of_a_second_counts_in_any_order() -> None:
    told = Told()
    told.tell("BTC", "USDT", "3", trade_id="11")
    told.tell("BTC", "USDT", "1", trade_id="9")
    told.tell("BTC", "USDT", "2", trade_id="10")
    told.tell("BTC", "USDT", "7", -1)
    assert told.rate("BTC", 1) == 3
    assert told.rate("BTC", 0) == 7


def test_the_own_venue_comes_before_newer_trades_of_others() -> None:
    told = Told()
    told.tell("BTC", "USDT", "40000", 0)
    told.tell("BTC", "USDT", "41000", 3, venue="okx")
    told.tell("BTC", "EUR", "37000", 3)  # no dollar market
    assert told.rate("BTC", 5) == 40_000
    assert told.rate("BTC", 5, "okx") == 41_000
    assert told.rate("BTC", 5, "kraken") == 41_000
    assert told.rate("BTC", 5, "") == 41_000


@pytest.mark.parametrize(
    ("trades", "rate"),
    [
        ([], 1),
        ([("USDC", "USD", "1.01")], 1),
        ([("USDC", "USD", "0.9")], 0.9),
        ([("USDC", "USD", "0.9"), ("USDC", "USDT", "1")], 0.9),
        ([("USDC", "USDT", "0.9")], None),
        ([("USDC", "USDT", "0.9"), ("DAI", "USDC", "1.25")], 0.8 + 0.1),
        ([("USDC", "USDT", "0.9"), ("DAI", "USDC", "1")], 1),
        ([("BTC", "USDC", "50000")], 1),
    ],
)
def test_a_dollar_is_one_where_markets_say_so(
    trades: list[tuple[str, str, str]], rate: float | None
) -> None:
    told = Told()
    for base, quote, price in trades:
        told.tell(base, quote, price)
    assert told.rate("USDC", 1) == pytest.approx(rate)
    assert told.rate("USD", 1) == 1


def test_a_cross_rate_goes_through_the_rate_of_its_dollar() -> None:
    told = Told()
    told.tell("USDT", "USD", "0.5")
    told.tell("BTC", "USDT", "40000")
    assert told.rate("BTC", 1) == 20_000


def test_markets_in_dollars_proper_are_asked_together() -> None:
    told = Told()
    for venue, price in (("a", "0.99"), ("b", "1.5"), ("c", "1")):
        told.tell("USDC", "USD", price, venue=venue)
    assert told.rates.fiat_rate("USDC", SECOND + 1) == ONE_DOLLAR
    assert told.rates.fiat_rate("USDT", SECOND + 1) is None
    assert told.rates.fiat_rate("BTC", SECOND + 1) is None


def test_what_no_rule_names_has_no_rate() -> None:
    told = Told(rate_assets=("BTC",))
    told.tell("ETH", "USDT", "2000")
    assert told.rate("ETH", 1) is None
    assert told.rates.is_told("ETH", -1_000_000)


def test_what_is_past_the_horizon_is_not_told() -> None:
    told = Told(horizon_seconds=60)
    told.tell("BTC", "USDT", "40000", 0)
    assert told.rate("BTC", 1) == 40_000
    told.tell("BTC", "USDT", "41000", 61)
    assert told.rates.floor == SECOND + 1
    assert not told.rates.is_told("BTC", SECOND + 1)
    assert not told.rates.is_told("USDT", SECOND + 1)
    assert told.rates.is_told("USD", SECOND + 1)
    assert told.rate("BTC", 1) is None
    assert told.rate("BTC", 2) == 40_000
    told.tell("BTC", "USDT", "1", 1)
    assert told.rate("BTC", 3) == 40_000


def test_a_clock_that_is_ahead_moves_no_horizon() -> None:
    told = Told(horizon_seconds=60)
    trade = exchange_trade("BTC", "USDT", "1", event_time=FIRST_MS + 3_000_000)
    told.rates.observe(trade, ONE_DOLLAR, FIRST_MS)
    assert told.rates.floor == SECOND


def test_the_market_longest_silent_makes_room() -> None:
    told = Told(markets_max=2)
    told.tell("BTC", "USDT", "1")
    told.tell("ETH", "USDT", "2")
    told.tell("BTC", "USDT", "3", 1)
    told.tell("SOL", "USDT", "4", 1)
    assert [told.rate(asset, 2) for asset in ("BTC", "ETH", "SOL")] == [3, None, 4]


def test_multiplied_markets_price_one_unit() -> None:
    assert price_of(125, 1, 1_000) * 80 == 10**PRICE_PLACES
    assert price_of(10**40, 40, 1) == ONE_DOLLAR


def test_it_is_packed_whole() -> None:
    told, other = Told(), Told()
    told.tell("BTC", "USDT", "40000")
    told.tell("DAI", "USDC", "0.5")
    told.rate("BTC", 1)
    told.rate("DAI", 1)
    other.rates.unpack(told.rates.pack())
    assert other.rates.pack() == told.rates.pack()
    assert other.rate("BTC", 2) == 40_000
    assert other.rate("DAI", 1) is None
