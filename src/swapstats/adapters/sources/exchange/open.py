"""Sources of exchanges by name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from swapstats.adapters.sources.exchange.binance.endpoints import SPOT, USDM
from swapstats.adapters.sources.exchange.binance.venue import BinanceSpot, BinanceUsdm
from swapstats.adapters.sources.exchange.bybit import endpoints as bybit_endpoints
from swapstats.adapters.sources.exchange.bybit.venue import Bybit
from swapstats.adapters.sources.exchange.coinbase import endpoints as coinbase_endpoints
from swapstats.adapters.sources.exchange.coinbase.venue import Coinbase
from swapstats.adapters.sources.exchange.generic.client import CcxtClient
from swapstats.adapters.sources.exchange.generic.source import GenericSource
from swapstats.adapters.sources.exchange.inbox import Inbox
from swapstats.adapters.sources.exchange.kraken import endpoints as kraken_endpoints
from swapstats.adapters.sources.exchange.kraken.venue import Kraken
from swapstats.adapters.sources.exchange.link import FRAME_BYTES_MAX, Link, open_link
from swapstats.adapters.sources.exchange.okx import endpoints as okx_endpoints
from swapstats.adapters.sources.exchange.okx.venue import Okx
from swapstats.adapters.sources.exchange.options import Options
from swapstats.adapters.sources.exchange.pace import Pace
from swapstats.adapters.sources.exchange.rate_budget import RateBudget
from swapstats.adapters.sources.exchange.rest import words
from swapstats.adapters.sources.exchange.source import ExchangeSource
from swapstats.adapters.sources.exchange.venue import Venue
from swapstats.adapters.system_clock import SystemClock
from swapstats.errors import UsageError
from swapstats.ports.clock import Clock
from swapstats.ports.source import Source

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

EndpointsT = TypeVar("EndpointsT", bound="DataclassInstance")
VenueMaker = Callable[[str, str, str], Venue]
"""Makes a venue from a stream address, a REST address and a key; empty = its own, or none."""


def _at(public: EndpointsT, stream_url: str, rest_url: str) -> EndpointsT:
    """An exchange's addresses, with those that are given in place of its own."""
    given = {"stream_url": stream_url, "rest_url": rest_url}
    return replace(public, **{name: url for name, url in given.items() if url})


VENUES: Final[Mapping[str, VenueMaker]] = MappingProxyType(
    {
        "binance": lambda stream, rest, _: BinanceSpot(_at(SPOT, stream, rest)),
        "binance-usdm": lambda stream, rest, key: BinanceUsdm(_at(USDM, stream, rest), key),
        "bybit": lambda stream, rest, _: Bybit(_at(bybit_endpoints.PUBLIC, stream, rest)),
        "coinbase": lambda stream, rest, _: Coinbase(_at(coinbase_endpoints.PUBLIC, stream, rest)),
        "kraken": lambda stream, rest, _: Kraken(_at(kraken_endpoints.PUBLIC, stream, rest)),
        "okx": lambda stream, rest, _: Okx(_at(okx_endpoints.PUBLIC, stream, rest)),
    }
)
"""Every exchange by its venue name."""
GENERIC: Final = "generic-"
"""Before the name of an exchange as ccxt calls it: best effort, for those not above."""


class Budgets:
    """One budget for each exchange that counts requests, shared by all its sources."""

    def __init__(self) -> None:
        self._budgets: dict[str, RateBudget] = {}

    def of(self, venue: Venue) -> RateBudget:
        """The budget of an exchange."""
        facts = venue.facts
        if facts.rest_host not in self._budgets:
            self._budgets[facts.rest_host] = RateBudget(facts.weight_max, facts.weight_span_ms)
        return self._budgets[facts.rest_host]


def venue_named(name: str, *, stream_url: str = "", rest_url: str = "", api_key: str = "") -> Venue:
    """Make a venue.

    Args:
        name: of VENUES.
        stream_url: address of its streams, without a slash at the end; empty = the exchange's.
        rest_url: address of its REST API, likewise.
        api_key: key of an account, where history asks for one.

    Raises:
        UsageError: there is no such venue.
    """
    if name not in VENUES:
        raise UsageError(f"Expected a venue of {', '.join(VENUES)}, was {name!r}")
    return VENUES[name](stream_url.rstrip("/"), rest_url.rstrip("/"), api_key)


def exchange_source(
    name: str,
    symbols: Sequence[str],
    clock: Clock,
    *,
    stream_url: str = "",
    rest_url: str = "",
    api_key: str = "",
    budgets: Budgets | None = None,
    options: Options = Options(),  # noqa: B008 - frozen
) -> Source:
    """Make the source of a venue: raw events of its trades.

    Args:
        name: of VENUES, or GENERIC and an exchange that ccxt knows.
        symbols: markets, as the exchange writes them; for GENERIC as ccxt does, `BTC/USDT`.
        clock: monotonic clock.
        stream_url: see `venue_named`.
        rest_url: see `venue_named`.
        api_key: see `venue_named`.
        budgets: shared by all sources of a process.
        options: bounds and spans.

    Raises:
        UsageError: there is no such venue, or ccxt is not installed.
        Rejected: no symbol, one twice, or too many.
    """
    if name.startswith(GENERIC):
        exchange_id = name.removeprefix(GENERIC)
        return GenericSource(CcxtClient(exchange_id), exchange_id, symbols)
    venue = venue_named(name, stream_url=stream_url, rest_url=rest_url, api_key=api_key)
    budget = budgets.of(venue) if budgets is not None else None
    return ExchangeSource(venue, symbols, clock, budget=budget, options=options)


async def reachable(venue: Venue, timeout_ms: int = 3_000) -> tuple[bool, str]:
    """Try to open a trade stream.

    Args:
        venue: the exchange.
        timeout_ms: how long to try, in milliseconds.

    Returns:
        Whether it worked, and a sentence saying so or why not.
    """
    title = venue.facts.title
    opening = venue.opening([venue.facts.example])
    link = Link(0, opening, venue.facts, Inbox(1, FRAME_BYTES_MAX), SystemClock(), Pace(0))
    try:
        await open_link(link, opening.url, timeout_ms)
    except TimeoutError:
        return False, f"{title} did not answer within {timeout_ms / 1_000:g} s"
    except OSError as error:
        return False, f"{title} cannot be reached ({words(error)})"
    await link.close("it was a trial")
    return True, f"{title} can be reached"
