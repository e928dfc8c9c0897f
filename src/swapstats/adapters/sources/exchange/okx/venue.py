"""OKX's spot market as a `Venue`: channel `trades-all`. Ids are dense within an instrument.

The channel `trades` is not used: it puts the trades of one order at one price together under the
last one's id, and the history tells each by itself.
"""

from collections.abc import Sequence
from functools import partial

from swapstats.adapters.sources.exchange.okx.endpoints import (
    PUBLIC,
    STREAMS_MAX,
    Endpoints,
    subscription,
)
from swapstats.adapters.sources.exchange.okx.parse import parse_frame, parse_markets, parse_page
from swapstats.adapters.sources.exchange.venue import (
    Ask,
    IdRule,
    Mark,
    Market,
    Opening,
    Paging,
    VenueFacts,
    VenueTrade,
)

HOUR_MS = 3_600_000
_BUILT_IN_BASES = "BTC ETH SOL XRP DOGE ADA LINK AVAX LTC BCH UNI AAVE DOT TON PEPE"

FACTS = VenueFacts(
    name="okx",
    title="OKX",
    id_rule=IdRule.DENSE,
    paging=Paging.BACKWARD,
    rest_host="www.okx.com",
    weight_max=20,
    weight_span_ms=2_000,
    streams_max=STREAMS_MAX,
    lifetime_ms=23 * HOUR_MS,
    ping="ping",
    ping_ms=20_000,  # OKX hangs up after 30 s without a word
    built_in_markets={
        f"{base}-{quote}": Market(f"{base}-{quote}", base, quote)
        for base in _BUILT_IN_BASES.split()
        for quote in ("USDT", "USDC")
    },
    example="BTC-USDT",
)


class Okx:
    """Single trades by `trades-all`; history of three months by id, newest first.

    Args:
        endpoints: the exchange's addresses.
    """

    def __init__(self, endpoints: Endpoints = PUBLIC) -> None:
        self._endpoints = endpoints

    @property
    def facts(self) -> VenueFacts:
        """What is fixed about it."""
        return FACTS

    def opening(self, markets: Sequence[str]) -> Opening:
        """How to be sent the trades of some markets."""
        return Opening(self._endpoints.stream(), (subscription(markets),))

    def read(self, frame: str | bytes) -> list[VenueTrade]:
        """Read the trades of a frame.

        Raises:
            Rejected: the frame is not what OKX is known to send.
        """
        return parse_frame(frame)

    def page(self, market: str, after: Mark, before: Mark | None) -> Ask[list[VenueTrade]]:  # noqa: ARG002 - the port's
        """Ask for the newest trades up to one, it included."""
        url = self._endpoints.trades_below(market, None if before is None else before.order + 1)
        return Ask(url, 1, partial(parse_page, market))

    def market_list(self, symbols: Sequence[str]) -> Ask[dict[str, Market]]:  # noqa: ARG002 - the port's
        """Ask what all symbols stand for."""
        return Ask(self._endpoints.instruments(), 1, parse_markets)
