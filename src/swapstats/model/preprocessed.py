"""What the preprocessor makes of raw events, as values: who calls it carries them out."""

from dataclasses import dataclass, field

import msgspec

MINUTE_MS = 60_000


class Candle(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One minute of one token: whole values to be put in place of what was there.

    Prices are in USD, decimal text; they come from trades with a USD amount only.

    Attributes:
        token: token key.
        minute_ms: begin of the minute, ms since epoch.
        open: first price, by event order.
        high: highest.
        low: lowest.
        close: last.
        volume_usd: sum of USD amounts, 6 places.
        volume_token: sum of token amounts, 18 places.
        trades: number of priced trades; 0 = the candle is to be deleted.
    """

    token: str
    minute_ms: int
    open: str
    high: str
    low: str
    close: str
    volume_usd: str
    volume_token: str
    trades: int


class TokenPrice(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The newest price of a token.

    `source` `none` and price 0: it has none any more, its only trade left the chain.

    Attributes:
        token: token key.
        price_usd: USD for one token, decimal text.
        source: where the price comes from, as `price_source` of the swap.
        event_time: of the trade that made it, ms; or of a newer one that left the chain.
    """

    token: str
    price_usd: str
    source: str
    event_time: int


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """A raw event that became no swap.

    Attributes:
        index: place within the batch.
        reason: a short name such as `bad_json`, `dust`, `denied`, `not_representable`.
        detail: one sentence for people.
        is_letter: whether it is kept as a dead letter; what was filtered on purpose only counts.
    """

    index: int
    reason: str
    detail: str
    is_letter: bool


@dataclass(frozen=True, slots=True)
class Preprocessed:
    """What one batch of raw events became.

    Attributes:
        swaps: wire v1 messages, in the order of their raw events.
        origins: for each of `swaps`, the index of its raw event within the batch.
        refused: raw events that became none.
        candles: candles that changed, with their values after the batch.
        prices: newest prices that changed.
        counts: swaps by `price_source`, flags by name, and what candles left out: `candle_late`
            (their minute is closed), `candle_full` (more trades than may be held).
    """

    swaps: list[bytes]
    origins: list[int]
    refused: list[RefusedEvent]
    candles: list[Candle]
    prices: list[TokenPrice]
    counts: dict[str, int] = field(default_factory=dict)
