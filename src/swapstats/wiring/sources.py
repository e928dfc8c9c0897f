"""Sources by name, told apart by what they give: finished swaps, or raw events."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from swapstats.adapters.sources.demo import DemoSource
from swapstats.adapters.sources.ndjson import NdjsonSource
from swapstats.adapters.sources.standard_input import StandardInput
from swapstats.core.demo_market import DemoMarket
from swapstats.errors import UsageError
from swapstats.ports.clock import Clock
from swapstats.ports.source import Source
from swapstats.settings import SourceSettings


@dataclass(slots=True)
class NamedSources:
    """What a configuration names.

    Attributes:
        finished: sources of swaps, which go into the swap log.
        raw: sources of raw events, which go into the raw log.
        told: sentences for people on what was chosen and why.
    """

    finished: list[Source] = field(default_factory=list)
    raw: list[Source] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[Source]:
        """Both kinds."""
        return [*self.finished, *self.raw]


async def open_sources(settings: SourceSettings, clock: Clock) -> NamedSources:
    """Make the sources a configuration names.

    Raises:
        UsageError: an unknown source, or the same one twice.
        Rejected: one that cannot be as it was named.
    """
    found = NamedSources()
    for text in settings.use:
        name, _, rest = text.partition(":")
        known = {source.name for source in found.all}
        if name == "auto":
            made = await _auto(found, settings, clock)
        elif name == "demo" and not rest:
            made = [_demo(settings, clock)]
            found.finished += made
        elif name == "stdin" and not rest:
            made = [StandardInput(clock)]
            found.finished += made
        elif name == "replay" and rest:
            made = [NdjsonSource([rest], clock, speed=1.0, shift_to_now=True, name=text)]
            found.finished += made
        else:
            made = _raw(name, rest, text, settings, clock)
            found.raw += made
        twice = known & {source.name for source in made}
        if twice:
            raise UsageError(f"Expected each source once, was {text!r} again")
    return found


async def _auto(found: NamedSources, settings: SourceSettings, clock: Clock) -> list[Source]:
    from swapstats.adapters.sources.exchange.open import reachable, venue_named

    binance = settings.binance
    venue = venue_named("binance", stream_url=binance.stream_url, rest_url=binance.rest_url)
    is_reachable, why = await reachable(venue, settings.auto_wait_ms)
    if is_reachable:
        found.told.append(f"Live Binance trades of {', '.join(binance.symbols)}: {why}")
        made = [_exchange("binance", binance.symbols, settings, clock)]
        found.raw += made
        return made
    found.told.append(f"The demo market, not an exchange: {why}")
    demo: list[Source] = [_demo(settings, clock)]
    found.finished += demo
    return demo


def _raw(name: str, rest: str, text: str, settings: SourceSettings, clock: Clock) -> list[Source]:
    """Make a source of raw events."""
    if name == "evm":
        from swapstats.wiring.evm_sources import evm_sources

        return evm_sources(rest, settings, clock)
    from swapstats.adapters.sources.exchange.open import GENERIC, VENUES

    exchange, _, markets = rest.partition(":")
    if name == "ccxt" and exchange and markets:
        return [_exchange(f"{GENERIC}{exchange}", _symbols(markets), settings, clock)]
    defaults = {"binance": settings.binance.symbols, "binance-usdm": settings.binance_usdm.symbols}
    symbols = _symbols(rest) if rest else defaults.get(name, ())
    if name in VENUES and symbols:
        return [_exchange(name, symbols, settings, clock)]
    raise UsageError(
        f"Expected a source of auto, demo, stdin, replay:FILE, evm[:CHAIN] or an exchange with its "
        f"markets ({', '.join(f'{venue}:MARKET,MARKET' for venue in VENUES)}, or "
        f"ccxt:EXCHANGE:MARKET for others), was {text!r}"
    )


def _exchange(name: str, symbols: Sequence[str], settings: SourceSettings, clock: Clock) -> Source:
    """Make the source of an exchange."""
    from swapstats.adapters.sources.exchange.open import exchange_source
    from swapstats.adapters.sources.exchange.options import Options

    options = Options(
        backfill_trades_max=settings.backfill_trades_max, batch_ms=settings.exchange_batch_ms
    )
    if name not in {"binance", "binance-usdm"}:
        return exchange_source(name, symbols, clock, options=options)
    usdm = settings.binance_usdm
    given = settings.binance if name == "binance" else usdm
    return exchange_source(
        name,
        symbols,
        clock,
        stream_url=given.stream_url,
        rest_url=given.rest_url,
        api_key=usdm.api_key.reveal() if name == "binance-usdm" else "",
        options=options,
    )


def _symbols(rest: str) -> Sequence[str]:
    return tuple(symbol.strip() for symbol in rest.split("+" if "+" in rest else ","))


def _demo(settings: SourceSettings, clock: Clock) -> DemoSource:
    demo = settings.demo
    return DemoSource(DemoMarket(demo.seed, demo.tokens, demo.rate), clock)
