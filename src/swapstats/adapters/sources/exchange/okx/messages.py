"""What OKX sends (API v5), field by field, with its own names. Nothing is converted here."""

import msgspec


class Channel(msgspec.Struct, frozen=True, gc=False):
    """What a frame is about.

    Attributes:
        channel: `trades-all` (each trade) or `trades` (trades of one order at one price as one).
        instId: instrument, such as `BTC-USDT`.
    """

    channel: str = ""
    instId: str = ""  # noqa: N815 - OKX's spelling


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One frame: trades, or an answer to a command.

    Attributes:
        arg: channel and instrument.
        data: trades, not decoded.
        event: of an answer: `subscribe`, `error`, `notice`, …
        code: of an `error` or `notice`: its number.
        msg: of an `error` or `notice`: what happened.
    """

    arg: Channel = Channel()
    data: msgspec.Raw = msgspec.Raw()
    event: str = ""
    code: str = ""
    msg: str = ""


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One trade, of a stream or of REST (`trades`, `history-trades`: newest first).

    Attributes:
        instId: instrument.
        tradeId: dense within an instrument, decimal text.
        px: price in quote units, decimal text.
        sz: quantity, spot: in base units; decimal text.
        side: the taker's, `buy` or `sell`.
        ts: time of the trade, ms since epoch, as text.
        count: of channel `trades`: how many trades were put together, the last of them `tradeId`.
    """

    instId: str  # noqa: N815 - OKX's spelling
    tradeId: str  # noqa: N815 - OKX's spelling
    px: str
    sz: str
    side: str
    ts: str
    count: str = "1"


class Instrument(msgspec.Struct, frozen=True):
    """One instrument of `public/instruments`.

    Attributes:
        instId: its name.
        instType: `SPOT`, `SWAP`, …
        baseCcy: asset traded; empty where there is none (swaps).
        quoteCcy: asset it is paid in.
    """

    instId: str  # noqa: N815 - OKX's spelling
    instType: str = ""  # noqa: N815 - OKX's spelling
    baseCcy: str = ""  # noqa: N815 - OKX's spelling
    quoteCcy: str = ""  # noqa: N815 - OKX's spelling


class Answer(msgspec.Struct, frozen=True):
    """What every REST answer is wrapped in.

    Attributes:
        code: `0` if all went well.
        msg: what went wrong.
        data: rows, not decoded.
    """

    code: str
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")
