"""Kraken's spot market as a `Venue`: channel `trade` of WebSocket v2. Ids are dense.

History has no ids to ask by, only times: the trades of two milliseconds must fit a page of 1,000.
"""

from collections.abc import Sequence
from functools import partial

from swapstats.adapters.sources.exchange.kraken.endpoints import (
    PUBLIC,
    STREAMS_MAX,
    Endpoints,
    subscription,
)
from swapstats.adapters.sources.exchange.kraken.parse import (
    parse_frame,
    parse_markets,
    parse_page,
    rest_pair,
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
    name="kraken",
    title="Kraken",
    id_rule=IdRule.DENSE,
    paging=Paging.FORWARD,
    rest_host="api.kraken.com",
    weight_max=2,  # one in a second, by Kraken's advice
    weight_span_ms=2_000,
    streams_max=STREAMS_MAX,
    lifetime_ms=23 * HOUR_MS,
    built_in_markets={
        f"{base}/{quote}": Market(f"{base}/{quote}", base, quote)
        for base in _BUILT_IN_BASES.split()
        for quote in ("USD", "EUR")
    },
    example="BTC/USD",
)


class Kraken:
    """Single trades by `trade`, each subscription with the last 50; history by time.

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
            Rejected: the frame is not what Kraken is known to send.
        """
        return parse_frame(frame)

    def page(self, market: str, after: Mark, before: Mark | None) -> Ask[list[VenueTrade]]:  # noqa: ARG002 - the port's
        """Ask for the oldest trades from the time of one on."""
        url = self._endpoints.trades_since(rest_pair(market), after.time_ms)
        return Ask(url, 1, partial(parse_page, market))

    def market_list(self, symbols: Sequence[str]) -> Ask[dict[str, Market]]:  # noqa: ARG002 - the port's
        """Ask what all symbols stand for: an unknown one among those asked for refuses all."""
        return Ask(self._endpoints.pairs(), 1, parse_markets)
