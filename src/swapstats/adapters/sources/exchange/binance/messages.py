"""What Binance sends, field by field, with its own names. Nothing is converted here."""

import msgspec


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One public trade of a `@trade` stream.

    Attributes:
        e: event type, `trade`.
        s: symbol.
        t: trade id, dense within a symbol.
        p: price in quote units, decimal text.
        q: quantity in base units, decimal text.
        T: trade time, ms since epoch.
        m: whether the buyer was the maker: True = the taker sold.
        X: what made it, in futures: `MARKET`, or a liquidation's settlement, which the history
            does not hold.
    """

    e: str
    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool
    X: str = "MARKET"


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One frame of a combined stream.

    Attributes:
        stream: name such as `btcusdt@trade`; None for answers to commands.
        data: the event; None for answers to commands.
    """

    stream: str | None = None
    data: Trade | None = None


class PastTrade(msgspec.Struct, frozen=True, gc=False):
    """One trade as `trades` and `historicalTrades` answer it.

    Attributes:
        id: trade id, the same as `t` of the stream.
        price: decimal text.
        qty: quantity in base units, decimal text.
        time: trade time, ms since epoch.
        isBuyerMaker: True = the taker sold.
    """

    id: int
    price: str
    qty: str
    time: int
    isBuyerMaker: bool  # noqa: N815 - Binance's spelling


class Symbol(msgspec.Struct, frozen=True):
    """One symbol of `exchangeInfo`."""

    symbol: str
    baseAsset: str  # noqa: N815 - Binance's spelling
    quoteAsset: str  # noqa: N815 - Binance's spelling


class ExchangeInfo(msgspec.Struct, frozen=True):
    """The part of `exchangeInfo` that is needed."""

    symbols: list[Symbol]
