"""Bybit's spot market as a `Venue`: topic `publicTrade`. Ids tell nothing about order or gaps.

Two connections carry the same markets, and what both missed is taken from the newest 60 trades, as
far as these reach. A gap that is longer than that is lost, and seen only where the page does not
reach back to what was known: no id tells that a trade is missing in between.
"""

from collections.abc import Sequence
from functools import partial

from swapstats.adapters.sources.exchange.bybit.endpoints import (
    PING,
    PUBLIC,
    STREAMS_MAX,
    Endpoints,
    subscriptions,
)
from swapstats.adapters.sources.exchange.bybit.parse import (
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
_BUILT_IN_BASES = "BTC ETH SOL XRP DOGE ADA LINK AVAX LTC BCH UNI AAVE DOT TON PEPE"

FACTS = VenueFacts(
    name="bybit",
    title="Bybit",
    id_rule=IdRule.OPAQUE,
    paging=Paging.NEWEST,
    rest_host="api.bybit.com",
    weight_max=300,  # half of what Bybit allows: who goes beyond is shut out for ten minutes
    weight_span_ms=5_000,
    streams_max=STREAMS_MAX,
    lifetime_ms=23 * HOUR_MS,
    connections=2,
    ping=PING,
    ping_ms=20_000,
    built_in_markets={
        f"{base}{quote}": Market(f"{base}{quote}", base, quote)
        for base in _BUILT_IN_BASES.split()
        for quote in ("USDT", "USDC")
    },
    example="BTCUSDT",
)


class Bybit:
    """Single trades by `publicTrade`, over two connections; the newest 60 by REST.

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
        return Opening(self._endpoints.stream(), subscriptions(markets))

    def read(self, frame: str | bytes) -> list[VenueTrade]:
        """Read the trades of a frame.

        Raises:
            Rejected: the frame is not what Bybit is known to send.
        """
        return parse_frame(frame)

    def page(self, market: str, after: Mark, before: Mark | None) -> Ask[list[VenueTrade]]:  # noqa: ARG002 - the port's
        """Ask for the newest trades there are."""
        return Ask(self._endpoints.newest_trades(market), 1, partial(parse_page, market))

    def market_list(self, symbols: Sequence[str]) -> Ask[dict[str, Market]]:  # noqa: ARG002 - the port's
        """Ask what all symbols stand for."""
        return Ask(self._endpoints.instruments(), 1, parse_markets)
