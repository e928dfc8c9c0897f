"""Sources by name: what is made of what is written, and what is refused."""

import pytest
from tests.adapters.sources.exchange.played import made, played

from swapstats.adapters.sources.demo import DemoSource
from swapstats.adapters.sources.exchange.source import ExchangeSource
from swapstats.adapters.sources.exchange.venue import Venue
from swapstats.adapters.sources.ndjson import NdjsonSource
from swapstats.adapters.system_clock import SystemClock
from swapstats.errors import UsageError
from swapstats.ports.source import Source
from swapstats.settings import SourceSettings, load
from swapstats.testing.exchange_verdict import Collected, all_of
from swapstats.wiring.sources import open_sources


def settings(*use: str) -> SourceSettings:
    return load(environ={}, flags={"source.use": list(use)}).source


async def opened(*use: str) -> tuple[list[Source], list[str]]:
    return await open_sources(settings(*use), SystemClock())


async def test_each_name_makes_its_source() -> None:
    sources, told = await opened(
        "demo", "binance:btcusdt+ETHUSDT", "binance-usdm", "replay:a.ndjson"
    )
    assert [type(source) for source in sources] == [
        DemoSource, ExchangeSource, ExchangeSource, NdjsonSource,
    ]  # fmt: skip
    assert told == []
    assert [source.name for source in sources] == [
        "demo", "binance", "binance-usdm", "replay:a.ndjson",
    ]  # fmt: skip


async def test_two_files_are_two_sources() -> None:
    sources, _ = await opened("replay:a.ndjson", "replay:b.ndjson")
    assert [source.name for source in sources] == ["replay:a.ndjson", "replay:b.ndjson"]


@pytest.mark.parametrize("use", ["demo:1", "replay:", "kraken", "stdin:x", "Demo", ""])
async def test_what_is_no_source_is_refused(use: str) -> None:
    with pytest.raises(UsageError, match=r"Expected a source of auto, demo, .*, was "):
        await open_sources(SourceSettings(use=(use,)), SystemClock())


async def test_a_source_is_given_once() -> None:
    with pytest.raises(UsageError, match="Expected each source once, was 'demo' again"):
        await opened("demo", "replay:a.ndjson", "demo")


async def test_auto_without_an_exchange_is_the_demo_market_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(venue: Venue, wait_ms: int) -> tuple[bool, str]:
        return False, f"no answer in {wait_ms} ms"

    monkeypatch.setattr("swapstats.adapters.sources.exchange.open.reachable", away)
    sources, told = await opened("auto")
    assert [source.name for source in sources] == ["demo"]
    assert told == ["The demo market, not an exchange: no answer in 3000 ms"]


async def test_auto_with_an_exchange_takes_its_trades_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def near(venue: Venue, wait_ms: int) -> tuple[bool, str]:
        return True, "it answered"

    monkeypatch.setattr("swapstats.adapters.sources.exchange.open.reachable", near)
    sources, told = await opened("auto")
    assert [type(source) for source in sources] == [ExchangeSource]
    assert told[0].startswith("Live Binance trades of BTCUSDT, ETHUSDT, ")
    assert told[0].endswith(": it answered")


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
        (source,), _ = await open_sources(given, SystemClock())
        await got.read(source, all_of(recording), 60_000)
    got.check(recording)
