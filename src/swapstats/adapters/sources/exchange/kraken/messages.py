"""What Kraken sends, field by field, with its own names. Nothing is converted here.

Streams are those of WebSocket v2; in v1 trades have no ids. REST has one version only, with names
of assets and pairs of its own (`XXBT`, `ZUSD`, `XXBTZUSD`).
"""

import msgspec


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One frame of WebSocket v2: of a channel, or an answer to a command.

    Attributes:
        channel: `trade`, `status`, `heartbeat`; empty for answers.
        type: `snapshot` or `update`.
        data: what the channel says, not decoded.
        method: of an answer: the command, such as `subscribe`.
        success: of an answer: whether it was done.
        error: of an answer: why not.
    """

    channel: str = ""
    type: str = ""
    data: msgspec.Raw = msgspec.Raw()
    method: str = ""
    success: bool = True
    error: str = ""


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One trade of the channel `trade`.

    Attributes:
        symbol: such as `BTC/USD`.
        side: the taker's, `buy` or `sell`.
        price: in quote units; a JSON number, kept as its text since a float would not be exact.
        qty: in base units; the same.
        trade_id: dense within a symbol.
        timestamp: RFC 3339, microseconds.
    """

    symbol: str
    side: str
    price: msgspec.Raw
    qty: msgspec.Raw
    trade_id: int
    timestamp: str


class RestTrade(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One trade of `Trades`, oldest first, an array; the pair is the key of the list.

    Attributes:
        price: in quote units, decimal text.
        volume: in base units, decimal text.
        time: seconds since epoch with a fraction; a JSON number, kept as its text.
        side: the taker's, `b` or `s`.
        order_type: the taker's, `m` or `l`.
        misc: nothing of interest.
        trade_id: as in the stream.
    """

    price: str
    volume: str
    time: msgspec.Raw
    side: str
    order_type: str
    misc: str
    trade_id: int


class Answer(msgspec.Struct, frozen=True):
    """What every REST answer is wrapped in.

    Attributes:
        error: sentences; empty if all went well.
        result: by pair; in `Trades`, the key `last` holds where the next page begins.
    """

    error: list[str] = []
    result: dict[str, msgspec.Raw] = {}


class AssetPair(msgspec.Struct, frozen=True):
    """One pair of `AssetPairs`.

    Attributes:
        altname: name that other REST requests take, such as `XBTUSD`.
        wsname: the assets as streams of v1 wrote them, `XBT/USD`; missing for pairs without one.
    """

    altname: str
    wsname: str = ""
