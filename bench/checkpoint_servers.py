"""Checkpoints of a day's state on Redis and on object storage: `docs/BENCHMARKS_SERVERS.md`.

One shard of the log's twelve is filled with 24 h and measured in full; what all twelve come to is
computed from it and says so.
"""

import argparse
import contextlib
import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import redis

from swapstats.adapters.object_store.checkpoints import ObjectCheckpointStore
from swapstats.adapters.object_store.objects import Objects, S3Location, open_s3
from swapstats.adapters.redis.checkpoints import RedisCheckpointStore
from swapstats.cli.run import SWITCH_INTERVAL_S
from swapstats.core.shard import Shard
from swapstats.errors import InvariantBroken
from swapstats.ports.checkpoint_store import CheckpointStore
from swapstats.roles.bench.engine_path import CADENCE_S, EnginePath
from swapstats.roles.bench.figures import Figure, Findings
from swapstats.roles.bench.filling import fill_steadily
from swapstats.roles.bench.full_path import shard_config
from swapstats.roles.bench.machine import this_machine
from swapstats.roles.bench.made_swaps import Popularity, SteadyStream
from swapstats.roles.bench.stalls import live_batches, run_paced
from swapstats.stack.process import ServerProcess
from swapstats.stack.redis import RedisServer
from swapstats.stack.versitygw import versitygw
from swapstats.testing.eventually import eventually

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where `bench` is, for a script
from bench.load.roles import resident_mib, written_bytes

ROOT = Path(__file__).resolve().parents[1]
SHARDS = 12
STALL_MAX_MS = 50.0
SLICE_MS = 100
REWRITE_MS_MAX = 600_000
MIB = 1 << 20


@dataclass(frozen=True)
class Place:
    """A server that keeps checkpoints.

    Attributes:
        name: what people call it.
        server: its process.
        open: connects a store to it.
        held_mib: what it takes to keep what was saved, and where.
        settle: waits for what the server does afterwards by itself.
    """

    name: str
    server: ServerProcess
    open: Callable[[], CheckpointStore]
    held_mib: Callable[[], float]
    settle: Callable[[], None]


@contextlib.contextmanager
def on_redis(folder: Path) -> Iterator[Place]:
    server = RedisServer(folder, fsync="always")
    server.start()
    try:
        yield Place(
            "Redis (memory)",
            server,
            lambda: RedisCheckpointStore(server.url, "bench"),
            lambda: resident_mib(server.pid),
            lambda: _await_rewrite(server),
        )
    finally:
        server.stop()


@contextlib.contextmanager
def on_object_storage(folder: Path) -> Iterator[Place]:
    server, access = versitygw(folder)
    server.start()
    location = S3Location(
        access.bucket, access.endpoint, access.region, access.key_id, access.secret
    )
    try:
        yield Place(
            "object storage (disk)",
            server,
            lambda: ObjectCheckpointStore(Objects(open_s3(location), "bench")),
            lambda: _size_mib(folder / "objects"),
            lambda: None,
        )
    finally:
        server.stop()


def _size_mib(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / MIB


def _await_rewrite(server: RedisServer) -> None:
    """Let Redis rewrite its log of writes, as it does when that has doubled."""
    client = redis.Redis(port=server.port)
    names = ("aof_rewrite_in_progress", "aof_rewrite_scheduled")

    def is_quiet() -> bool:
        told = client.info("persistence")
        return not any(told[name] for name in names)

    eventually(is_quiet, REWRITE_MS_MAX, "Redis to have rewritten its log")
    client.close()


class Case:
    """One shard's checkpoints on one server.

    Args:
        place: the server.
        stream: what the shard gets.
        tokens: in the whole stream, for the names of figures.
    """

    def __init__(self, place: Place, stream: SteadyStream, tokens: int) -> None:
        self.place = place
        self.stream = stream
        self.name = f"{tokens:,} tokens, {place.name}"
        self.path = EnginePath(shard_config(event_clock=False), place.open())

    def figures(self, held: int, seconds: float) -> Iterator[Figure]:
        """Fill, save everything, go on at the pace of the clock, restore."""
        fill_steadily(self.path.shard, self.stream, held, lambda _: None)
        memory = self.path.shard.memory()
        yield Figure(
            f"{self.name}: pairs held", float(memory.pairs), "",
            note=f"{memory.cells:,} cells, {memory.buckets:,} buckets, "
            f"{memory.total_bytes / MIB:,.0f} MiB",
        )  # fmt: skip
        yield from self.whole()
        yield from self.live(held, seconds)
        yield self.restored()
        load = os.getloadavg()[0]
        yield Figure(f"{self.name}: load average of the machine in the last minute", load, "")

    def whole(self) -> Iterator[Figure]:
        """The first checkpoint holds everything, as after a rebuild or a lost store."""
        self.path.begin_checkpoint()
        self.path.finish_checkpoint()
        saved, name = self.path.saved, f"{self.name}: everything at once"
        yield stall(f"{name}, snapshot", [saved.stalls_ms[-1]])
        yield Figure(f"{name}, size", saved.sizes_bytes[-1] / MIB, "MiB")
        yield Figure(f"{name}, written in", saved.saves_ms[-1] / 1_000, "s")
        self.place.settle()
        yield Figure(f"{name}, kept by the server", self.place.held_mib(), "MiB")

    def live(self, first: int, seconds: float) -> Iterator[Figure]:
        """The stream goes on, with a checkpoint every 5 s of it."""
        saved, name = self.path.saved, f"{self.name}: every {CADENCE_S:g} s"
        begun = len(saved.saves_ms)
        before = written_bytes(self.place.server.pid)
        slices = live_batches(self.stream, first, SLICE_MS, self.path.shard.next_offset)
        # Made beforehand: making them must not look like a stall.
        batches = [next(slices) for _ in range(round(seconds * 1_000 / SLICE_MS))]
        found = run_paced(
            self.path, iter(batches), seconds + CADENCE_S, SLICE_MS, CADENCE_S, time.sleep
        )
        wrote = written_bytes(self.place.server.pid) - before
        sizes = [size / MIB for size in saved.sizes_bytes[begun:]]
        stalls = saved.stalls_ms[begun:]
        yield Figure.spread(
            f"{name}, checkpoint", sizes, "MiB",
            note=f"computed for {SHARDS} shards: {SHARDS * sum(sizes) / len(sizes):.2f} MiB on "
            "average",
        )  # fmt: skip
        yield Figure(
            f"{name}, written by the server", wrote / len(sizes) / MIB, "MiB",
            note=f"mean of {len(sizes)}; answers and tidying included",
        )  # fmt: skip
        yield stall(
            f"{name}, snapshot", stalls,
            note=f"computed for {SHARDS} shards in a row, by the median: "
            f"{SHARDS * statistics.median(stalls):.1f} ms",
        )  # fmt: skip
        yield stall(
            f"{name}, longest batch beside a checkpoint", [found.beside_max_ms],
            note=f"longest between them {found.quiet_max_ms:.1f} ms; "
            f"{len(found.beside_ms)} batches beside, {len(found.quiet_ms)} between",
        )  # fmt: skip
        yield Figure.spread(f"{name}, written in", saved.saves_ms[begun:], "ms")

    def restored(self) -> Figure:
        """Load and restore three times, each over a new connection; it must be what was saved."""
        self.path.begin_checkpoint()
        self.path.finish_checkpoint()
        expected = self.path.shard
        wanted = expected.live_tokens()
        loads_s, times_s, used_s = list[float](), list[float](), list[float]()
        for _ in range(3):
            gc.collect()
            store = self.place.open()
            began, used = time.perf_counter(), time.process_time()
            checkpoint = store.load(expected.config.partition)
            if checkpoint is None:
                raise InvariantBroken("Expected a checkpoint, was none")
            loads_s.append(time.perf_counter() - began)
            shard = Shard.restore(expected.config, checkpoint, expected.epoch + 1)
            times_s.append(time.perf_counter() - began)
            used_s.append(time.process_time() - used)
            store.close()
            if shard.live_tokens() != wanted or shard.next_offset != expected.next_offset:
                raise InvariantBroken("Expected the windows that were saved, was others")
            del shard, checkpoint
        return Figure.spread(
            f"{self.name}: restart, load and restore", times_s, "s",
            note=f"the load alone {sorted(loads_s)[1]:.2f} s; processor time of both "
            f"{sorted(used_s)[1]:.2f} s",
        )  # fmt: skip

    def close(self) -> None:
        """Release the thread that writes."""
        self.path.close()


def stall(name: str, took_ms: list[float], note: str = "") -> Figure:
    return Figure.spread(name, took_ms, "ms", STALL_MAX_MS, at_least=False, note=note)


def main() -> None:
    sys.setswitchinterval(SWITCH_INTERVAL_S)  # as the roles do
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=3_000, help="swaps a second, all shards")
    parser.add_argument("--hours", type=float, default=24.0, help="of state held")
    parser.add_argument("--seconds", type=float, default=60.0, help="of live stream, each case")
    parser.add_argument("--tokens", type=int, nargs="*", default=[3_000, 100_000])
    given = parser.parse_args()
    rate = given.rate / SHARDS
    held = round(rate * given.hours * 3_600)
    found = Findings("checkpoint servers", this_machine())
    found.method.append(
        f"One shard of {SHARDS}: {rate:g} of {given.rate:,} swaps/s, a {SHARDS}th of the tokens, "
        f"{given.hours:g} h held ({held:,} swaps) when the stream goes on in batches of {SLICE_MS} "
        f"ms at the pace of the clock for {given.seconds:g} s, with a checkpoint every "
        f"{CADENCE_S:g} s encoded and written by another thread. `computed` figures are those of "
        "this shard times the number of shards."
    )
    found.method.append(
        "Redis forces every write to the disk before it answers; what it rewrites of its log after "
        "the first checkpoint is waited for. Object storage is versitygw on a local disk, written "
        "by conditional writes. Servers share the cores with the stream."
    )
    artifacts = ROOT / "artifacts"
    artifacts.mkdir(exist_ok=True)
    for tokens in given.tokens:
        stream = SteadyStream(rate, Popularity.of(max(1, tokens // SHARDS)))
        for opened in (on_redis, on_object_storage):
            with tempfile.TemporaryDirectory(dir=artifacts) as folder, opened(Path(folder)) as at:
                case = Case(at, stream, tokens)
                print(f"filling: {case.name}", flush=True)
                try:
                    for figure in case.figures(held, given.seconds):
                        print(f"  {figure.line()}", flush=True)
                        found.figures.append(figure)
                finally:
                    case.close()
            del case
            gc.collect()
    print(found.text())
    print(f"written to {found.save(artifacts)}")


if __name__ == "__main__":
    main()
