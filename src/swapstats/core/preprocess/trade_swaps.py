"""From the trades of exchanges to priced swaps of assets."""

from collections import Counter

from swapstats.core.preprocess.amounts import (
    CANDLE_PLACES,
    POWERS,
    PRICE_PLACES,
    TOKEN_PLACES,
    USD_PLACES,
    divided,
    plain_text,
    read_decimal,
    rescaled,
)
from swapstats.core.preprocess.candles import CandleBook, PricedTrade
from swapstats.core.preprocess.exchange_rates import ExchangeRates, price_of
from swapstats.core.preprocess.limits import CLOCK_SLACK_MS, check_amounts
from swapstats.core.preprocess.raw_decode import bad_field
from swapstats.core.preprocess.refusal import Refusal
from swapstats.core.preprocess.rules import PriceRules
from swapstats.core.preprocess.wire_swap import MarketSwap, write_swap
from swapstats.model.raw_event import ExchangeTrade
from swapstats.model.wire import SCHEMA_VERSION, TEXT_BYTES_MAX


class TradeSwaps:
    """Makes swaps of the trades of all exchanges.

    Args:
        rules: bounds and the deny list.
        rates: what quotes are worth; learns from every trade.
        candles: of all tokens.
    """

    def __init__(self, rules: PriceRules, rates: ExchangeRates, candles: CandleBook) -> None:
        self._dust_micros = rules.dust_micros
        self._candle_floor = rules.candle_floor_micros
        self._deny = rules.deny
        self._rates = rates
        self._candles = candles

    def apply(self, trade: ExchangeTrade, append_ms: int, counts: Counter[str]) -> bytes | Refusal:
        """Turn one trade into a message of the swap log, or say why not.

        Args:
            trade: the trade, each field in its format but for price and quantity.
            append_ms: when the raw log took it.
            counts: what is counted by name.
        """
        event_id = f"{trade.venue}:{trade.market}:{trade.trade_id}"
        if len(event_id.encode()) > TEXT_BYTES_MAX or len(trade.base.encode()) > TEXT_BYTES_MAX:
            return bad_field("its id and base", f"at most {TEXT_BYTES_MAX} bytes", event_id)
        price, quantity = read_decimal(trade.price), read_decimal(trade.quantity)
        if price is None:
            return bad_field("price", "a plain decimal", trade.price)
        if quantity is None:
            return bad_field("quantity", "a plain decimal", trade.quantity)
        if trade.base in self._deny or f"{trade.venue}:{trade.market}" in self._deny:
            return Refusal("denied", f"{trade.base} or {trade.market} is on the deny list")
        if not price[0] or not quantity[0]:
            return Refusal("one_sided", f"{trade.quantity} at {trade.price}: nothing for something")
        second = trade.event_time // 1_000
        if not self._rates.is_told(trade.quote, second):
            return Refusal(
                "past_horizon",
                f"Expected a second after {self._rates.floor}, was {second}: the rate of "
                f"{trade.quote} is not remembered; longer horizons remember more",
            )
        rate = self._rates.rate(trade.quote, second, trade.venue)
        amount = rescaled(quantity[0] * trade.multiplier, quantity[1], TOKEN_PLACES)
        usd, source = None, "none"
        if rate is not None:
            worth = price[0] * quantity[0] * rate
            usd = divided(worth, POWERS[price[1] + quantity[1] + PRICE_PLACES - USD_PLACES])
            source = "exchange"
        refusal = check_amounts(amount, usd, self._dust_micros)
        if refusal is not None:
            return refusal
        self._rates.observe(trade, price_of(*price, trade.multiplier), append_ms)
        if rate is not None and usd is not None and usd >= self._candle_floor:
            told = divided(
                price[0] * rate,
                trade.multiplier * POWERS[price[1] + PRICE_PLACES - CANDLE_PLACES],
            )
            self._follow(trade, PricedTrade(told, usd, amount, source), append_ms, counts)
        counts[source] += 1
        return write_swap(
            MarketSwap(
                SCHEMA_VERSION, event_id, trade.base, trade.base, trade.venue, trade.side,
                plain_text(amount, TOKEN_PLACES),
                None if usd is None else plain_text(usd, USD_PLACES), trade.event_time, source,
            )
        )  # fmt: skip

    def _follow(
        self, trade: ExchangeTrade, priced: PricedTrade, append_ms: int, counts: Counter[str]
    ) -> None:
        if not priced.price:
            return
        ident = trade.trade_id
        place = (trade.event_time, trade.venue, trade.market, len(ident), ident)
        reached_ms = min(trade.event_time, append_ms + CLOCK_SLACK_MS)
        fate = self._candles.add(trade.base, place, priced, reached_ms)
        if fate:
            counts[fate] += 1
