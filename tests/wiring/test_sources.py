"""Sources by name: what is made of what is written, and what is refused."""

import pytest
from tests.adapters.sources.exchange.played import made, played

from swapstats.adapters.sources.demo import DemoSource
from swapstats.adapters.sources.evm.source import EvmSource
from swapstats.adapters.sources.exchange.source import ExchangeSource
from swapstats.adapters.sources.exchange.venue import Venue
from swapstats.adapters.sources.ndjson import NdjsonSource
from swapstats.adapters.system_clock import SystemClock
from swapstats.errors import UsageError
from swapstats.settings import SourceSettings, load
from swapstats.testing.exchange_verdict import Collected, all_of
from swapstats.wiring.sources import NamedSources, open_sources

REACHABLE = "swapstats.adapters.sources.exchange.open.reachable"


def settings(*use: str) -> SourceSettings:
    flags = {"source.use": list(use), "source.evm.rpc": "http://127.0.0.1:8545"}
    return load(environ={}, flags=flags).source


async def opened(*use: str) -> NamedSources:
    return await open_sources(settings(*use), SystemClock())


async def test_each_name_makes_its_source_and_raw_events_are_told_apart() -> None:
    found = await opened("demo", "binance:btcusdt+ETHUSDT", "replay:a.ndjson", "evm")
    assert [type(source) for source in found.finished] == [DemoSource, NdjsonSource]
    assert [type(source) for source in found.raw] == [ExchangeSource, EvmSource]
    assert [source.name for source in found.all] == [
        "demo",
        "replay:a.ndjson",
        "binance",
        "evm:ethereum",
    ]
    assert found.told == []


async def test_two_files_are_two_sources() -> None:
    found = await opened("replay:a.ndjson", "replay:b.ndjson")
    assert [source.name for source in found.all] == ["replay:a.ndjson", "replay:b.ndjson"]


async def test_an_exchange_takes_the_markets_it_is_given_or_those_of_the_settings() -> None:
    found = await opened("binance", "binance-usdm", "okx:BTC-USDT")
    assert [source.name for source in found.raw] == ["binance", "binance-usdm", "okx"]


@pytest.mark.parametrize(
    "use", ["demo:1", "replay:", "nowhere:BTCUSDT", "kraken", "ccxt:kucoin", "stdin:x", "Demo", ""]
)
async def test_what_is_no_source_is_refused(use: str) -> None:
    with pytest.raises(UsageError, match=r"Expected a source of auto, demo, .*, was "):
        await open_sources(SourceSettings(use=(use,)), SystemClock())


async def test_a_source_is_given_once() -> None:
    with pytest.raises(UsageError, match="Expected each source once, was 'demo' again"):
        await opened("demo", "replay:a.ndjson", "demo")
    with pytest.raises(UsageError, match="Expected each source once, was 'evm:ethereum' again"):
        await opened("evm", "evm:ethereum")


async def test_auto_without_an_exchange_is_the_demo_market_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(venue: Venue, timeout_ms: int) -> tuple[bool, str]:
        return False, f"{venue.facts.title} gave no answer in {timeout_ms} ms"

    monkeypatch.setattr(REACHABLE, away)
    found = await opened("auto")
    assert [source.name for source in found.finished] == ["demo"]
    assert found.raw == []
    assert found.told == ["The demo market, not an exchange: Binance gave no answer in 3000 ms"]


async def test_auto_with_an_exchange_takes_its_trades_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def near(venue: Venue, timeout_ms: int) -> tuple[bool, str]:
        del venue, timeout_ms
        return True, "it answered"

    monkeypatch.setattr(REACHABLE, near)
    found = await opened("auto")
    assert [source.name for source in found.raw] == ["binance"]
    assert found.finished == []
    assert found.told[0].startswith("Live Binance trades of BTCUSDT, ETHUSDT, ")
    assert found.told[0].endswith(": it answered")


async def test_an_exchange_is_where_the_settings_say() -> None:
    recording = made(200)
    got = Collected()
    async with played(recording).serving() as exchange:
        flags = {
            "source.use": ["binance:BTCUSDT,ETHUSDT"],
            "source.binance.stream_url": exchange.stream_url,
            "source.binance.rest_url": exchange.rest_url,
        }
        given = load(environ={}, flags=flags).source
        (source,) = (await open_sources(given, SystemClock())).raw
        await got.read(source, all_of(recording), 60_000)
    got.check(recording)
