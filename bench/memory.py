"""Memory of held state, each case in a process of its own: see `bench/README.md`."""

import argparse
import gc
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from swapstats.core.shard import Shard
from swapstats.roles.bench.figures import Figure, Findings
from swapstats.roles.bench.filling import (
    DAY_MS,
    Cost,
    expect_pairs,
    fill_by_token,
    fill_shuffled,
    fill_steadily,
    quiet_down,
)
from swapstats.roles.bench.full_path import DEFAULT_SPEC, shard_config
from swapstats.roles.bench.machine import resident_bytes, this_machine
from swapstats.roles.bench.made_swaps import Popularity, SteadyStream

ROOT = Path(__file__).resolve().parents[1]
PAIR_BYTES_MAX = 20.0
HELD = 10_000_000
DAY_BUCKETS = DAY_MS // DEFAULT_SPEC.step_ms
SAMPLE_S = 900
GIB = 1 << 30


def child(kind: str, count: int, rate: float, tokens: int) -> None:
    """Fill a shard, print what it takes as JSON."""
    event_clock = kind != "steady"
    config = shard_config(event_clock=event_clock)
    fill("steady", Shard(config, 1), 50_000, 10_000.0, 50)  # kernels are loaded before counting
    gc.collect()
    before, _ = resident_bytes()
    shard = Shard(config, 1)
    began = time.perf_counter()
    fill(kind, shard, count, rate, tokens)
    took_s = time.perf_counter() - began
    at_once = shard.memory().total_bytes
    if kind != "steady":
        expect_pairs(shard, count)
    quiet_down(shard)
    gc.collect()
    after, peak = resident_bytes()
    cost = Cost.of(shard)
    print(
        json.dumps(
            {
                "pairs": cost.held.pairs,
                "cells": cost.held.cells,
                "buckets": cost.held.buckets,
                "tokens": cost.held.tokens,
                "pair_bytes": cost.pair_bytes,
                "cell_bytes": cost.cell_bytes,
                "total_bytes": cost.held.total_bytes,
                "sets_bytes": cost.held.sets_bytes,
                "at_once_bytes": at_once,
                "resident_bytes": after - before,
                "peak_bytes": peak - before,
                "took_s": took_s,
            }
        )
    )


def fill(kind: str, shard: Shard, count: int, rate: float, tokens: int) -> None:
    if kind == "steady":
        fill_steadily(shard, SteadyStream(rate, Popularity.of(tokens)), count, lambda _: None)
    elif kind == "shuffled":
        fill_shuffled(shard, Popularity.of(tokens), count, lambda _: None)
    else:
        fill_by_token(shard, tokens, count, lambda _: None)


def run(kind: str, count: int, rate: float, tokens: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", kind, str(count), str(rate), str(tokens)]
    print(f"filling: {kind}, {count:,} swaps, {rate:,.0f}/s, {tokens:,} tokens", flush=True)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    print(f"  {found['took_s']:.0f} s, {found['total_bytes'] / GIB:.2f} GiB", flush=True)
    return found


def pair_figures(name: str, found: dict[str, Any]) -> list[Figure]:
    pairs = found["pairs"]
    return [
        Figure(
            f"{name}: sets, content check included",
            found["pair_bytes"],
            "bytes/pair",
            PAIR_BYTES_MAX,
            at_least=False,
            note=f"{pairs:,} pairs, {found['buckets']:,} buckets, {found['cells']:,} cells",
        ),
        Figure(f"{name}: cells", found["cell_bytes"], "bytes/cell"),
        Figure(f"{name}: all arrays", found["total_bytes"] / pairs, "bytes/pair"),
        Figure(
            f"{name}: all arrays before old buckets were packed",
            found["at_once_bytes"] / pairs,
            "bytes/pair",
        ),
        Figure(
            f"{name}: resident memory of the process",
            found["resident_bytes"] / pairs,
            "bytes/pair",
            note=f"{found['resident_bytes'] / found['total_bytes']:.2f} of the arrays; highest "
            f"{found['peak_bytes'] / found['total_bytes']:.2f}",
        ),
        Figure(f"{name}: filled at", pairs / found["took_s"], "pairs/s"),
    ]


def day_figure(rate: int, tokens: int, *, measured: bool) -> Figure:
    """A day at a rate: filled whole, or computed from a sample of the same stream."""
    name = f"24 h at {rate:,} swaps/s, {tokens:,} tokens"
    seconds = DAY_MS // 1_000 if measured else SAMPLE_S
    found = run("steady", rate * seconds, float(rate), tokens)
    if measured:
        resident = f"resident {found['resident_bytes'] / GIB:.2f} GiB"
        return Figure(
            name,
            found["total_bytes"] / GIB,
            "GiB",
            note=f"measured: {found['pairs']:,} pairs at {found['pair_bytes']:.1f} bytes, "
            f"{found['cells']:,} cells at {found['cell_bytes']:.1f} bytes, {resident}",
        )
    scale = DAY_BUCKETS / (seconds * 1_000 / DEFAULT_SPEC.step_ms)
    pairs, cells = found["pairs"] * scale, found["cells"] * scale
    per_token = found["total_bytes"] - found["sets_bytes"] - found["cells"] * found["cell_bytes"]
    total = pairs * found["pair_bytes"] + cells * found["cell_bytes"] + per_token
    return Figure(
        name,
        total / GIB,
        "GiB",
        note=f"computed from {seconds} s of that stream: {pairs:,.0f} pairs at "
        f"{found['pair_bytes']:.1f} bytes, {cells:,.0f} cells at {found['cell_bytes']:.1f} bytes",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--held", type=int, default=HELD, help="pairs held in the first cases")
    parser.add_argument("--full", action="store_true", help="fill the day of 100,000 tokens too")
    parser.add_argument("--quick", action="store_true", help="fill no whole day")
    given = parser.parse_args()
    if given.child:
        kind, count, rate, tokens = given.child
        child(kind, int(count), float(rate), int(tokens))
        return
    found = Findings("memory", this_machine())
    found.method.append(
        "Each case in a fresh process; arrays as the shard counts them, resident memory as the "
        "kernel counts it, both less what stood before the first message. One shard, windows "
        "5m, 1h, 24h, step 5s."
    )
    held = given.held
    day_rate = held / (DAY_MS / 1_000)
    for name, kind, count, rate, tokens in (
        ("a day in order, late and repeated ones in it", "steady", held, day_rate, 3_000),
        ("1,000 swaps/s in order, late and repeated ones in it", "steady", held, 1_000.0, 3_000),
        ("a day in random order", "shuffled", held // 5, 0.0, 3_000),
        ("a day token by token", "by token", held // 2, 0.0, 300),
    ):
        found.figures += pair_figures(name, run(kind, count, rate, tokens))
    whole = not given.quick
    found.figures.append(day_figure(1_000, 3_000, measured=whole))
    found.figures.append(day_figure(1_000, 100_000, measured=whole and given.full))
    found.figures.append(day_figure(10_000, 3_000, measured=False))
    found.figures.append(day_figure(10_000, 100_000, measured=False))
    print(found.text())
    print(f"written to {found.save(ROOT / 'artifacts')}")


if __name__ == "__main__":
    main()
