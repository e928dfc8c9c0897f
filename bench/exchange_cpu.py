"""Processor time a trade: our source of an exchange against ccxt.pro: see `bench/README.md`.

Both get the same recorded frames of Binance from the same local server, in turns, each in a
process of its own on the same kind of event loop. Needs ccxt, which pins an older uvloop than we
do: `pip install ccxt && pip install --upgrade uvloop`.
"""

import argparse
import asyncio
import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import uvloop

from swapstats.adapters.sources.exchange.open import exchange_source
from swapstats.adapters.system_clock import SystemClock
from swapstats.errors import InvariantBroken
from swapstats.ports.source import SourceBatch
from swapstats.roles.bench.figures import Figure, Findings
from swapstats.roles.bench.machine import this_machine
from swapstats.testing.binance_replay import BinanceDialect, read_recordings
from swapstats.testing.exchange_replay import Recorded, ReplayExchange

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("SWAPSTATS_DATA", ROOT.parent / "shared/data")) / "exchange"
FRAMES = ("hft_binance_spot_btcusdt_20240808.gz", "hft_binance_spot_ethusdt_20240808.gz")
MARKET_LIST = "cryptofeed_BINANCE.0.gz"
SYMBOLS = ("BTCUSDT", "ETHUSDT")
TIMES_FEWER_MIN = 5.0
LEG_S_MAX = 300
CLIENTS = ("ours", "ccxt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trades", type=int, default=6_000)
    parser.add_argument("--speed", type=float, default=5.0, help="times the recorded pace")
    parser.add_argument("--burst", type=int, default=20, help="trades at a time of the second case")
    parser.add_argument("--client", choices=CLIENTS, help="one leg, for the script itself")
    parser.add_argument("--stream-url", default="")
    parser.add_argument("--rest-url", default="")
    given = parser.parse_args()
    if given.client:
        leg = (
            ours(given.stream_url, given.rest_url, given.trades)
            if given.client == "ours"
            else theirs(given.stream_url, given.trades)
        )
        print(json.dumps(uvloop.run(leg)))
        return
    found = Findings("exchange-cpu", this_machine())
    found.method.append(
        f"{given.rounds} rounds of {given.trades} recorded trades of {' and '.join(SYMBOLS)} for "
        "each, in turns. Server and client are processes of their own; the client's processor "
        "time (all threads) counts from its first trade to its last, on uvloop. Ours "
        "writes raw events as JSON bytes with a position; ccxt.pro hands out its own dicts. The "
        "cost is for each trade sent, those that ccxt.pro lost on the way included."
    )
    recording = read_recordings(DATA / name for name in FRAMES)[: given.trades]
    for pace, how in (
        (f"{given.speed:g} times the recorded pace", {"speed": given.speed}),
        (f"{given.burst} trades at a time", {"per_tick": given.burst}),
    ):
        found.figures += asyncio.run(figures(recording, pace, how, given.rounds))
    print(found.text())
    print(f"written to {found.save(ROOT / 'artifacts')}")


async def figures(
    recording: list[Recorded], pace: str, how: dict[str, Any], rounds: int
) -> list[Figure]:
    legs: dict[str, list[dict[str, float]]] = {name: [] for name in CLIENTS}
    for _ in range(rounds):
        for name in CLIENTS:
            legs[name].append(await one_leg(name, recording, how))
            print(name, pace, legs[name][-1], flush=True)
    cost_us = {
        name: [leg["cpu_s"] / leg["counted"] * 1e6 for leg in each] for name, each in legs.items()
    }
    ratios = [
        ccxt_us / our_us for ccxt_us, our_us in zip(cost_us["ccxt"], cost_us["ours"], strict=True)
    ]
    lost = len(recording) - min(leg["trades"] for leg in legs["ccxt"])
    return [
        Figure.spread(f"ours, {pace}", cost_us["ours"], "us/trade"),
        Figure.spread(
            f"ccxt.pro, {pace}", cost_us["ccxt"], "us/trade", note=f"{lost:.0f} trades lost at most"
        ),
        Figure.spread(f"ccxt.pro over ours, {pace}", ratios, "times", TIMES_FEWER_MIN),
    ]


async def one_leg(name: str, recording: list[Recorded], how: dict[str, Any]) -> dict[str, float]:
    """Play the recording to one client; it says what it cost."""
    info = market_list()
    exchange = ReplayExchange(BinanceDialect([], exchange_info=info), recording, tick_ms=1, **how)
    async with exchange.serving():
        client = await asyncio.create_subprocess_exec(
            sys.executable, __file__, "--client", name, "--trades", str(len(recording)),
            "--stream-url", exchange.stream_url, "--rest-url", exchange.rest_url,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(client.communicate(), LEG_S_MAX)
    if client.returncode:
        raise InvariantBroken(f"Expected {name} to end well, was status {client.returncode}")
    leg: dict[str, float] = json.loads(said.splitlines()[-1])
    return leg


def market_list() -> bytes:
    """The recorded `exchangeInfo` of the spot market."""
    for line in gzip.decompress((DATA / MARKET_LIST).read_bytes()).decode().splitlines():
        if "exchangeInfo" in line and '"symbols"' in line:
            return line[line.index(": {") + 2 :].encode()
    raise InvariantBroken(f"Expected exchangeInfo in {MARKET_LIST}, was none")


async def ours(stream_url: str, rest_url: str, trades: int) -> dict[str, float]:
    source = exchange_source(
        "binance", SYMBOLS, SystemClock(), stream_url=stream_url, rest_url=rest_url
    )
    batches = cast("AsyncGenerator[SourceBatch, None]", source.open(None))
    count = first = 0
    began = 0.0
    async with aclosing(batches):
        async for batch in batches:
            count += len(batch.block)
            if not first:
                first, began = count, time.process_time()
            if count >= trades:
                break
    return {"trades": count, "counted": count - first, "cpu_s": time.process_time() - began}


async def theirs(stream_url: str, trades: int) -> dict[str, float]:
    import ccxt.pro  # type: ignore[import-not-found, import-untyped, unused-ignore]

    exchange: Any = ccxt.pro.binance({"newUpdates": True})
    exchange.options["crossMarginPairsData"] = exchange.options["isolatedMarginPairsData"] = []
    listed = json.loads(await asyncio.to_thread(market_list))["symbols"]
    exchange.set_markets([exchange.parse_market(row) for row in listed if row["symbol"] in SYMBOLS])
    exchange.urls["api"]["ws"]["spot"] = f"{stream_url}/ws"
    names = [f"{symbol.removesuffix('USDT')}/USDT" for symbol in SYMBOLS]
    (end,) = [one.trade.trade_id for one in last_of(trades)]
    seen: set[tuple[str, str]] = set()
    first = 0
    began = 0.0
    is_over = False
    while not is_over:
        for trade in await exchange.watch_trades_for_symbols(names):
            seen.add((trade["symbol"], trade["id"]))
            is_over |= trade["id"] == end
        if not first:
            first, began = len(seen), time.process_time()
    cpu_s = time.process_time() - began
    await exchange.close()
    return {"trades": len(seen), "counted": trades - first, "cpu_s": cpu_s}


def last_of(trades: int) -> list[Recorded]:
    return read_recordings(DATA / name for name in FRAMES)[trades - 1 : trades]


if __name__ == "__main__":
    main()
