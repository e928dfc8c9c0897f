"""From Coinbase's messages to trades and markets. Pure: no I/O, no clock, no float.

The side of a trade is the maker's there; it is turned here and nowhere else.
"""

import msgspec

from swapstats.adapters.sources.exchange.coinbase.messages import (
    Kind,
    Match,
    Product,
    RestTrade,
)
from swapstats.adapters.sources.exchange.multipliers import unpacked
from swapstats.adapters.sources.exchange.plain_texts import (
    SHOWN_CHARS_MAX,
    UNREADABLE,
    bounded,
    identifier,
    plain_decimal,
    rfc3339_ms,
    taker_side,
)
from swapstats.adapters.sources.exchange.venue import Market, VenueTrade
from swapstats.errors import Rejected

TRADES = frozenset({"match", "last_match"})
TOLD = frozenset({"heartbeat", "subscriptions"})

_decode_kind = msgspec.json.Decoder(Kind).decode
_decode_match = msgspec.json.Decoder(Match).decode
_decode_page = msgspec.json.Decoder(list[RestTrade]).decode
_decode_products = msgspec.json.Decoder(list[Product]).decode


def parse_frame(frame: str | bytes) -> list[VenueTrade]:
    """Read the trade of a frame; none if it is a heartbeat or an answer.

    Raises:
        Rejected: the frame is not what Coinbase is known to send, or tells an error.
    """
    try:
        kind = _decode_kind(frame)
        if kind.type in TRADES:
            match = _decode_match(frame)
            return [_trade(match, identifier(match.product_id, "product").upper())]
    except UNREADABLE as error:
        raise Rejected(
            f"Expected a frame of Coinbase, was {frame[:SHOWN_CHARS_MAX]!r} ({error})"
        ) from error
    if kind.type in TOLD:
        return []
    if kind.type == "error":
        said = f"{kind.message} ({kind.reason})"[:SHOWN_CHARS_MAX]
        raise Rejected(f"Expected no error, Coinbase says: {said}")
    raise Rejected(f"Expected a frame of Coinbase, was {frame[:SHOWN_CHARS_MAX]!r}")


def parse_page(product: str, body: bytes) -> list[VenueTrade]:
    """Read a page of `GET /products/{product}/trades`.

    Raises:
        Rejected: it is none.
    """
    try:
        rows = _decode_page(body)
    except UNREADABLE as error:
        raise Rejected(
            f"Expected trades of {product}, was {body[:SHOWN_CHARS_MAX]!r} ({error})"
        ) from error
    return [_trade(row, product) for row in rows]


def parse_markets(body: bytes) -> dict[str, Market]:
    """Read base and quote of every product of `GET /products`.

    Raises:
        Rejected: it is no list of products.
    """
    try:
        products = _decode_products(body)
    except UNREADABLE as error:
        raise Rejected(
            f"Expected a list of products, was {body[:SHOWN_CHARS_MAX]!r} ({error})"
        ) from error
    markets = {}
    for product in products:
        symbol = product.id.upper()
        base, multiplier = unpacked(product.base_currency)
        markets[symbol] = Market(symbol, base, product.quote_currency, multiplier)
    return markets


def _trade(row: Match | RestTrade, product: str) -> VenueTrade:
    return VenueTrade(
        market=product,
        trade_id=str(bounded(row.trade_id, "trade_id")),
        order=row.trade_id,
        price=plain_decimal(row.price, "price"),
        quantity=plain_decimal(row.size, "size"),
        side=taker_side(row.side, buy="sell", sell="buy"),  # the maker sold: the taker bought
        time_ms=rfc3339_ms(row.time),
    )
