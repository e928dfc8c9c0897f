"""Coinbase Exchange as a `Venue`: its channel `matches`. Ids are dense within a product."""

from collections.abc import Sequence
from functools import partial

from swapstats.adapters.sources.exchange.coinbase.endpoints import (
    PUBLIC,
    STREAMS_MAX,
    Endpoints,
    subscription,
)
from swapstats.adapters.sources.exchange.coinbase.parse import (
    parse_frame,
    parse_markets,
    parse_page,
)
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
_BUILT_IN_BASES = "BTC ETH SOL XRP DOGE ADA LINK AVAX LTC BCH UNI AAVE DOT"

FACTS = VenueFacts(
    name="coinbase",
    title="Coinbase",
    id_rule=IdRule.DENSE,
    paging=Paging.BACKWARD,
    rest_host="api.exchange.coinbase.com",
    weight_max=10,
    weight_span_ms=1_000,
    streams_max=STREAMS_MAX,
    lifetime_ms=23 * HOUR_MS,
    built_in_markets={
        f"{base}-{quote}": Market(f"{base}-{quote}", base, quote)
        for base in _BUILT_IN_BASES.split()
        for quote in ("USD", "EUR")
    },
    example="BTC-USD",
)


class Coinbase:
    """Single trades by `matches`, each subscription with the last one; history by id.

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
        """Read the trade of a frame.

        Raises:
            Rejected: the frame is not what Coinbase is known to send.
        """
        return parse_frame(frame)

    def page(self, market: str, after: Mark, before: Mark | None) -> Ask[list[VenueTrade]]:  # noqa: ARG002 - the port's
        """Ask for the newest trades up to one, it included."""
        url = self._endpoints.trades_below(market, None if before is None else before.order + 1)
        return Ask(url, 1, partial(parse_page, market))

    def market_list(self, symbols: Sequence[str]) -> Ask[dict[str, Market]]:  # noqa: ARG002 - the port's
        """Ask what all symbols stand for."""
        return Ask(self._endpoints.products(), 1, parse_markets)
