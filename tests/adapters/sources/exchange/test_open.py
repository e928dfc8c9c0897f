"""Sources by name, and whether an exchange is there."""

import pytest
from tests.adapters.sources.exchange.played import QUICK, TIMEOUT_MS, made, played

from swapstats.adapters.sources.exchange.open import (
    VENUES,
    Budgets,
    exchange_source,
    reachable,
    venue_named,
)
from swapstats.adapters.system_clock import SystemClock
from swapstats.errors import UsageError
from swapstats.testing.exchange_verdict import Collected, all_of


@pytest.mark.parametrize("name", list(VENUES))
def test_each_name_makes_its_venue(name: str) -> None:
    facts = venue_named(name).facts
    assert facts.name == name
    assert facts.weight_max > 0
    opening = venue_named(name, stream_url="ws://here/", rest_url="http://there/").opening(
        [facts.example]
    )
    assert opening.url.startswith("ws://here/")
    assert not opening.url.startswith("ws://here//")


def test_what_is_no_venue() -> None:
    with pytest.raises(UsageError, match=r"Expected a venue of binance, .* was 'nope'"):
        venue_named("nope")


def test_venues_of_one_host_share_a_budget() -> None:
    budgets = Budgets()
    spot, usdm = venue_named("binance"), venue_named("binance-usdm")
    assert budgets.of(spot) is budgets.of(venue_named("binance", rest_url="http://other"))
    assert budgets.of(spot) is not budgets.of(usdm)


async def test_a_source_goes_where_it_is_told_to() -> None:
    recording = made(100)
    got = Collected()
    async with played(recording).serving() as exchange:
        one = exchange_source(
            "binance", ["BTCUSDT"], SystemClock(), stream_url=exchange.stream_url,
            rest_url=exchange.rest_url, budgets=Budgets(), options=QUICK,
        )  # fmt: skip
        assert one.name == "binance"
        await got.read(one, all_of(recording), TIMEOUT_MS)
    got.check(recording)


async def test_an_exchange_is_there_or_not() -> None:
    async with played([]).serving() as exchange:
        venue = venue_named("binance", stream_url=exchange.stream_url)
        assert await reachable(venue) == (True, "Binance can be reached")
    is_there, why = await reachable(venue)
    assert not is_there
    assert why.startswith("Binance cannot be reached (")
