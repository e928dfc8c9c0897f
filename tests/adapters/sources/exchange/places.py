"""Exchanges by name: their venues, their played servers, and how the two are held together."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

import msgspec

from swapstats.adapters.sources.exchange.bybit.endpoints import Endpoints as BybitEndpoints
from swapstats.adapters.sources.exchange.bybit.venue import Bybit
from swapstats.adapters.sources.exchange.coinbase.endpoints import Endpoints as CoinbaseEndpoints
from swapstats.adapters.sources.exchange.coinbase.venue import Coinbase
from swapstats.adapters.sources.exchange.kraken.endpoints import Endpoints as KrakenEndpoints
from swapstats.adapters.sources.exchange.kraken.venue import Kraken
from swapstats.adapters.sources.exchange.okx.endpoints import Endpoints as OkxEndpoints
from swapstats.adapters.sources.exchange.okx.venue import Okx
from swapstats.adapters.sources.exchange.options import Options
from swapstats.adapters.sources.exchange.pulse import SilenceBounds
from swapstats.adapters.sources.exchange.rate_budget import RateBudget
from swapstats.adapters.sources.exchange.source import ExchangeSource
from swapstats.adapters.sources.exchange.venue import Market, Venue, VenueTrade
from swapstats.adapters.system_clock import SystemClock
from swapstats.model.raw_event import ExchangeTrade
from swapstats.testing.bybit_replay import BybitDialect, bybit_recording
from swapstats.testing.coinbase_replay import CoinbaseDialect, coinbase_recording
from swapstats.testing.eventually import eventually_async
from swapstats.testing.exchange_faults import ExchangeFault
from swapstats.testing.exchange_replay import Dialect, Recorded, ReplayExchange
from swapstats.testing.kraken_replay import KrakenDialect, kraken_recording
from swapstats.testing.okx_replay import OkxDialect, okx_recording

QUICK = Options(
    silence=SilenceBounds(150, 1_500),
    backoff_ms_min=5,
    backoff_ms_max=100,
    gap_patience_ms=20,
    connect_ms_max=2_000,
    batch_ms=20,
)
TIMEOUT_S = 200.0

ReadT = TypeVar("ReadT")


@dataclass(frozen=True)
class Place:
    """One exchange: how to make its venue, its server and its recordings."""

    venue: Callable[[str, str], Venue]
    dialect: Callable[..., Any]
    recording: Callable[[Sequence[VenueTrade]], list[Recorded]]
    markets: tuple[Market, ...]
    knows_played: bool = False
    is_opaque: bool = False

    @property
    def symbols(self) -> list[str]:
        return [market.symbol for market in self.markets]


PLACES = {
    "coinbase": Place(
        lambda stream, rest: Coinbase(CoinbaseEndpoints(stream, rest)),
        CoinbaseDialect,
        coinbase_recording,
        (Market("BTC-USD", "BTC", "USD"), Market("ETH-EUR", "ETH", "EUR")),
        knows_played=True,
    ),
    "kraken": Place(
        lambda stream, rest: Kraken(KrakenEndpoints(stream, rest)),
        KrakenDialect,
        kraken_recording,
        (Market("BTC/USD", "BTC", "USD"), Market("DOGE/BTC", "DOGE", "BTC")),
        knows_played=True,
    ),
    "okx": Place(
        lambda stream, rest: Okx(OkxEndpoints(stream, rest)),
        OkxDialect,
        okx_recording,
        (Market("BTC-USDT", "BTC", "USDT"), Market("ETH-USDC", "ETH", "USDC")),
    ),
    "bybit": Place(
        lambda stream, rest: Bybit(BybitEndpoints(stream, rest)),
        BybitDialect,
        bybit_recording,
        (Market("BTCUSDT", "BTC", "USDT"), Market("1000SATSUSDT", "SATS", "USDT", 1_000)),
        is_opaque=True,
    ),
}
DENSE = [name for name, place in PLACES.items() if not place.is_opaque]


def source_of(
    place: Place, exchange: ReplayExchange, symbols: Sequence[str], options: Options = QUICK
) -> ExchangeSource:
    venue = place.venue(exchange.stream_url, exchange.rest_url)
    budget = RateBudget(1_000_000, 1_000)  # the exchange is a played one
    return ExchangeSource(venue, symbols, SystemClock(), budget=budget, options=options)


def exchange_of(
    place: Place, recording: Sequence[Recorded], dialect: Dialect, **given: Any
) -> ReplayExchange:
    exchange = ReplayExchange(
        dialect, recording, starts_at=place.venue("", "").facts.connections, **given
    )
    if place.knows_played:
        dialect.played = lambda: recording[: exchange.played]  # type: ignore[attr-defined]
    return exchange


async def read(
    source: ExchangeSource,
    count: int,
    position: str | None = None,
    *,
    before_closing: Callable[[], None] = lambda: None,
) -> tuple[list[ExchangeTrade], str]:
    """Read until `count` trades came: one that comes twice takes the place of another."""
    found: list[ExchangeTrade] = []
    last = position or ""
    stream = source.open(position)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            async for batch in stream:
                found += [
                    msgspec.json.decode(batch.block.message(index), type=ExchangeTrade)
                    for index in range(len(batch.block))
                ]
                last = batch.position
                if len(found) >= count:
                    break
                await asyncio.sleep(0)
    except TimeoutError:
        raise AssertionError(
            f"Expected {count} trades, was {len(found)}: {source.status().detail}"
        ) from None
    finally:
        before_closing()
        await stream.aclose()  # type: ignore[attr-defined]
    return found, last


def assert_same(
    found: Sequence[ExchangeTrade],
    recording: Sequence[Recorded],
    place: Place,
    symbols: Sequence[str],
) -> None:
    """The server's trades, once each, in order where ids have one, bit for bit."""
    facts = place.venue("", "").facts
    for symbol in symbols:
        sent = [one.trade for one in recording if one.trade.market == symbol]
        came = [trade for trade in found if trade.market == symbol]
        ids = [trade.trade_id for trade in came]
        wanted = [trade.trade_id for trade in sent]
        if place.is_opaque:
            ids, wanted = sorted(ids), sorted(wanted)
        assert ids == wanted
    assert told(found) == told_of(recording)
    assert sum(Fraction(trade.price) * Fraction(trade.quantity) for trade in found) == sum(
        Fraction(one.trade.price) * Fraction(one.trade.quantity) for one in recording
    )
    assert {trade.venue for trade in found} == {facts.name}


def told(found: Sequence[ExchangeTrade]) -> set[tuple[object, ...]]:
    return {
        (each.market, each.trade_id, each.price, each.quantity, each.side, each.event_time)
        for each in found
    }


def told_of(recording: Sequence[Recorded]) -> set[tuple[object, ...]]:
    return {
        (each.market, each.trade_id, each.price, each.quantity, each.side, each.time_ms)
        for each in (one.trade for one in recording)
    }


async def paced(
    exchange: ReplayExchange,
    source: ExchangeSource,
    faults: Sequence[ExchangeFault],
    reading: Coroutine[Any, Any, ReadT],
) -> ReadT:
    """Hold the playback, faults aside, while the source lacks a connection or something."""

    def is_ready() -> bool:
        is_faulty = any(fault.at <= exchange.played < fault.at + fault.span for fault in faults)
        carried = sum(bool(each.markets) for each, _ in exchange._clients.values())
        needed = source._venue.facts.connections
        return is_faulty or (
            carried >= needed and source.feed is not None and not source.feed.gapped
        )

    async def hold() -> None:
        while True:  # first of all whether it may go on: a stop amid a fault left it held
            exchange.running.clear()
            await eventually_async(is_ready, 150_000, "the source to have everything")
            exchange.running.set()
            await eventually_async(lambda: not is_ready(), 150_000, "something to wait for")

    holding = asyncio.create_task(hold())
    try:
        return await reading
    finally:
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
        exchange.running.clear()
