"""What the shared session must know about one exchange: the `Venue`, and the values it speaks in.

A venue does no I/O and keeps no state. It says where to connect and what to send there, reads what
comes, and says how to ask for what is missing; connections, gaps, waiting and limits are the
session's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final, Generic, Protocol, TypeVar

import msgspec

AnswerT_co = TypeVar("AnswerT_co", covariant=True)

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class IdRule(Enum):
    """What the ids of a market's trades tell.

    DENSE: whole numbers, each one more than the last: a missing one is seen at once.
    ORDERED: whole numbers that rise, with holes of their own: whatever came before the first
        trade of a connection is asked for.
    OPAQUE: nothing; two connections at a time, and pages compared with what was seen.
    """

    DENSE = "dense"
    ORDERED = "ordered"
    OPAQUE = "opaque"


class Paging(Enum):
    """Which trades a page of the exchange's history holds.

    FORWARD: the oldest ones after `after`, up to the page's size.
    BACKWARD: the newest ones up to `before`, which is among them (all there are, without one).
    NEWEST: the newest ones there are, whatever is asked.
    """

    FORWARD = "forward"
    BACKWARD = "backward"
    NEWEST = "newest"


class VenueTrade(msgspec.Struct, frozen=True, gc=False):
    """One public trade, in the exchange's words.

    Attributes:
        market: symbol as the exchange writes it, upper case.
        trade_id: the exchange's id.
        order: the id as a number (DENSE, ORDERED); for OPAQUE whatever rises with time.
        price: quote units for one unit of `quantity`, plain decimal text.
        quantity: units of the market, plain decimal text.
        side: `buy` or `sell`, the taker's.
        time_ms: time of the trade, ms since epoch, the exchange's clock.
        is_public: False if it is none of the market and not in the exchange's history: only its
            id counts.
    """

    market: str
    trade_id: str
    order: int
    price: str
    quantity: str
    side: str
    time_ms: int
    is_public: bool = True


class Mark(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A place among the trades of a market: that of one trade.

    Attributes:
        order: as `VenueTrade.order`.
        trade_id: as `VenueTrade.trade_id`.
        time_ms: as `VenueTrade.time_ms`.
    """

    order: int
    trade_id: str
    time_ms: int

    @staticmethod
    def of(trade: VenueTrade) -> "Mark":
        """The place of a trade."""
        return Mark(trade.order, trade.trade_id, trade.time_ms)


@dataclass(frozen=True, slots=True)
class Market:
    """What a symbol stands for.

    Attributes:
        symbol: as the exchange writes it.
        base: the asset traded, multiplier taken off (see `multipliers.py`).
        quote: the asset it is paid in.
        multiplier: base units in one unit of quantity.
    """

    symbol: str
    base: str
    quote: str
    multiplier: int = 1


@dataclass(frozen=True, slots=True)
class VenueFacts:
    """What is fixed about an exchange.

    Attributes:
        name: venue as raw events name it, such as `binance-usdm`.
        title: for people, such as `Binance USD-M`.
        id_rule: what trade ids tell.
        paging: what a page of history holds.
        rest_host: who counts requests: venues with the same one share a budget.
        weight_max: weight of requests allowed in `weight_span_ms`, from one address.
        weight_span_ms: that span.
        streams_max: markets one connection may carry.
        lifetime_ms: age at which a connection is replaced, before the exchange cuts it off.
        connections: connections that carry the same markets at the same time.
        ping: text to be sent every `ping_ms`; empty if WebSocket's own pings do.
        ping_ms: how often.
        built_in_markets: for when the list of markets cannot be had.
        example: a symbol, for messages to people and to try whether the exchange is there.
    """

    name: str
    title: str
    id_rule: IdRule
    paging: Paging
    rest_host: str
    weight_max: int
    weight_span_ms: int
    streams_max: int
    lifetime_ms: int
    connections: int = 1
    ping: str = ""
    ping_ms: int = 0
    built_in_markets: Mapping[str, Market] = field(default_factory=dict)
    example: str = "BTCUSDT"


@dataclass(frozen=True, slots=True)
class Opening:
    """How a connection is opened.

    Attributes:
        url: address of the WebSocket.
        frames: texts to be sent once it is open, such as subscriptions.
    """

    url: str
    frames: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Ask(Generic[AnswerT_co]):
    """A question to the REST API.

    Attributes:
        url: address, for GET.
        weight: what it costs of the budget.
        read: reads the body of an answer with status 200. Raises Rejected if asking again is no
            use, Transient if it is.
        headers: to be sent with it.
    """

    url: str
    weight: int
    read: Callable[[bytes], AnswerT_co]
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)


class Venue(Protocol):
    """One exchange."""

    @property
    def facts(self) -> VenueFacts:
        """What is fixed about it."""
        ...

    def opening(self, markets: Sequence[str]) -> Opening:
        """How to be sent the trades of some markets, `streams_max` at most."""
        ...

    def read(self, frame: str | bytes) -> Sequence[VenueTrade]:
        """Read the trades of a frame; none if it is something else that is known to come.

        Raises:
            Rejected: the frame is not what the exchange is known to send.
        """
        ...

    def page(self, market: str, after: Mark, before: Mark | None) -> Ask[list[VenueTrade]]:
        """Ask for trades after one and before another, by `facts.paging`.

        Answers may hold more than was asked for, in any order.

        Args:
            market: symbol.
            after: the last trade known before those.
            before: the first trade known after those; None = all there are.
        """
        ...

    def market_list(self, symbols: Sequence[str]) -> Ask[dict[str, Market]]:
        """Ask what symbols stand for; the answer may hold more of them."""
        ...
