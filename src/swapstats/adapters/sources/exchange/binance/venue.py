"""Binance as a `Venue`: spot and USD-M futures. They share symbols, not ids."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from swapstats.adapters.sources.exchange.binance.endpoints import (
    SPOT,
    SPOT_PAGE_TRADES,
    SPOT_STREAMS_MAX,
    USDM,
    USDM_NEWEST_TRADES,
    USDM_PAGE_TRADES,
    USDM_STREAMS_MAX,
    Endpoints,
)
from swapstats.adapters.sources.exchange.binance.parse import (
    SPOT_MARKETS,
    USDM_MARKETS,
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

MINUTE_MS = 60_000
LIFETIME_MS = 23 * 60 * MINUTE_MS
"""Binance cuts a connection off at 24 h."""

SPOT_FACTS = VenueFacts(
    name="binance",
    title="Binance",
    id_rule=IdRule.DENSE,
    paging=Paging.FORWARD,
    rest_host="api.binance.com",
    weight_max=6_000,
    weight_span_ms=MINUTE_MS,
    streams_max=SPOT_STREAMS_MAX,
    lifetime_ms=LIFETIME_MS,
    built_in_markets=SPOT_MARKETS,
)
USDM_FACTS = VenueFacts(
    name="binance-usdm",
    title="Binance USD-M",
    id_rule=IdRule.DENSE,
    paging=Paging.NEWEST,
    rest_host="fapi.binance.com",
    weight_max=2_400,
    weight_span_ms=MINUTE_MS,
    streams_max=USDM_STREAMS_MAX,
    lifetime_ms=LIFETIME_MS,
    built_in_markets=USDM_MARKETS,
)
SPOT_PAGE_WEIGHT = 25
SPOT_INFO_WEIGHT = 20
USDM_NEWEST_WEIGHT = 5
USDM_PAGE_WEIGHT = 200
USDM_INFO_WEIGHT = 1


class BinanceSpot:
    """Single trades of the spot market, by `@trade`; history by id, without a key.

    Args:
        endpoints: the exchange's addresses.
    """

    def __init__(self, endpoints: Endpoints = SPOT) -> None:
        self._endpoints = endpoints

    @property
    def facts(self) -> VenueFacts:
        """What is fixed about it."""
        return SPOT_FACTS

    def opening(self, markets: Sequence[str]) -> Opening:
        """How to be sent the trades of some markets: their names are in the address."""
        return Opening(self._endpoints.streams(markets))

    def read(self, frame: str | bytes) -> list[VenueTrade]:
        """Read the trade of a frame.

        Raises:
            Rejected: the frame is not what Binance is known to send.
        """
        return parse_frame(frame)

    def page(self, market: str, after: Mark, before: Mark | None) -> Ask[list[VenueTrade]]:  # noqa: ARG002 - the port's
        """Ask for the trades from an id on."""
        url = self._endpoints.trades_from(market, after.order + 1, SPOT_PAGE_TRADES)
        return Ask(url, SPOT_PAGE_WEIGHT, partial(parse_page, market))

    def market_list(self, symbols: Sequence[str]) -> Ask[dict[str, Market]]:
        """Ask what the symbols stand for."""
        return Ask(self._endpoints.exchange_info(symbols), SPOT_INFO_WEIGHT, parse_markets)


class BinanceUsdm:
    """Single trades of USD-M futures, by `@trade`.

    Their history by id is for holders of a key only. Without one, the newest thousand trades
    are all there is to fill a gap with. Aggregated trades have ids of their own and are not used.

    Args:
        endpoints: the exchange's addresses.
        api_key: key of an account, without any right; empty = none.
    """

    def __init__(self, endpoints: Endpoints = USDM, api_key: str = "") -> None:
        self._endpoints = endpoints
        self._headers = {"X-MBX-APIKEY": api_key} if api_key else {}
        paging = Paging.FORWARD if api_key else Paging.NEWEST
        self._facts = replace(USDM_FACTS, paging=paging)

    @property
    def facts(self) -> VenueFacts:
        """What is fixed about it."""
        return self._facts

    def opening(self, markets: Sequence[str]) -> Opening:
        """How to be sent the trades of some markets: their names are in the address."""
        return Opening(self._endpoints.streams(markets))

    def read(self, frame: str | bytes) -> list[VenueTrade]:
        """Read the trade of a frame.

        Raises:
            Rejected: the frame is not what Binance is known to send.
        """
        return parse_frame(frame)

    def page(self, market: str, after: Mark, before: Mark | None) -> Ask[list[VenueTrade]]:  # noqa: ARG002 - the port's
        """Ask for the trades from an id on; without a key, for the newest ones."""
        read = partial(parse_page, market)
        if not self._headers:
            url = self._endpoints.newest_trades(market, USDM_NEWEST_TRADES)
            return Ask(url, USDM_NEWEST_WEIGHT, read)
        url = self._endpoints.trades_from(market, after.order + 1, USDM_PAGE_TRADES)
        return Ask(url, USDM_PAGE_WEIGHT, read, self._headers)

    def market_list(self, symbols: Sequence[str]) -> Ask[dict[str, Market]]:  # noqa: ARG002 - the port's
        """Ask what all symbols stand for: futures know no list of some."""
        return Ask(self._endpoints.exchange_info(()), USDM_INFO_WEIGHT, parse_markets)
