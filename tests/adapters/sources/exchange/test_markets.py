"""What symbols stand for, with and without an answer of the exchange."""

import aiohttp
import pytest
from tests.adapters.sources.exchange.played import MARKETS, made, played, spot, usdm

from swapstats.adapters.sources.exchange.binance.venue import SPOT_FACTS, BinanceUsdm
from swapstats.adapters.sources.exchange.markets import find_markets, known_markets
from swapstats.adapters.sources.exchange.rate_budget import RateBudget
from swapstats.adapters.sources.exchange.rest import Rest
from swapstats.adapters.sources.exchange.venue import Market
from swapstats.adapters.system_clock import SystemClock
from swapstats.errors import Rejected
from swapstats.testing.exchange_faults import ExchangeFault


async def no_sleep(seconds: float) -> None:
    raise AssertionError(f"waited {seconds} s")


def rest(http: aiohttp.ClientSession) -> Rest:
    return Rest(http, RateBudget(6_000, 60_000), SystemClock(), 2_000, no_sleep)


async def test_the_exchange_is_asked() -> None:
    async with played([]).serving() as exchange, aiohttp.ClientSession() as http:
        found = await find_markets(spot(exchange), ["ETHUSDT"], rest(http))
    assert found == {"ETHUSDT": MARKETS[1]}


async def test_futures_answer_with_all_of_them() -> None:
    async with played([], is_usdm=True).serving() as exchange, aiohttp.ClientSession() as http:
        found = await find_markets(usdm(exchange), ["ETHUSDT"], rest(http))
        assert exchange.counts.asked == ["/fapi/v1/exchangeInfo"]
    assert found == {"ETHUSDT": MARKETS[1]}


async def test_without_an_answer_the_built_in_list_must_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    exchange = played(made(10), [ExchangeFault("broken", 0, 10)])
    exchange.running.clear()
    async with exchange.serving(), aiohttp.ClientSession() as http:
        venue = BinanceUsdm()
        away = usdm(exchange)
    async with aiohttp.ClientSession() as http:
        found = await find_markets(away, ["1000PEPEUSDT"], rest(http))
        with pytest.raises(Rejected, match="'NEWUSDT'"):
            await find_markets(away, ["NEWUSDT"], rest(http))
    assert found == {"1000PEPEUSDT": Market("1000PEPEUSDT", "PEPE", "USDT", 1_000)}
    assert found["1000PEPEUSDT"] == venue.facts.built_in_markets["1000PEPEUSDT"]
    assert "Binance USD-M's list of markets cannot be read" in caplog.text


async def test_symbols_the_exchange_refuses() -> None:
    async with played([]).serving() as exchange, aiohttp.ClientSession() as http:
        with pytest.raises(Rejected, match=r"Binance says: HTTP 400: .*Invalid symbol"):
            await find_markets(spot(exchange), ["NOPE"], rest(http))


def test_symbols_that_are_not_listed() -> None:
    listed = {market.symbol: market for market in MARKETS}
    assert list(known_markets(SPOT_FACTS, ["ETHUSDT"], listed)) == ["ETHUSDT"]
    with pytest.raises(Rejected, match="Expected symbols Binance trades, such as BTCUSDT"):
        known_markets(SPOT_FACTS, ["ETHUSDT", "X"], listed)
