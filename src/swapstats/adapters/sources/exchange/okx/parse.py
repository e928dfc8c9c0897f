"""From OKX's messages to trades and markets. Pure: no I/O, no clock, no float.

Spot only: quantities of swaps are contracts, and what one stands for is often a fraction.
"""

from typing import Final

import msgspec

from swapstats.adapters.sources.exchange.multipliers import unpacked
from swapstats.adapters.sources.exchange.okx.messages import Answer, Frame, Instrument, Trade
from swapstats.adapters.sources.exchange.plain_texts import (
    SHOWN_CHARS_MAX,
    UNREADABLE,
    identifier,
    plain_decimal,
    taker_side,
    whole_number,
)
from swapstats.adapters.sources.exchange.venue import Market, VenueTrade
from swapstats.errors import Rejected, Transient

TRADES: Final = frozenset({"trades-all", "trades"})
PONG: Final = "pong"
TOLD: Final = frozenset({"subscribe", "unsubscribe", "notice", "channel-conn-count"})
ALL_WENT_WELL: Final = "0"
LATER: Final = frozenset({"50001", "50004", "50011", "50013", "50026"})
"""Codes of REST: unavailable, time out, rate limit, busy, system error."""
RETRY_MS: Final = 2_000

_decode_frame = msgspec.json.Decoder(Frame).decode
_decode_trades = msgspec.json.Decoder(list[Trade]).decode
_decode_answer = msgspec.json.Decoder(Answer).decode
_decode_instruments = msgspec.json.Decoder(list[Instrument]).decode


def parse_frame(frame: str | bytes) -> list[VenueTrade]:
    """Read the trades of a frame; none if it is a pong or an answer.

    Raises:
        Rejected: the frame is not what OKX is known to send, tells an error, or puts several
            trades together: their own ids are gone, and REST would tell them once more.
    """
    if frame in {PONG, PONG.encode()}:
        return []
    try:
        message = _decode_frame(frame)
        if message.arg.channel in TRADES and not message.event:
            return [_trade(trade) for trade in _decode_trades(message.data)]
    except UNREADABLE as error:
        raise Rejected(
            f"Expected a frame of OKX, was {frame[:SHOWN_CHARS_MAX]!r} ({error})"
        ) from error
    if message.event in TOLD:
        return []
    if message.event == "error":
        said = f"{message.msg} ({message.code})"[:SHOWN_CHARS_MAX]
        raise Rejected(f"Expected no error, OKX says: {said}")
    raise Rejected(f"Expected a frame of OKX, was {frame[:SHOWN_CHARS_MAX]!r}")


def parse_page(instrument: str, body: bytes) -> list[VenueTrade]:
    """Read a page of `history-trades` or `trades`.

    Raises:
        Rejected: it is none, or one of another instrument.
        Transient: OKX asks to come back later.
    """
    try:
        trades = [_trade(row) for row in _decode_trades(_data(body))]
    except UNREADABLE as error:
        raise Rejected(
            f"Expected trades of {instrument}, was {body[:SHOWN_CHARS_MAX]!r} ({error})"
        ) from error
    for trade in trades:
        if trade.market != instrument:
            raise Rejected(f"Expected trades of {instrument}, was one of {trade.market}")
    return trades


def parse_markets(body: bytes) -> dict[str, Market]:
    """Read base and quote of every spot instrument of `public/instruments`.

    Raises:
        Rejected: it is no list of instruments.
        Transient: OKX asks to come back later.
    """
    try:
        instruments = _decode_instruments(_data(body))
    except UNREADABLE as error:
        raise Rejected(
            f"Expected a list of instruments, was {body[:SHOWN_CHARS_MAX]!r} ({error})"
        ) from error
    markets = {}
    for instrument in instruments:
        if instrument.instType == "SPOT":
            symbol = instrument.instId.upper()
            base, multiplier = unpacked(instrument.baseCcy)
            markets[symbol] = Market(symbol, base, instrument.quoteCcy, multiplier)
    return markets


def _data(body: bytes) -> msgspec.Raw:
    answer = _decode_answer(body)
    if answer.code in LATER:
        raise Transient(f"OKX says: {answer.msg[:SHOWN_CHARS_MAX]} ({answer.code})", RETRY_MS)
    if answer.code != ALL_WENT_WELL:
        raise Rejected(f"OKX says: {answer.msg[:SHOWN_CHARS_MAX]} ({answer.code})")
    return answer.data


def _trade(trade: Trade) -> VenueTrade:
    if trade.count != "1":
        raise Rejected(
            f"Expected each trade by itself, was {trade.count[:SHOWN_CHARS_MAX]} of them as "
            f"{trade.tradeId[:SHOWN_CHARS_MAX]}: subscribe to `trades-all`"
        )
    return VenueTrade(
        market=identifier(trade.instId, "instrument").upper(),
        trade_id=str(whole_number(trade.tradeId, "tradeId")),
        order=int(trade.tradeId),
        price=plain_decimal(trade.px, "px"),
        quantity=plain_decimal(trade.sz, "sz"),
        side=taker_side(trade.side, buy="buy", sell="sell"),
        time_ms=whole_number(trade.ts, "ts"),
    )
