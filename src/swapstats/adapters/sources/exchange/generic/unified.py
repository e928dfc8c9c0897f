"""From ccxt's unified trades and markets to ours. Pure: no I/O, no clock, no float.

ccxt is set to hand numbers on as text; a number that came as a float is refused, since it may not
be the one the exchange sent.
"""

from collections.abc import Mapping, Sequence

from swapstats.adapters.sources.exchange.multipliers import unpacked
from swapstats.adapters.sources.exchange.plain_texts import (
    SHOWN_CHARS_MAX,
    bounded,
    identifier,
    plain_decimal,
    taker_side,
)
from swapstats.adapters.sources.exchange.venue import Market, VenueTrade
from swapstats.errors import Rejected

Unified = Mapping[str, object]
"""A trade or a market, as ccxt describes them for all exchanges."""


def unified_trade(row: Unified, symbol: str) -> VenueTrade:
    """Read a trade.

    Raises:
        Rejected: it lacks an id, a side or a time, or its numbers are no text.
    """
    time_ms = row.get("timestamp")
    if type(time_ms) is not int:
        raise Rejected(f"Expected a trade of {symbol} with its time in ms, was {_shown(time_ms)}")
    bounded(time_ms, "timestamp")
    return VenueTrade(
        market=symbol,
        trade_id=identifier(_text(row, "id"), "trade id"),
        order=time_ms,
        price=plain_decimal(_text(row, "price"), "price"),
        quantity=plain_decimal(_text(row, "amount"), "amount"),
        side=taker_side(_text(row, "side"), buy="buy", sell="sell"),
        time_ms=time_ms,
    )


def unified_markets(
    listed: Mapping[str, Unified], symbols: Sequence[str], title: str
) -> dict[str, Market]:
    """Pick the markets of some symbols.

    Raises:
        Rejected: one of them is not there or is no spot market.
    """
    markets = {}
    for symbol in symbols:
        row = listed.get(symbol)
        if row is None or row.get("spot") is not True:
            raise Rejected(
                f"Expected spot symbols {title} trades, such as BTC/USDT, was {symbol!r}: "
                f"check the spelling or leave it out"
            )
        base, multiplier = unpacked(_text(row, "base"))
        markets[symbol] = Market(symbol, base, _text(row, "quote"), multiplier)
    return markets


def _text(row: Unified, name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise Rejected(f"Expected {name!r} as text, was {_shown(value)}")
    return value


def _shown(value: object) -> str:
    return repr(value)[:SHOWN_CHARS_MAX]
