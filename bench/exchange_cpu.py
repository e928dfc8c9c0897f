"""Processor time a trade: our source of an exchange against ccxt.pro: see `bench/README.md`.

Both get the same recorded frames of Binance from the same local server, in turns, each in a
process of its own on the same kind of event loop; a third client only reads the frames, with the
library that ours uses, and says what nobody could go below. Needs ccxt, which pins an older uvloop
than we do:

    pip install --no-deps ccxt aiohttp-fast-zlib && pip install certifi cryptography requests orjson
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
from picows import WSFrame, WSListener, WSTransport, ws_connect

from swapstats.adapters.sources.exchange.binance.endpoints import Endpoints
from swapstats.adapters.sources.exchange.open import exchange_source
from swapstats.adapters.sources.exchange.options import Options
from swapstats.adapters.sources.exchange.pace import Pace
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
BURST_TRADES = 20
CLIENTS = ("ours", "ccxt", "floor")
WARM_UP_TRADES = 500
"""Not counted: what a client does once, and what it does for the first time."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trades", type=int, default=6_000)
    parser.add_argument("--speeds", type=float, nargs="*", default=[5, 20], help="paces")
    parser.add_argument("--client", choices=CLIENTS, help="one leg, for the script itself")
    parser.add_argument("--stream-url", default="")
    parser.add_argument("--rest-url", default="")
    given = parser.parse_args()
    if given.client:
        legs = {
            "ours": lambda: ours(given.stream_url, given.rest_url, given.trades),
            "ccxt": lambda: theirs(given.stream_url, given.trades),
            "floor": lambda: floor(given.stream_url, given.trades),
        }
        leg = legs[given.client]()
        print(json.dumps(uvloop.run(leg)))
        return
    found = Findings("exchange-cpu", this_machine())
    found.method.append(
        f"{given.rounds} rounds of {given.trades} recorded trades of {' and '.join(SYMBOLS)} for "
        "each, in turns. Server and client are processes of their own; the client's processor "
        f"time (all threads) counts from its trade {WARM_UP_TRADES} to its last, on uvloop. Ours "
        "writes raw events as JSON bytes with a position; ccxt.pro hands out its own dicts; the "
        "floor only reads frames, as ours does. The cost is for each trade sent, those that "
        "ccxt.pro lost on the way included."
    )
    recording = read_recordings(DATA / name for name in FRAMES)[: given.trades]
    paces: list[tuple[str, dict[str, Any]]] = [
        (f"{speed:g} times the recorded pace", {"speed": speed}) for speed in given.speeds
    ]
    paces.append((f"{BURST_TRADES} trades at a time, 1 ms apart", {"per_tick": BURST_TRADES}))
    for pace, how in paces:
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
    sent = len(recording)
    got = {name: min(leg["trades"] for leg in each) for name, each in legs.items()}
    notes = {name: f"{got[name]:.0f} of {sent} trades came, at least" for name in CLIENTS}
    return [
        Figure.spread(f"ours, {pace}", cost_us["ours"], "us/trade", note=notes["ours"]),
        Figure.spread(f"ccxt.pro, {pace}", cost_us["ccxt"], "us/trade", note=notes["ccxt"]),
        Figure.spread(f"frames only, {pace}", cost_us["floor"], "us/trade"),
        Figure.spread(f"ccxt.pro over ours, {pace}", ratios, "times", TIMES_FEWER_MIN),
    ]


async def one_leg(name: str, recording: list[Recorded], how: dict[str, Any]) -> dict[str, float]:
    """Play the recording to one client; it says what it cost."""
    info = market_list()
    exchange = ReplayExchange(
        BinanceDialect([], exchange_info=info), recording, **{"tick_ms": 1} | how
    )
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
            if not first and count >= WARM_UP_TRADES:
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
        if not first and len(seen) >= WARM_UP_TRADES:
            first, began = len(seen), time.process_time()
    cpu_s = time.process_time() - began
    await exchange.close()
    return {"trades": len(seen), "counted": trades - first, "cpu_s": cpu_s}


async def floor(stream_url: str, trades: int) -> dict[str, float]:
    """Read the frames and do nothing with them."""
    pace = Pace(Options().batch_ms)
    over = asyncio.Event()

    class Counting(WSListener):
        count = 0
        began = 0.0
        ended = 0.0

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            frame.get_payload_as_bytes()
            self.count += 1
            if self.count == WARM_UP_TRADES:
                self.began = time.process_time()
            if self.count == trades:
                self.ended = time.process_time()
                over.set()
            if frame.last_in_buffer:
                pace.rest(transport.underlying_transport.get_extra_info("socket"))

    reading = Counting()
    url = Endpoints(stream_url, "", "").streams(SYMBOLS)
    transport, _ = await ws_connect(lambda: reading, url)
    await over.wait()
    transport.disconnect()
    await transport.wait_disconnected()
    cpu_s = reading.ended - reading.began
    return {"trades": reading.count, "counted": trades - WARM_UP_TRADES, "cpu_s": cpu_s}


def last_of(trades: int) -> list[Recorded]:
    return read_recordings(DATA / name for name in FRAMES)[trades - 1 : trades]


if __name__ == "__main__":
    main()
