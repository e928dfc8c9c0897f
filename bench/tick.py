"""Cost of a tick against the number of idle tokens: see `bench/README.md`."""

import argparse
import time
from pathlib import Path

import numpy as np

from swapstats.core.shard import Shard
from swapstats.errors import InvariantBroken
from swapstats.roles.bench.figures import Figure, Findings
from swapstats.roles.bench.filling import fill_by_token
from swapstats.roles.bench.full_path import DEFAULT_SPEC, shard_config
from swapstats.roles.bench.machine import on_one_core, this_machine

ROOT = Path(__file__).resolve().parents[1]
GROWTH_MAX = 2.0
"""A hundred times the tokens may cost this much more: caches, not work."""
COUNTS = (10_000, 100_000, 1_000_000)
TICKS = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    found = Findings("tick", this_machine())
    with on_one_core() as core:
        found.method.append(
            f"Pinned to core {core}; {given.rounds} rounds of {TICKS} ticks for each number of "
            "tokens, in turns. Every token traded once, at midnight, and is idle since; T is "
            "hours later, so that nothing enters or leaves a window."
        )
        shards = {count: idle(count) for count in COUNTS}
        for name, step_ms in (("within a bucket", 1), ("into the next bucket", 5_000)):
            found.figures += figures(name, shards, step_ms, given.rounds)
    print(found.text())
    print(f"written to {found.save(ROOT / 'artifacts')}")


def idle(count: int) -> Shard:
    """A shard whose tokens all traded once, long ago but not a day ago."""
    print(f"making {count:,} idle tokens", flush=True)
    shard = Shard(shard_config(event_clock=True), 1)
    fill_by_token(shard, count, count, lambda _: None)
    shard.tick(shard.t_ms + 2 * 3_600_000)
    shard.snapshot().encode()
    if len(shard.live_tokens()) != count:
        raise InvariantBroken(f"Expected {count} tokens in the widest window, was fewer")
    return shard


def figures(name: str, shards: dict[int, Shard], step_ms: int, rounds: int) -> list[Figure]:
    took: dict[int, list[float]] = {count: [] for count in shards}
    snapshots: dict[int, list[float]] = {count: [] for count in shards}
    for _ in range(rounds):
        for count, shard in shards.items():
            took[count].append(tick_us(shard, step_ms))
            began = time.thread_time()
            shard.snapshot().encode()
            snapshots[count].append((time.thread_time() - began) * 1e6)
    least, most = min(shards), max(shards)
    growth = float(np.median(took[most]) / np.median(took[least]))
    found = [
        Figure.spread(f"tick {name}, {count:,} idle tokens", values, "us")
        for count, values in took.items()
    ]
    found.append(
        Figure(
            f"tick {name}, {most:,} over {least:,} idle tokens",
            growth,
            "times",
            GROWTH_MAX,
            at_least=False,
        )
    )
    found += [
        Figure.spread(f"snapshot after ticks {name}, {count:,} idle tokens", values, "us")
        for count, values in snapshots.items()
    ]
    return found


def tick_us(shard: Shard, step_ms: int) -> float:
    """Processor time of a tick; a tick that changes a token's windows would not be an idle one."""
    t_ms = shard.t_ms
    if step_ms == 1:
        t_ms = t_ms // DEFAULT_SPEC.step_ms * DEFAULT_SPEC.step_ms
        shard.tick(t_ms + DEFAULT_SPEC.step_ms)
        t_ms += DEFAULT_SPEC.step_ms
    changed = 0
    began = time.thread_time()
    for number in range(1, TICKS + 1):
        changed += len(shard.tick(t_ms + number * step_ms).update.token_ids)
    took_s = time.thread_time() - began
    if changed:
        raise InvariantBroken(f"Expected ticks that change nothing, was {changed} tokens")
    return took_s / TICKS * 1e6


if __name__ == "__main__":
    main()
