"""Checkpoints of a shard with 10M pairs: stalls, sizes, restart: see `bench/README.md`."""

import argparse
import gc
import sys
import tempfile
import time
from pathlib import Path

from swapstats.adapters.embedded.checkpoints import EmbeddedCheckpointStore
from swapstats.cli.run import SWITCH_INTERVAL_S
from swapstats.core.shard import Shard
from swapstats.errors import InvariantBroken
from swapstats.model.record import RecordBatch
from swapstats.roles.bench.engine_path import CADENCE_S, EnginePath
from swapstats.roles.bench.figures import Figure, Findings
from swapstats.roles.bench.filling import BATCH_MESSAGES, DAY_MS, fill_steadily
from swapstats.roles.bench.full_path import shard_config
from swapstats.roles.bench.machine import this_machine
from swapstats.roles.bench.made_swaps import Popularity, SteadyStream
from swapstats.roles.bench.stalls import Latencies, live_batches, run_paced, touch_every_bucket

ROOT = Path(__file__).resolve().parents[1]
HELD = 10_000_000
STALL_MAX_MS = 50.0
RESTART_MAX_S = 3.0
TOKENS = 3_000
SLICE_MS = 100
FAST_MESSAGES = 2_000_000
FAST_CADENCE_S = 0.5
MIB = 1 << 20


def main() -> None:
    sys.setswitchinterval(SWITCH_INTERVAL_S)  # as `swapstats run` does
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--held", type=int, default=HELD)
    parser.add_argument("--seconds", type=float, default=16.0, help="of each live stream")
    given = parser.parse_args()
    found = Findings("checkpoint", this_machine())
    found.method.append(
        f"One shard that holds {given.held:,} pairs when the stream begins; batches of "
        f"{SLICE_MS} ms of stream at the pace of the clock, a checkpoint every {CADENCE_S:g} s "
        "encoded and written to SQLite by another thread. A stall is the longest single batch, "
        "with the snapshot before it. Not pinned to a core, as in service."
    )
    day_rate = given.held / (DAY_MS / 1_000)
    for rate in (day_rate, 3_000.0, 10_000.0):
        name = f"{given.held / 1e6:g}M pairs at {rate:,.0f} swaps/s"
        print(f"filling: {name}", flush=True)
        found.figures += scenario(name, rate, given.held, given.seconds)
        gc.collect()
    print(found.text())
    print(f"written to {found.save(ROOT / 'artifacts')}")


def scenario(name: str, rate: float, held: int, seconds: float) -> list[Figure]:
    artifacts = ROOT / "artifacts"
    artifacts.mkdir(exist_ok=True)
    config = shard_config(event_clock=False)
    stream = SteadyStream(rate, Popularity.of(TOKENS))
    with tempfile.TemporaryDirectory(dir=artifacts) as folder:
        store = EmbeddedCheckpointStore(Path(folder) / "checkpoints.db")
        path = EnginePath(config, store)
        try:
            fill_steadily(path.shard, stream, held, lambda _: None)
            figures = [*first_checkpoint(name, path), *live(name, path, stream, held, seconds)]
            figures += every_bucket(name, path)
            figures.append(restart(name, path, store))
        finally:
            path.close()
            store.close()
    return figures


def first_checkpoint(name: str, path: EnginePath) -> list[Figure]:
    path.begin_checkpoint()
    path.finish_checkpoint()
    saved = path.saved
    return [
        stall(f"{name}: first snapshot, everything", saved.stalls_ms[-1]),
        Figure(f"{name}: first checkpoint written in", saved.saves_ms[-1] / 1_000, "s"),
        Figure(f"{name}: first checkpoint", saved.sizes_bytes[-1] / MIB, "MiB"),
    ]


def live(
    name: str, path: EnginePath, stream: SteadyStream, first: int, seconds: float
) -> list[Figure]:
    """The stream goes on: without checkpoints, with them at its pace, with them at full speed."""
    count = int(stream.rate * seconds)
    begun = len(path.saved.stalls_ms)

    def run(at: int, slice_ms: int, every_s: float, duration_s: float) -> Latencies:
        batches = list(take(path, stream, at, count))
        return run_paced(path, iter(batches), duration_s, slice_ms, every_s, time.sleep)

    without = run(first, SLICE_MS, 0.0, seconds / 2)
    first += count
    paced = run(first, SLICE_MS, CADENCE_S, seconds - 0.2)
    first += count
    fast = iter(
        stream.records(first, first + FAST_MESSAGES, path.shard.next_offset, BATCH_MESSAGES)
    )
    hurried = run_paced(path, fast, 600.0, 0, FAST_CADENCE_S, time.sleep)
    saved = path.saved
    return [
        Figure(f"{name}: longest batch without checkpoints", without.quiet_max_ms, "ms"),
        stall(
            f"{name}: longest batch beside checkpoints",
            paced.beside_max_ms,
            note=f"longest between them {paced.quiet_max_ms:.1f} ms; "
            f"{len(paced.beside_ms)} batches beside, {len(paced.quiet_ms)} between",
        ),
        stall(
            f"{name}: longest batch of {BATCH_MESSAGES:,} at full speed, beside checkpoints",
            hurried.beside_max_ms,
            note=f"between them {hurried.quiet_max_ms:.1f} ms; a checkpoint every "
            f"{FAST_CADENCE_S:g} s; {len(hurried.beside_ms)} batches beside, "
            f"{len(hurried.quiet_ms)} between",
        ),
        Figure.spread(
            f"{name}: snapshot", saved.stalls_ms[begun:], "ms", STALL_MAX_MS, at_least=False
        ),
        Figure.spread(
            f"{name}: checkpoint, every {CADENCE_S:g} s",
            [size / MIB for size in saved.sizes_bytes[begun:]],
            "MiB",
        ),
        Figure.spread(f"{name}: checkpoint written in", saved.saves_ms[begun:], "ms"),
    ]


def take(path: EnginePath, stream: SteadyStream, first: int, count: int) -> list[RecordBatch]:
    """Batches of a stretch of the stream, made beforehand."""
    batches = live_batches(stream, first, SLICE_MS, path.shard.next_offset)
    slices = max(1, int(count / stream.rate * 1_000 / SLICE_MS))
    return [next(batches) for _ in range(slices)]


def every_bucket(name: str, path: EnginePath) -> list[Figure]:
    """The worst case: one batch changed every bucket, and the next changes them all again."""
    alone = touch_every_bucket(path, 8_000_000_000)
    took_ms = apply_ms(path, alone)
    path.begin_checkpoint()
    again = touch_every_bucket(path, 8_100_000_000)
    beside_ms = apply_ms(path, again)
    path.finish_checkpoint()
    held = len(path.shard.windows.buckets)
    return [
        stall(f"{name}: snapshot, every one of {held:,} buckets changed", path.saved.stalls_ms[-1]),
        Figure(
            f"{name}: a batch that changes every bucket, without a checkpoint", took_ms, "ms"
        ),
        stall(
            f"{name}: what a snapshot right before it adds",
            max(0.0, beside_ms - took_ms),
            note=f"{beside_ms:.0f} ms in all, {beside_ms / took_ms:.1f} times as long",
        ),
        Figure(
            f"{name}: that checkpoint", path.saved.sizes_bytes[-1] / MIB, "MiB",
            note=f"written in {path.saved.saves_ms[-1] / 1_000:.2f} s beside the stream",
        ),
    ]  # fmt: skip


def apply_ms(path: EnginePath, batch: RecordBatch) -> float:
    began = time.perf_counter()
    path.shard.apply(batch, path.shard.t_ms)
    return (time.perf_counter() - began) * 1_000


def restart(name: str, path: EnginePath, store: EmbeddedCheckpointStore) -> Figure:
    """Load and restore, three times; the result must be what was saved."""
    path.begin_checkpoint()
    path.finish_checkpoint()
    expected = path.shard
    times_s: list[float] = []
    for _ in range(3):
        gc.collect()
        began = time.perf_counter()
        checkpoint = store.load(0)
        if checkpoint is None:
            raise InvariantBroken("Expected a checkpoint, was none")
        shard = Shard.restore(expected.config, checkpoint, expected.epoch + 1)
        times_s.append(time.perf_counter() - began)
        if shard.live_tokens() != expected.live_tokens():
            raise InvariantBroken("Expected the windows that were saved, was others")
        del shard, checkpoint
    return Figure.spread(
        f"{name}: warm restart, load and restore", times_s, "s", RESTART_MAX_S, at_least=False
    )


def stall(name: str, took_ms: float, note: str = "") -> Figure:
    return Figure(name, took_ms, "ms", STALL_MAX_MS, at_least=False, note=note)


if __name__ == "__main__":
    main()
