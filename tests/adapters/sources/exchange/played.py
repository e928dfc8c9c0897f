"""Recordings, made-up trades and sources for the tests of exchanges."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from swapstats.adapters.sources.exchange.binance.endpoints import SPOT, USDM, Endpoints
from swapstats.adapters.sources.exchange.binance.venue import BinanceSpot, BinanceUsdm
from swapstats.adapters.sources.exchange.options import Options
from swapstats.adapters.sources.exchange.pulse import SilenceBounds
from swapstats.adapters.sources.exchange.source import ExchangeSource
from swapstats.adapters.sources.exchange.venue import Market, Venue, VenueTrade
from swapstats.adapters.system_clock import SystemClock
from swapstats.testing.binance_replay import BinanceDialect, read_recordings
from swapstats.testing.exchange_faults import ExchangeFault
from swapstats.testing.exchange_replay import Recorded, ReplayExchange

DATA = Path(os.environ.get("SWAPSTATS_DATA", Path(__file__).parents[5] / "shared/data"))
QUICK = Options(
    silence=SilenceBounds(300, 2_000),
    overlap_ms_max=2_000,
    backoff_ms_min=5,
    backoff_ms_max=100,
    gap_patience_ms=20,
    backfill_ms_max=20_000,
)
MARKETS = [Market("BTCUSDT", "BTC", "USDT"), Market("ETHUSDT", "ETH", "USDT")]
TIMEOUT_MS = 60_000


def recorded(kind: str, count: int | None = None) -> list[Recorded]:
    """The first trades of a recording."""
    names = {
        "spot": ("hft_binance_spot_btcusdt_20240808.gz", "hft_binance_spot_ethusdt_20240808.gz"),
        "usdm": ("hft_binance_usdm_btcusdt_20240808.gz",),
    }[kind]
    paths = [DATA / "exchange" / name for name in names]
    if not all(path.exists() for path in paths):
        pytest.skip(f"no real data at {DATA}: set SWAPSTATS_DATA to the folder that holds wire/")
    return read_recordings(paths)[:count]


def made(count: int, first: int = 1_000, market: str = "BTCUSDT", **more: object) -> list[Recorded]:
    """Trades of a market, one after another."""
    found = []
    is_public = more.get("X", "MARKET") == "MARKET"
    for order in range(first, first + count):
        price = f"2.{order % 97:02d}"
        trade = VenueTrade(market, str(order), order, price, "3.5", "buy", order, is_public)
        payload = {
            "e": "trade", "s": market, "t": order, "p": price, "q": "3.5", "T": order, "m": False,
        }  # fmt: skip
        found.append(Recorded(trade, json.dumps(payload | more)))
    return found


def played(
    recording: Sequence[Recorded],
    faults: Sequence[ExchangeFault] = (),
    *,
    is_usdm: bool = False,
    hidden: dict[str, frozenset[int]] | None = None,
    per_tick: int = 50,
    starts_at: int = 1,
) -> ReplayExchange:
    """A Binance that plays a recording."""
    dialect = BinanceDialect(MARKETS, is_usdm=is_usdm)
    return ReplayExchange(
        dialect, recording, faults, hidden=hidden, per_tick=per_tick, starts_at=starts_at
    )


def spot(exchange: ReplayExchange) -> Venue:
    return BinanceSpot(Endpoints(exchange.stream_url, exchange.rest_url, SPOT.prefix))


def usdm(exchange: ReplayExchange, api_key: str = "") -> Venue:
    return BinanceUsdm(Endpoints(exchange.stream_url, exchange.rest_url, USDM.prefix), api_key)


class Pretending:
    """A venue with other facts than its own: ids that tell less, smaller connections."""

    def __init__(self, venue: Venue, **facts: Any) -> None:
        self._venue = venue
        self.facts = replace(venue.facts, **facts)
        self.opening = venue.opening
        self.read = venue.read
        self.page = venue.page
        self.market_list = venue.market_list


def source(
    venue: Venue, symbols: Sequence[str] = ("BTCUSDT",), options: Options = QUICK
) -> ExchangeSource:
    return ExchangeSource(venue, symbols, SystemClock(), options=options)
