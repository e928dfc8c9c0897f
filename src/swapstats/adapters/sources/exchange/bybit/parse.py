"""From Bybit's messages to trades and markets. Pure: no I/O, no clock, no float."""

from typing import Final

import msgspec

from swapstats.adapters.sources.exchange.bybit.messages import (
    Answer,
    Frame,
    Instrument,
    Page,
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
    taker_side,
    whole_number,
)
from swapstats.adapters.sources.exchange.venue import Market, VenueTrade
from swapstats.errors import Rejected, Transient

TOPIC: Final = "publicTrade."
ALL_WENT_WELL: Final = 0
LATER: Final = frozenset({10_000, 10_006, 10_016, 10_018, 10_429})
"""Codes of REST: time out, rate limit, busy, rate limit of the address, of the system."""
RETRY_MS: Final = 2_000

_decode_frame = msgspec.json.Decoder(Frame).decode
_decode_trades = msgspec.json.Decoder(list[Trade]).decode
_decode_answer = msgspec.json.Decoder(Answer).decode
_decode_rows = msgspec.json.Decoder(list[RestTrade]).decode
_decode_instruments = msgspec.json.Decoder(list[Instrument]).decode


def parse_frame(frame: str | bytes) -> list[VenueTrade]:
    """Read the trades of a frame; none if it is a pong or an answer.

    Raises:
        Rejected: the frame is not what Bybit is known to send, or tells an error.
    """
    try:
        message = _decode_frame(frame)
        if message.topic.startswith(TOPIC):
            return [_streamed(trade) for trade in _decode_trades(message.data)]
    except UNREADABLE as error:
        raise Rejected(
            f"Expected a frame of Bybit, was {frame[:SHOWN_CHARS_MAX]!r} ({error})"
        ) from error
    if not message.success:
        raise Rejected(f"Expected no error, Bybit says: {message.ret_msg[:SHOWN_CHARS_MAX]}")
    if message.op:
        return []
    raise Rejected(f"Expected a frame of Bybit, was {frame[:SHOWN_CHARS_MAX]!r}")


def parse_page(symbol: str, body: bytes) -> list[VenueTrade]:
    """Read a page of `recent-trade`.

    Raises:
        Rejected: it is none, or one of another symbol.
        Transient: Bybit asks to come back later.
    """
    try:
        trades = [_listed(row) for row in _decode_rows(_page(body).list)]
    except UNREADABLE as error:
        raise Rejected(
            f"Expected trades of {symbol}, was {body[:SHOWN_CHARS_MAX]!r} ({error})"
        ) from error
    for trade in trades:
        if trade.market != symbol:
            raise Rejected(f"Expected trades of {symbol}, was one of {trade.market}")
    return trades


def parse_markets(body: bytes) -> dict[str, Market]:
    """Read base and quote of every instrument of `instruments-info`.

    Raises:
        Rejected: it is no list of instruments.
        Transient: Bybit asks to come back later.
    """
    try:
        instruments = _decode_instruments(_page(body).list)
    except UNREADABLE as error:
        raise Rejected(
            f"Expected a list of instruments, was {body[:SHOWN_CHARS_MAX]!r} ({error})"
        ) from error
    markets = {}
    for instrument in instruments:
        symbol = instrument.symbol.upper()
        base, multiplier = unpacked(instrument.baseCoin)
        markets[symbol] = Market(symbol, base, instrument.quoteCoin, multiplier)
    return markets


def _page(body: bytes) -> Page:
    answer = _decode_answer(body)
    if answer.retCode in LATER:
        raise Transient(f"Bybit says: {answer.retMsg[:SHOWN_CHARS_MAX]}", RETRY_MS)
    if answer.retCode != ALL_WENT_WELL:
        raise Rejected(f"Bybit says: {answer.retMsg[:SHOWN_CHARS_MAX]} ({answer.retCode})")
    return answer.result


def _streamed(trade: Trade) -> VenueTrade:
    return VenueTrade(
        market=identifier(trade.s, "symbol").upper(),
        trade_id=identifier(trade.i, "trade id"),
        order=bounded(trade.T, "time"),
        price=plain_decimal(trade.p, "price"),
        quantity=plain_decimal(trade.v, "quantity"),
        side=taker_side(trade.S, buy="Buy", sell="Sell"),
        time_ms=trade.T,
    )


def _listed(trade: RestTrade) -> VenueTrade:
    time_ms = whole_number(trade.time, "time")
    return VenueTrade(
        market=identifier(trade.symbol, "symbol").upper(),
        trade_id=identifier(trade.execId, "execId"),
        order=time_ms,
        price=plain_decimal(trade.price, "price"),
        quantity=plain_decimal(trade.size, "size"),
        side=taker_side(trade.side, buy="Buy", sell="Sell"),
        time_ms=time_ms,
    )
