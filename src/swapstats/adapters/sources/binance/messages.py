"""What Binance sends, field by field, with its own names. Nothing is converted here."""

import msgspec


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One public trade.

    Attributes:
        e: event type, `trade`.
        s: symbol.
        t: trade id, dense within a symbol.
        p: price in quote units, decimal text.
        q: quantity in base units, decimal text.
        T: trade time, ms since epoch.
        m: whether the buyer was the maker: True = the taker sold.
    """

    e: str
    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One frame of a combined stream.

    Attributes:
        stream: name such as `btcusdt@trade`; None for answers to commands.
        data: the event, not decoded.
    """

    stream: str | None = None
    data: msgspec.Raw = msgspec.Raw()


class Symbol(msgspec.Struct, frozen=True):
    """One symbol of `exchangeInfo`."""

    symbol: str
    baseAsset: str  # noqa: N815 - Binance's spelling
    quoteAsset: str  # noqa: N815 - Binance's spelling


class ExchangeInfo(msgspec.Struct, frozen=True):
    """The part of `exchangeInfo` that is needed."""

    symbols: list[Symbol]


class Refusal(msgspec.Struct, frozen=True):
    """An error answer of the REST API."""

    code: int = 0
    msg: str = ""
