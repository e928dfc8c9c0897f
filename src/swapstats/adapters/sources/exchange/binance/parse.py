"""From Binance's messages to trades and markets. Pure: no I/O, no clock, no float."""

import msgspec

from swapstats.adapters.sources.exchange.binance.messages import ExchangeInfo, Frame, PastTrade
from swapstats.adapters.sources.exchange.multipliers import unpacked
from swapstats.adapters.sources.exchange.plain_texts import UNREADABLE, bounded
from swapstats.adapters.sources.exchange.venue import Market, VenueTrade
from swapstats.errors import Rejected

SHOWN_CHARS_MAX = 120

_decode_frame = msgspec.json.Decoder(Frame).decode
_decode_page = msgspec.json.Decoder(list[PastTrade]).decode
_decode_info = msgspec.json.Decoder(ExchangeInfo).decode

_BUILT_IN_BASES = (
    "BTC ETH SOL BNB XRP DOGE ADA LINK AVAX TRX DOT LTC BCH UNI AAVE SUI TON NEAR APT ARB OP ATOM "
    "FIL ETC XLM INJ"
)
_BUILT_IN_PACKS = "1000PEPE 1000SHIB 1000BONK 1000FLOKI"

SPOT_MARKETS = {
    base + quote: Market(base + quote, base, quote)
    for base in (*_BUILT_IN_BASES.split(), "PEPE", "SHIB")
    for quote in ("USDT", "USDC", "FDUSD")
} | {
    "ETHBTC": Market("ETHBTC", "ETH", "BTC"),
    "SOLBTC": Market("SOLBTC", "SOL", "BTC"),
    "BNBBTC": Market("BNBBTC", "BNB", "BTC"),
}
"""For when the REST API cannot be asked. A list, since a suffix does not tell base from quote."""
USDM_MARKETS = {
    listed + quote: Market(listed + quote, base, quote, multiplier)
    for listed in (*_BUILT_IN_BASES.split(), *_BUILT_IN_PACKS.split())
    for base, multiplier in (unpacked(listed),)
    for quote in ("USDT", "USDC")
}
"""The same of USD-M futures."""


def parse_frame(frame: str | bytes) -> list[VenueTrade]:
    """Read the trade of a frame of a combined stream; none if it is an answer to a command.

    Raises:
        Rejected: the frame is not what Binance is known to send.
    """
    try:
        envelope = _decode_frame(frame)
    except UNREADABLE as error:
        raise Rejected(
            f"Expected a trade frame, was {frame[:SHOWN_CHARS_MAX]!r} ({error})"
        ) from error
    trade = envelope.data
    if trade is None:
        return []
    if trade.e != "trade":
        raise Rejected(
            f"Expected single trades, was {trade.e!r}: ids of aggregated ones are others"
        )
    side = "sell" if trade.m else "buy"
    is_public = trade.X == "MARKET"
    order, time_ms = bounded(trade.t, "trade id"), bounded(trade.T, "time")
    return [VenueTrade(trade.s, str(order), order, trade.p, trade.q, side, time_ms, is_public)]


def parse_page(market: str, body: bytes) -> list[VenueTrade]:
    """Read a page of `trades` or `historicalTrades`.

    Raises:
        Rejected: it is none.
    """
    try:
        page = _decode_page(body)
    except UNREADABLE as error:
        raise Rejected(f"Expected a list of trades, was something else ({error})") from error
    return [
        VenueTrade(
            market,
            str(bounded(row.id, "trade id")),
            row.id,
            row.price,
            row.qty,
            "sell" if row.isBuyerMaker else "buy",
            bounded(row.time, "time"),
        )
        for row in page
    ]


def parse_markets(body: bytes) -> dict[str, Market]:
    """Read base and quote of symbols from an `exchangeInfo` answer.

    Raises:
        Rejected: it is none.
    """
    try:
        info = _decode_info(body)
    except UNREADABLE as error:
        raise Rejected(f"Expected exchangeInfo, was something else ({error})") from error
    found = {}
    for row in info.symbols:
        base, multiplier = unpacked(row.baseAsset)
        found[row.symbol] = Market(row.symbol, base, row.quoteAsset, multiplier)
    return found
