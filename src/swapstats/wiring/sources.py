"""Sources by name: `auto`, `demo`, `binance[:SYMBOLS]`, `binance-usdm[:SYMBOLS]`, `stdin`, files.

Exchanges give raw events, the others finished swaps.
"""

from collections.abc import Sequence

from swapstats.adapters.sources.demo import DemoSource
from swapstats.adapters.sources.ndjson import NdjsonSource
from swapstats.adapters.sources.standard_input import StandardInput
from swapstats.core.demo_market import DemoMarket
from swapstats.errors import UsageError
from swapstats.ports.clock import Clock
from swapstats.ports.source import Source
from swapstats.settings import SourceSettings


async def open_sources(settings: SourceSettings, clock: Clock) -> tuple[list[Source], list[str]]:
    """Make the sources a configuration names.

    Returns:
        The sources, and sentences for people on what was chosen and why.

    Raises:
        UsageError: an unknown source, or the same one twice.
    """
    sources: list[Source] = []
    told: list[str] = []
    for text in settings.use:
        name, _, rest = text.partition(":")
        if name == "auto":
            source, why = await _auto(settings, clock)
            told.append(why)
        else:
            source = _named(name, rest, text, settings, clock)
        if any(other.name == source.name for other in sources):
            raise UsageError(f"Expected each source once, was {text!r} again")
        sources.append(source)
    return sources, told


async def _auto(settings: SourceSettings, clock: Clock) -> tuple[Source, str]:
    from swapstats.adapters.sources.exchange.open import reachable, venue_named

    binance = settings.binance
    venue = venue_named("binance", stream_url=binance.stream_url, rest_url=binance.rest_url)
    is_reachable, why = await reachable(venue, settings.auto_wait_ms)
    if is_reachable:
        symbols = ", ".join(binance.symbols)
        return _exchange("binance", "", settings, clock), f"Live Binance trades of {symbols}: {why}"
    return _demo(settings, clock), f"The demo market, not an exchange: {why}"


def _named(name: str, rest: str, text: str, settings: SourceSettings, clock: Clock) -> Source:
    if name == "demo" and not rest:
        return _demo(settings, clock)
    if name in {"binance", "binance-usdm"}:
        return _exchange(name, rest, settings, clock)
    if name == "stdin" and not rest:
        return StandardInput(clock)
    if name == "replay" and rest:
        return NdjsonSource([rest], clock, speed=1.0, shift_to_now=True, name=text)
    raise UsageError(
        f"Expected a source of auto, demo, binance[:SYMBOLS], binance-usdm[:SYMBOLS], stdin or "
        f"replay:FILE, was {text!r}"
    )


def _exchange(name: str, rest: str, settings: SourceSettings, clock: Clock) -> Source:
    from swapstats.adapters.sources.exchange.open import exchange_source
    from swapstats.adapters.sources.exchange.options import Options

    usdm = settings.binance_usdm
    given = settings.binance if name == "binance" else usdm
    return exchange_source(
        name,
        _symbols(rest) if rest else given.symbols,
        clock,
        stream_url=given.stream_url,
        rest_url=given.rest_url,
        api_key=usdm.api_key.reveal() if name == "binance-usdm" else "",
        options=Options(backfill_trades_max=settings.backfill_trades_max),
    )


def _symbols(rest: str) -> Sequence[str]:
    return tuple(symbol.strip().upper() for symbol in rest.split("+" if "+" in rest else ","))


def _demo(settings: SourceSettings, clock: Clock) -> DemoSource:
    demo = settings.demo
    return DemoSource(DemoMarket(demo.seed, demo.tokens, demo.rate), clock)
