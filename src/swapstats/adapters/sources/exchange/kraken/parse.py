"""From Kraken's messages to trades and markets. Pure: no I/O, no clock, no float.

Kraken calls some assets its own way in REST and in v1 (`XBT`, `XDG`); streams of v2 do not. The
names are turned here, by table.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from swapstats.adapters.sources.exchange.kraken.messages import (
    Answer,
    AssetPair,
    Frame,
    RestTrade,
    Trade,
)
from swapstats.adapters.sources.exchange.multipliers import unpacked
from swapstats.adapters.sources.exchange.plain_texts import (
    SHOWN_CHARS_MAX,
    UNREADABLE,
    bounded,
    identifier,
    plain_decimal,
    rfc3339_ms,
    seconds_ms,
    taker_side,
)
from swapstats.adapters.sources.exchange.venue import Market, VenueTrade
from swapstats.errors import Rejected, Transient

USUAL_NAMES: Final[Mapping[str, str]] = MappingProxyType({"XBT": "BTC", "XDG": "DOGE"})
"""Asset as REST and v1 write it -> as v2 and everybody else do."""
KRAKEN_NAMES: Final[Mapping[str, str]] = MappingProxyType({v: k for k, v in USUAL_NAMES.items()})
TOLD: Final = frozenset({"heartbeat", "status"})
LAST: Final = "last"
RETRY_MS: Final = 5_000

_decode_frame = msgspec.json.Decoder(Frame).decode
_decode_trades = msgspec.json.Decoder(list[Trade]).decode
_decode_answer = msgspec.json.Decoder(Answer).decode
_decode_rows = msgspec.json.Decoder(list[RestTrade]).decode
_decode_pair = msgspec.json.Decoder(AssetPair).decode


def parse_frame(frame: str | bytes) -> list[VenueTrade]:
    """Read the trades of a frame; none if it is a heartbeat, a status or an answer.

    Raises:
        Rejected: the frame is not what Kraken is known to send, or tells an error.
    """
    try:
        message = _decode_frame(frame)
        if message.channel == "trade":
            return [_streamed(trade) for trade in _decode_trades(message.data)]
    except UNREADABLE as error:
        raise Rejected(
            f"Expected a frame of Kraken, was {frame[:SHOWN_CHARS_MAX]!r} ({error})"
        ) from error
    if message.error or not message.success:
        said = message.error[:SHOWN_CHARS_MAX] or "no reason"
        raise Rejected(f"Expected no error, Kraken says: {said}")
    if message.channel in TOLD or message.method:
        return []
    raise Rejected(f"Expected a frame of Kraken, was {frame[:SHOWN_CHARS_MAX]!r}")


def parse_page(symbol: str, body: bytes) -> list[VenueTrade]:
    """Read a page of `Trades`.

    Raises:
        Rejected: it is none.
        Transient: Kraken asks to come back later.
    """
    trades = []
    try:
        for pair, rows in _result(body).items():
            if pair != LAST:
                trades += [_listed(row, symbol) for row in _decode_rows(rows)]
    except UNREADABLE as error:
        raise Rejected(
            f"Expected trades of {symbol}, was {body[:SHOWN_CHARS_MAX]!r} ({error})"
        ) from error
    return trades


def parse_markets(body: bytes) -> dict[str, Market]:
    """Read base and quote of every pair of `AssetPairs`, by their names in streams of v2.

    Pairs without a name in streams (dark pools) are left out.

    Raises:
        Rejected: it is no list of pairs.
        Transient: Kraken asks to come back later.
    """
    markets = {}
    try:
        for raw in _result(body).values():
            names = _decode_pair(raw).wsname.upper().split("/")
            if len(names) == 2 and all(names):
                base, quote = (USUAL_NAMES.get(name, name) for name in names)
                asset, multiplier = unpacked(base)
                symbol = f"{base}/{quote}"
                markets[symbol] = Market(symbol, asset, quote, multiplier)
    except UNREADABLE as error:
        raise Rejected(
            f"Expected a list of pairs, was {body[:SHOWN_CHARS_MAX]!r} ({error})"
        ) from error
    return markets


def rest_pair(symbol: str) -> str:
    """How REST requests name a symbol of v2.

    >>> rest_pair("BTC/USD"), rest_pair("ETH/BTC"), rest_pair("DOGE/USDT")
    ('XBTUSD', 'ETHXBT', 'XDGUSDT')
    """
    return "".join(KRAKEN_NAMES.get(name, name) for name in symbol.split("/"))


def _result(body: bytes) -> dict[str, msgspec.Raw]:
    answer = _decode_answer(body)
    if any("Rate limit" in error or error.startswith("EService") for error in answer.error):
        raise Transient(f"Kraken says: {answer.error[0][:SHOWN_CHARS_MAX]}", RETRY_MS)
    if answer.error:
        raise Rejected(f"Kraken says: {answer.error[0][:SHOWN_CHARS_MAX]}")
    return answer.result


def _streamed(trade: Trade) -> VenueTrade:
    return VenueTrade(
        market=identifier(trade.symbol, "symbol").upper(),
        trade_id=str(bounded(trade.trade_id, "trade_id")),
        order=trade.trade_id,
        price=plain_decimal(trade.price, "price"),
        quantity=plain_decimal(trade.qty, "qty"),
        side=taker_side(trade.side, buy="buy", sell="sell"),
        time_ms=rfc3339_ms(trade.timestamp),
    )


def _listed(trade: RestTrade, symbol: str) -> VenueTrade:
    return VenueTrade(
        market=symbol,
        trade_id=str(bounded(trade.trade_id, "trade_id")),
        order=trade.trade_id,
        price=plain_decimal(trade.price, "price"),
        quantity=plain_decimal(trade.volume, "volume"),
        side=taker_side(trade.side, buy="b", sell="s"),
        time_ms=seconds_ms(trade.time),
    )
