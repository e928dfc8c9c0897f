"""What Bybit sends (API v5), field by field, with its own names. Nothing is converted here."""

import msgspec


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One frame: of a topic, or an answer to a command.

    Attributes:
        topic: such as `publicTrade.BTCUSDT`; empty for answers.
        data: trades, not decoded.
        op: of an answer: `subscribe`, `ping`, `pong`, …
        success: of an answer: whether it was done.
        ret_msg: of an answer: why not, or `pong`.
    """

    topic: str = ""
    data: msgspec.Raw = msgspec.Raw()
    op: str = ""
    success: bool = True
    ret_msg: str = ""


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One trade of topic `publicTrade`, in order of time.

    Its `seq` is not read: many trades share one, and pages of history did not always have it.

    Attributes:
        T: time of the trade, ms since epoch.
        s: symbol.
        S: the taker's side, `Buy` or `Sell`.
        v: quantity in base units, decimal text.
        p: price in quote units, decimal text.
        i: id, opaque: nothing can be told from it about what came before.
    """

    T: int
    s: str
    S: str
    v: str
    p: str
    i: str


class RestTrade(msgspec.Struct, frozen=True, gc=False):
    """One trade of `recent-trade`, newest first.

    Attributes:
        execId: id, as in the stream.
        symbol: symbol.
        price: in quote units, decimal text.
        size: in base units, decimal text.
        side: the taker's side, `Buy` or `Sell`.
        time: ms since epoch, as text.
    """

    execId: str  # noqa: N815 - Bybit's spelling
    symbol: str
    price: str
    size: str
    side: str
    time: str


class Instrument(msgspec.Struct, frozen=True):
    """One instrument of `instruments-info`."""

    symbol: str
    baseCoin: str  # noqa: N815 - Bybit's spelling
    quoteCoin: str  # noqa: N815 - Bybit's spelling


class Page(msgspec.Struct, frozen=True):
    """The result of a REST answer that lists something.

    Attributes:
        list: rows, not decoded.
        nextPageCursor: where the next page begins; empty at the end.
    """

    list: msgspec.Raw = msgspec.Raw(b"[]")
    nextPageCursor: str = ""  # noqa: N815 - Bybit's spelling


class Answer(msgspec.Struct, frozen=True):
    """What every REST answer is wrapped in.

    Attributes:
        retCode: 0 if all went well.
        retMsg: what went wrong.
        result: the page.
    """

    retCode: int  # noqa: N815 - Bybit's spelling
    retMsg: str = ""  # noqa: N815 - Bybit's spelling
    result: Page = Page()
