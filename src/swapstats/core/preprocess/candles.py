"""Candles of one minute and the newest price of each token, exact as long as a minute is open.

The trades of a token's newest minutes are kept by their place in the order of events, so that a
duplicate adds nothing and a removal leaves what would be there without it. A closed minute takes
nothing any more.
"""

from collections import OrderedDict
from typing import Any

import msgspec

from swapstats.core.preprocess.amounts import CANDLE_PLACES, TOKEN_PLACES, USD_PLACES, plain_text
from swapstats.core.preprocess.rules import PriceRules
from swapstats.model.preprocessed import MINUTE_MS, Candle, TokenPrice

Place = tuple[int | str, ...]
"""Order of the trades of one token: time first, then what tells trades of one time apart."""

TAKEN, LATE, FULL = "", "candle_late", "candle_full"
"""What became of a trade: taken, too late for its minute, or more than may be held."""


class PricedTrade(msgspec.Struct, frozen=True, gc=False):
    """One trade as candles see it.

    Attributes:
        price: USD for one token, CANDLE_PLACES places.
        usd: micro-dollars.
        amount: of the token, TOKEN_PLACES places.
        source: as `price_source` of the swap.
    """

    price: int
    usd: int
    amount: int
    source: str


class Newest(msgspec.Struct, frozen=True, gc=False):
    """The newest price of a token: its place, price and source."""

    place: Place
    price: int
    source: str


class Minute:
    """Trades of one token in one minute."""

    __slots__ = ("first", "high", "is_stale", "last", "low", "token_sum", "trades", "usd_sum")

    def __init__(self) -> None:
        self.trades: dict[Place, PricedTrade] = {}
        self.first: Place = ()
        self.last: Place = ()
        self.high = self.low = self.usd_sum = self.token_sum = 0
        self.is_stale = False

    def add(self, place: Place, trade: PricedTrade) -> None:
        """Take a trade that is not there yet."""
        if not self.trades:
            self.first = self.last = place
            self.high = self.low = trade.price
            self.usd_sum, self.token_sum = trade.usd, trade.amount
            self.is_stale = False
        elif not self.is_stale:
            self.first = min(self.first, place)
            self.last = max(self.last, place)
            self.high = max(self.high, trade.price)
            self.low = min(self.low, trade.price)
            self.usd_sum += trade.usd
            self.token_sum += trade.amount
        self.trades[place] = trade

    def drop(self, place: Place) -> None:
        """Take a trade back; its candle is made again from the rest when it is asked for."""
        del self.trades[place]
        self.is_stale = True

    def refresh(self) -> None:
        """Make the sums again, if a trade was taken back."""
        if self.is_stale and self.trades:
            prices = [trade.price for trade in self.trades.values()]
            self.first, self.last = min(self.trades), max(self.trades)
            self.high, self.low = max(prices), min(prices)
            self.usd_sum = sum(trade.usd for trade in self.trades.values())
            self.token_sum = sum(trade.amount for trade in self.trades.values())
            self.is_stale = False

    def candle(self, token: str, minute: int) -> Candle:
        """Write the candle; one without trades is to be deleted."""
        self.refresh()
        prices = (0, 0, 0, 0)
        usd_sum = token_sum = 0
        if self.trades:
            opened, closed = self.trades[self.first].price, self.trades[self.last].price
            prices = (opened, self.high, self.low, closed)
            usd_sum, token_sum = self.usd_sum, self.token_sum
        opens, high, low, closes = (plain_text(price, CANDLE_PLACES) for price in prices)
        return Candle(
            token=token, minute_ms=minute * MINUTE_MS, open=opens, high=high, low=low,
            close=closes, volume_usd=plain_text(usd_sum, USD_PLACES),
            volume_token=plain_text(token_sum, TOKEN_PLACES), trades=len(self.trades),
        )  # fmt: skip


class TokenTrades:
    """Open minutes of one token, and what is known from before them."""

    __slots__ = ("closed", "minutes", "newest_minute", "sealed")

    def __init__(self, closed: int) -> None:
        self.minutes: dict[int, Minute] = {}
        self.closed = closed
        self.newest_minute = closed
        self.sealed: Newest | None = None

    def newest(self) -> Newest | None:
        """The newest price there is."""
        for number in sorted(self.minutes, reverse=True):
            minute = self.minutes[number]
            if minute.trades:
                minute.refresh()
                trade = minute.trades[minute.last]
                return Newest(minute.last, trade.price, trade.source)
        return self.sealed

    def close(self, number: int) -> int:
        """Close a minute and all before it; returns how many trades need not be held any more."""
        freed = 0
        for each in sorted(each for each in self.minutes if each <= number):
            minute = self.minutes.pop(each)
            freed += len(minute.trades)
            if minute.trades:
                minute.refresh()
                trade = minute.trades[minute.last]
                self.sealed = Newest(minute.last, trade.price, trade.source)
        self.closed = max(self.closed, number)
        return freed


class CandleBook:
    """Candles and prices of all tokens.

    Args:
        rules: how much is held.
    """

    def __init__(self, rules: PriceRules) -> None:
        self._minutes_max = rules.candle_minutes
        self._trades_max = rules.candle_trades
        self._tokens_max = rules.tokens_max
        self._tokens: OrderedDict[str, TokenTrades] = OrderedDict()  # the one longest silent first
        self._open: OrderedDict[str, TokenTrades] = (
            OrderedDict()
        )  # those with open minutes, in the same order
        self._held = 0
        self._closed_unknown = -1  # newest minute of a token that was forgotten
        self._changed: dict[tuple[str, int], Minute] = {}
        self._before: dict[str, Newest | None] = {}
        self._prices: list[TokenPrice] = []

    def add(self, token: str, place: Place, trade: PricedTrade, reached_ms: int) -> str:
        """Take a trade, unless it is there.

        Args:
            token: token key.
            place: of the trade; its time comes first.
            trade: the trade.
            reached_ms: the time it proves to have come; at most its own.

        Returns:
            TAKEN, LATE or FULL.
        """
        number = int(place[0]) // MINUTE_MS
        held = self._touch(token)
        if number <= held.closed:
            return LATE
        minute = held.minutes.get(number)
        if minute is not None and place in minute.trades:
            return TAKEN
        if self._held >= self._trades_max and not self._make_room(token, held):
            return FULL
        held.newest_minute = max(held.newest_minute, reached_ms // MINUTE_MS)
        edge = held.newest_minute - self._minutes_max
        if edge > held.closed:
            self._close(token, held, edge)
        if number <= held.closed:
            return LATE
        if minute is None:
            minute = held.minutes[number] = Minute()
            self._open[token] = held
        minute.add(place, trade)
        self._held += 1
        self._changed[token, number] = minute
        return TAKEN

    def take_back(self, token: str, place: Place) -> str:
        """Take a trade back, if it is there; returns TAKEN, or LATE if its minute is closed."""
        number = int(place[0]) // MINUTE_MS
        held = self._touch(token)
        if number <= held.closed:
            return LATE
        minute = held.minutes.get(number)
        if minute is not None and place in minute.trades:
            minute.drop(place)
            self._held -= 1
            self._changed[token, number] = minute
        return TAKEN

    def drain(self) -> tuple[list[Candle], list[TokenPrice]]:
        """Give the candles and prices that changed since the last time."""
        candles = [minute.candle(*name) for name, minute in self._changed.items()]
        for token in self._before:
            self._tell_price(token)
        prices, self._prices = self._prices, []
        self._changed.clear()
        self._before.clear()
        return candles, prices

    def _tell_price(self, token: str) -> None:
        """Note the newest price of a token, if it is another than before."""
        before, newest = self._before[token], self._tokens[token].newest()
        if newest == before:
            return
        told = newest or Newest(before.place if before else (0,), 0, "none")
        # Where prices are kept a newer one stays: what comes back has the time of what left.
        left_ms = int(before.place[0]) if before else 0
        self._prices.append(
            TokenPrice(
                token=token, price_usd=plain_text(told.price, CANDLE_PLACES), source=told.source,
                event_time=max(int(told.place[0]), left_ms),
            )
        )  # fmt: skip

    def _touch(self, token: str) -> TokenTrades:
        """Find a token, now the one least long silent, and remember its price before changes."""
        held = self._tokens.get(token)
        if held is None:
            if len(self._tokens) >= self._tokens_max:
                self._forget(next(iter(self._tokens)))
            held = self._tokens[token] = TokenTrades(self._closed_unknown)
        else:
            self._tokens.move_to_end(token)
            if held.minutes:
                self._open.move_to_end(token)
        if token not in self._before:
            self._before[token] = held.newest()
        return held

    def _forget(self, token: str) -> None:
        """Forget a token; a batch that ends here would have told its price."""
        held = self._tokens[token]
        self._close(token, held, max(held.newest_minute, *held.minutes, -1))
        if token in self._before:
            self._tell_price(token)
            del self._before[token]
        del self._tokens[token]
        self._closed_unknown = max(self._closed_unknown, held.closed)

    def _close(self, token: str, held: TokenTrades, number: int) -> None:
        self._held -= held.close(number)
        if not held.minutes:
            self._open.pop(token, None)

    def _make_room(self, token: str, wanted: TokenTrades) -> bool:
        """Close minutes of the token longest silent, or else the older ones of this one."""
        while self._held >= self._trades_max:
            other, held = next(iter(self._open.items()))
            if other == token:
                break
            self._close(other, held, max(held.minutes))
        if self._held >= self._trades_max and len(wanted.minutes) > 1:
            self._close(token, wanted, max(wanted.minutes) - 1)
        return self._held < self._trades_max

    def pack(self) -> list[object]:
        """Turn into plain values; only after `drain`."""
        tokens = [
            (
                token, held.closed, held.newest_minute,
                held.sealed and (held.sealed.place, str(held.sealed.price), held.sealed.source),
                [
                    (number, [(place, str(trade.price), trade.usd, str(trade.amount), trade.source)
                              for place, trade in sorted(minute.trades.items())])
                    for number, minute in sorted(held.minutes.items())
                ],
            )
            for token, held in self._tokens.items()
        ]  # fmt: skip
        return [self._closed_unknown, tokens]

    def unpack(self, packed: Any) -> None:
        """Take over what `pack` gave."""
        self._closed_unknown, tokens = packed
        for token, closed, newest_minute, sealed, minutes in tokens:
            held = self._tokens[token] = TokenTrades(closed)
            held.newest_minute = newest_minute
            if sealed is not None:
                held.sealed = Newest(tuple(sealed[0]), int(sealed[1]), sealed[2])
            for number, trades in minutes:
                minute = held.minutes[number] = Minute()
                for place, price, usd, amount, source in trades:
                    trade = PricedTrade(int(price), usd, int(amount), source)
                    minute.add(tuple(place), trade)
                self._held += len(minute.trades)
            if held.minutes:
                self._open[token] = held
