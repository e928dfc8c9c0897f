"""What exchange assets are worth in USD, second by second: asked once a second, then frozen.

Trades of the dollar markets of a few assets are remembered. A second is answered by trades of
seconds before it.
"""

from bisect import bisect_left
from collections import OrderedDict
from typing import Any, Final

import msgspec

from swapstats.core.preprocess.amounts import ONE_DOLLAR, POWERS, PRICE_PLACES
from swapstats.core.preprocess.limits import CLOCK_SLACK_MS
from swapstats.core.preprocess.peg import told_rate, voted_rate
from swapstats.core.preprocess.rules import PriceRules
from swapstats.model.raw_event import ExchangeTrade

_SECOND_MS: Final = 1_000


class Print(msgspec.Struct, frozen=True, gc=False, order=True):
    """The last trade of a market in one second.

    Attributes:
        second: since epoch.
        event_ms: time of the trade.
        id_size: length of its id: longer numbers are greater.
        trade_id: its id.
        price: quote units for one base unit, PRICE_PLACES places.
    """

    second: int
    event_ms: int
    id_size: int
    trade_id: str
    price: int


class Market:
    """Trades of one market.

    Args:
        venue: whose market it is.
        base: what is traded.
        quote: what it is paid in.
    """

    __slots__ = ("base", "prints", "quote", "venue")

    def __init__(self, venue: str, base: str, quote: str) -> None:
        self.venue = venue
        self.base = base
        self.quote = quote
        self.prints: list[Print] = []

    def before(self, second: int, age_max: int) -> Print | None:
        """Newest trade before a second, at most `age_max` seconds old."""
        place = bisect_left(self.prints, second, key=_second)
        if place and self.prints[place - 1].second >= second - age_max:
            return self.prints[place - 1]
        return None


class ExchangeRates:
    """Rates of exchange assets.

    Args:
        rules: which assets, bounds, horizon.
    """

    def __init__(self, rules: PriceRules) -> None:
        self._fiat = rules.fiat
        self._dollars = frozenset(rules.dollars)
        self._tracked = self._dollars | frozenset(rules.rate_assets)
        self._depeg_bps = rules.depeg_bps
        self._age_max = rules.rate_ms // _SECOND_MS
        self._seconds_max = rules.horizon_seconds
        self._markets_max = rules.markets_max
        self._markets: OrderedDict[str, Market] = OrderedDict()  # the one longest silent first
        self._by_asset: dict[str, dict[str, Market]] = {}
        self._answers: dict[int, dict[str, int | None]] = {}
        self._floor = -1

    def is_told(self, asset: str, second: int) -> bool:
        """Whether a rate can be asked for: it needs no trades, or the second is remembered."""
        return second > self._floor or asset == self._fiat or asset not in self._tracked

    @property
    def floor(self) -> int:
        """Second up to which nothing is remembered."""
        return self._floor

    def rate(self, asset: str, second: int, venue: str) -> int | None:
        """Rate of an asset, PRICE_PLACES places; None: not known.

        Args:
            asset: what to price.
            second: as of which.
            venue: whose markets are asked first.
        """
        if asset == self._fiat:
            return ONE_DOLLAR
        if asset in self._dollars:
            return self._frozen(asset, second, venue="")
        if asset in self._tracked:
            return self._frozen(asset, second, venue)
        return None

    def fiat_rate(self, asset: str, second: int) -> int | None:
        """Rate of a stable by markets in dollars proper alone; None: there is no such market."""
        if asset not in self._dollars or second <= self._floor:
            return None
        prices = sorted(
            found.price
            for market in self._by_asset.get(asset, {}).values()
            if market.quote == self._fiat and market.base == asset
            and (found := market.before(second, self._age_max))
        )  # fmt: skip
        return prices[(len(prices) - 1) // 2] if prices else None

    def _frozen(self, asset: str, second: int, venue: str) -> int | None:
        if second <= self._floor:
            return None
        answers = self._answers.setdefault(second, {})
        name = f"{asset}@{venue}"
        if name in answers:
            return answers[name]
        if asset in self._dollars:
            answers[name] = self._dollar(asset, second)
        else:
            answers[name] = self._cross(asset, second, venue)
        return answers[name]

    def _dollar(self, asset: str, second: int) -> int | None:
        """A dollar where it holds; else the market rate, by dollars proper or by other stables."""
        rate = self.fiat_rate(asset, second)
        if rate is not None:
            return told_rate(rate, self._depeg_bps)
        votes: dict[str, tuple[int, int, str, int]] = {}
        for name, market in self._by_asset.get(asset, {}).items():
            other = market.quote if market.base == asset else market.base
            found = market.before(second, self._age_max) if other in self._dollars else None
            if found is None:
                continue
            price = found.price if market.base == asset else ONE_DOLLAR**2 // found.price
            vote = (found.second, found.event_ms, name, price)
            votes[other] = max(votes.get(other, vote), vote)
        return voted_rate([price for *_, price in votes.values()], self._depeg_bps)

    def _cross(self, asset: str, second: int, venue: str) -> int | None:
        """By the newest trade for dollars, of that venue before any other."""
        best: tuple[bool, int, int, str, int] | None = None
        for name, market in self._by_asset.get(asset, {}).items():
            found = market.before(second, self._age_max) if market.base == asset else None
            if found is None:
                continue
            dollar = self.rate(market.quote, second, "")
            if dollar is None:
                continue
            price = found.price * dollar // ONE_DOLLAR
            offer = (market.venue == venue, found.second, found.event_ms, name, price)
            best = max(best or offer, offer)
        return best[-1] if best else None

    def observe(self, trade: ExchangeTrade, price: int, append_ms: int) -> None:
        """Note the price of a trade, if it can give a rate.

        Args:
            trade: the trade.
            price: quote units for one base unit, PRICE_PLACES places.
            append_ms: when the log took it: the horizon never runs ahead of it.
        """
        second = trade.event_time // _SECOND_MS
        reached = min(trade.event_time, append_ms + CLOCK_SLACK_MS) // _SECOND_MS
        if reached - self._seconds_max > self._floor:
            self._floor = reached - self._seconds_max
            self._forget()
        is_dollar_market = trade.quote == self._fiat or trade.quote in self._dollars
        if not (is_dollar_market and trade.base in self._tracked and price):
            return
        if trade.base == trade.quote or second <= self._floor:
            return
        name = f"{trade.venue}:{trade.market}"
        market = self._markets.get(name)
        if market is None:
            if len(self._markets) >= self._markets_max:
                self._close(next(iter(self._markets)))
            market = self._markets[name] = Market(trade.venue, trade.base, trade.quote)
            self._index(name, market)
        self._markets.move_to_end(name)
        if (market.base, market.quote) == (trade.base, trade.quote):
            ident = trade.trade_id
            _insert(market.prints, Print(second, trade.event_time, len(ident), ident, price))
            while len(market.prints) > 1 and market.prints[1].second <= self._floor:
                del market.prints[0]

    def _forget(self) -> None:
        for second in [each for each in self._answers if each <= self._floor]:
            del self._answers[second]

    def _index(self, name: str, market: Market) -> None:
        for asset in {market.base, market.quote} - {self._fiat}:
            self._by_asset.setdefault(asset, {})[name] = market

    def _close(self, name: str) -> None:
        market = self._markets.pop(name)
        for asset in {market.base, market.quote} - {self._fiat}:
            self._by_asset[asset].pop(name)

    def pack(self) -> list[object]:
        """Turn into plain values."""
        markets = [
            (name, market.venue, market.base, market.quote,
             [
                (each.second, each.event_ms, each.id_size, each.trade_id, str(each.price))
                for each in market.prints
            ])
            for name, market in self._markets.items()
        ]  # fmt: skip
        answers = [
            (second, [(name, rate and str(rate)) for name, rate in sorted(held.items())])
            for second, held in sorted(self._answers.items())
        ]
        return [self._floor, markets, answers]

    def unpack(self, packed: Any) -> None:
        """Take over what `pack` gave."""
        self._floor, markets, answers = packed
        for name, venue, base, quote, prints in markets:
            market = Market(venue, base, quote)
            market.prints = [
                Print(second, event_ms, id_size, trade_id, int(price))
                for second, event_ms, id_size, trade_id, price in prints
            ]
            self._markets[name] = market
            self._index(name, market)
        for second, held in answers:
            self._answers[second] = {name: rate and int(rate) for name, rate in held}


def _second(printed: Print) -> int:
    return printed.second


def price_of(price: int, places: int, multiplier: int) -> int:
    """Price of one base unit, PRICE_PLACES places, of a market that trades `multiplier` at once."""
    return price * POWERS[PRICE_PLACES] // (multiplier * POWERS[places])


def _insert(prints: list[Print], new: Print) -> None:
    """Put a trade in its second, if it is the last of it."""
    place = len(prints)
    while place and prints[place - 1].second > new.second:
        place -= 1
    if place and prints[place - 1].second == new.second:
        prints[place - 1] = max(prints[place - 1], new)
    else:
        prints.insert(place, new)
