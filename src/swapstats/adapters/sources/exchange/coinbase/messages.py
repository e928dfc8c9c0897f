"""What Coinbase Exchange sends, field by field, with its own names. Nothing is converted here."""

import msgspec


class Kind(msgspec.Struct, frozen=True, gc=False):
    """What every frame of the feed says about itself.

    Attributes:
        type: `match`, `last_match`, `heartbeat`, `subscriptions`, `error`; new ones may come.
        message: of an `error`: what failed.
        reason: of an `error`: why.
    """

    type: str
    message: str = ""
    reason: str = ""


class Match(msgspec.Struct, frozen=True, gc=False):
    """One trade of the channel `matches`; `last_match` is the newest one before the subscription.

    Attributes:
        trade_id: dense within a product.
        side: the MAKER's side: `sell` = the taker bought.
        size: in base units, decimal text.
        price: in quote units, decimal text.
        product_id: such as `BTC-USD`.
        time: RFC 3339, microseconds.
    """

    trade_id: int
    side: str
    size: str
    price: str
    product_id: str
    time: str


class RestTrade(msgspec.Struct, frozen=True, gc=False):
    """One trade of `GET /products/{id}/trades`, newest first; the product is in the address.

    Attributes:
        trade_id: as in the feed.
        side: the MAKER's side, as in the feed.
        size: in base units, decimal text.
        price: in quote units, decimal text.
        time: RFC 3339.
    """

    trade_id: int
    side: str
    size: str
    price: str
    time: str


class Product(msgspec.Struct, frozen=True):
    """One product of `GET /products`."""

    id: str
    base_currency: str
    quote_currency: str
