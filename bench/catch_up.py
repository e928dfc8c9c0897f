"""Ten minutes of backlog on Kafka, caught up with: see `docs/BENCHMARKS_SERVERS.md`.

The floor and `swapstats aggregate` read the same topic in turns, alone on a core of their own.
"""

import argparse
import json
import os
import pstats
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from swapstats.adapters.kafka.log import KafkaSwapLog
from swapstats.adapters.redis.hot_store_reader import RedisHotStoreReader
from swapstats.core.decode import choose_partitions
from swapstats.core.demo_market import SLICE_MS, DemoMarket
from swapstats.model.record import MessageBlock
from swapstats.roles.bench.backlog import ForetoldCounters, backlog
from swapstats.roles.bench.figures import Figure, Findings
from swapstats.roles.bench.machine import this_machine, usable_cores
from swapstats.roles.bench.pairs import Leg, Pair
from swapstats.settings import Settings, load
from swapstats.stack.local_stack import LocalStack
from swapstats.wiring.brokers import PLACING_KEY, kafka_address, redis_url

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where `bench` is, for a script
from bench.load.processes import cpu_s
from bench.load.roles import Role, clean_environment, end_on_signals, on_core, summed

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RATIO_MIN = 0.4
PARTITIONS = 12
APPEND_SLICES = 50
GRACE = "60s"
"""Half the default, so that the market's latest swaps are late and their number says something."""
ARCHIVE = "Raw swaps are archived meanwhile, by what stands in for ClickHouse, on that core too."
LOOK_S, LOOK_CLOSELY_S, CLOSE = 0.25, 0.02, 0.95
METRICS = {
    "ingested": "events_ingested_total",
    "applied": "events_applied_total",
    "duplicates": "dedupe_hits_total",
    "removed": "removed_total",
    "cancelled": "cancelled_total",
    "too_old": "too_old_total",
    "late": "late_total",
    "late_refused": "late_refused_total",
    "dead_letters": "dead_letters_total",
}


@dataclass(frozen=True)
class FullLeg:
    """What one life of the aggregator did.

    Attributes:
        leg: from the first records applied to the end of the log.
        to_start_s: from its start to the first records applied.
        to_readers_s: from the end of the log to its windows in the hot store.
        wrong: what is not as foretold, empty if all is right.
        load: load average of the machine when it had ended.
    """

    leg: Leg
    to_start_s: float
    to_readers_s: float
    wrong: str
    load: float


def produce(settings: Settings, seconds: int, rate: int, seed: int) -> tuple[int, dict[str, int]]:
    """Write the backlog; returns how many messages, and what must be counted."""
    log = KafkaSwapLog(kafka_address(settings), settings.ingest.topic, PLACING_KEY)
    now_ms = time.time_ns() // 1_000_000
    begins_ms = (now_ms - seconds * 1_000) // SLICE_MS * SLICE_MS
    foretold = ForetoldCounters(PARTITIONS, settings.app.grace_ms, settings.app.max_ahead_ms)
    count, waiting = 0, list[bytes]()

    def append(at_ms: int) -> None:
        nonlocal count
        block = MessageBlock.of(waiting)
        partitions = choose_partitions(block, PLACING_KEY, PARTITIONS, now_ms)
        log.append(block, partitions, now_ms, {})
        foretold.feed(waiting, partitions, at_ms, now_ms)
        count += len(waiting)
        waiting.clear()

    slices = backlog(DemoMarket(seed, rate=rate), begins_ms, seconds * 1_000)
    for number, (at_ms, messages) in enumerate(slices, 1):
        waiting += messages
        if number % APPEND_SLICES == 0:
            append(at_ms)
    if waiting:
        append(begins_ms + seconds * 1_000)
    log.close()
    return count, foretold.counters


class CatchUp:
    """Legs over one backlog."""

    def __init__(self, folder: Path, config: Path, core: int, total: int) -> None:
        self.folder = folder
        self.config = config
        self.core = core
        self.total = total
        self.number = 0

    def floor(self) -> Leg:
        """Consume and decode, nothing else."""
        self.number += 1
        command = [sys.executable, str(HERE / "load" / "consume_floor.py")]
        command += ["--config", str(self.config), "--group", f"floor-{self.number}"]
        with on_core(self.core):
            done = subprocess.run(
                [*command, "--total", str(self.total)],
                stdout=subprocess.PIPE, check=True, env=clean_environment({}),
            )  # fmt: skip
        found = json.loads(done.stdout)
        return Leg(found["messages"], found["wall_s"], found["cpu_s"])

    def full(self, foretold: dict[str, int], *, profile: Path | None = None) -> FullLeg:
        """One aggregator in a group of its own, with a part of Redis of its own."""
        self.number += 1
        name = f"full-{self.number}"
        own = {"ingest.group_id": name, "stores.redis.prefix": name}
        role = Role(
            "aggregate", self.config, self.folder / f"{name}.log",
            settings=own, core=self.core, profile=profile,
        )  # fmt: skip
        try:
            leg, first = self._follow(role)
            to_readers_s = self._until_readers_see(name)
            counted = role.figures()
            role.end()
        finally:
            role.close()
        found = {key: int(summed(counted, METRICS[key])) for key in foretold}
        wrong = "" if found == foretold else f"counters {found}, foretold {foretold}"
        load = os.getloadavg()[0]
        audit = subprocess.run(
            [sys.executable, "-m", "swapstats", "audit", "--config", str(self.config)],
            stdout=subprocess.PIPE, text=True, check=False, env=clean_environment(own),
        )  # fmt: skip
        if audit.returncode or "no difference" not in audit.stdout:
            wrong += f"audit: {audit.stdout[-1_000:]}"
        return FullLeg(leg, first - role.begun, to_readers_s, wrong, load)

    def _follow(self, role: Role) -> tuple[Leg, float]:
        """Watch from the first records applied to the end of the log."""
        pid = role.process.pid
        address = role.word("metrics", "address")
        first = seen = used = 0.0
        while True:
            lines = role.get("/metrics", address).decode().splitlines()
            now, cpu = time.perf_counter(), cpu_s(pid)
            done = sum(
                float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("next_offset{")
            )
            if done and not first:
                first, seen, used = now, done, cpu
            if done >= self.total:
                return Leg(int(done - seen), now - first, cpu - used), first
            close = not first or done > CLOSE * self.total
            time.sleep(LOOK_CLOSELY_S if close else LOOK_S)

    def _until_readers_see(self, prefix: str) -> float:
        """Wait until the hot store holds the end of the log."""
        began = time.perf_counter()
        reader = RedisHotStoreReader(redis_url(load(self.config)), prefix)
        while True:
            heads = [reader.head(partition) for partition in range(PARTITIONS)]
            if sum(head.offset for head in heads if head is not None) >= self.total:
                reader.close()
                return time.perf_counter() - began
            time.sleep(LOOK_CLOSELY_S)


def figures(pairs: list[Pair], legs: list[FullLeg], foretold: dict[str, int]) -> list[Figure]:
    return [
        Figure.spread(
            "catch-up / floor", [pair.ratio for pair in pairs], "of the floor", RATIO_MIN
        ),
        Figure.spread(
            "the same by processor time", [pair.cpu_ratio for pair in pairs], "of the floor",
            RATIO_MIN,
        ),
        Figure.spread("floor", [pair.floor.rate for pair in pairs], "messages/s"),
        Figure.spread("catch-up", [pair.full.rate for pair in pairs], "messages/s"),
        Figure.spread("catch-up took", [pair.full.wall_s for pair in pairs], "s"),
        Figure.spread(
            "from the start of the process to its first records applied",
            [leg.to_start_s for leg in legs], "s",
        ),
        Figure.spread(
            "from the end of the log to the windows readers see",
            [leg.to_readers_s for leg in legs], "s",
        ),
        Figure.spread("load average of the machine", [leg.load for leg in legs], ""),
        Figure(
            "legs with a wrong counter or window", float(sum(bool(leg.wrong) for leg in legs)), "",
            0.0, at_least=False,
            note="; ".join([str(foretold), *(leg.wrong for leg in legs if leg.wrong)]),
        ),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of stream that piled up")
    parser.add_argument("--rate", type=int, default=3_000, help="swaps a second of that stream")
    parser.add_argument("--rounds", type=int, default=3, help="pairs of floor and full")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--profile", action="store_true", help="of one more life, printed")
    parser.add_argument("--archive", action="store_true", help="write the archive meanwhile")
    given = parser.parse_args()
    end_on_signals()
    found = Findings("catch up archived" if given.archive else "catch up", this_machine())
    extra = {"app.grace": GRACE, "stores.archive": "auto" if given.archive else "off"}
    cores = usable_cores()
    own, others = cores[-1], cores[0]
    os.sched_setaffinity(0, {others})
    artifacts = ROOT / "artifacts"
    artifacts.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=artifacts) as place:
        folder = Path(place)
        with LocalStack(folder, partitions=PARTITIONS, extra=extra) as stack:
            measure(found, stack, given, own)
    found.method.insert(
        0,
        f"Floor and aggregator alone on core {own}; Kafka, Redis, NATS and this script on core "
        f"{others}. {ARCHIVE if given.archive else 'No archive.'} "
        f"{given.rounds} pairs in turns, each with a consumer group and a part of Redis "
        "of its own; one floor before them thrown away.",
    )
    print(found.text())
    print(f"written to {found.save(artifacts)}")


def measure(found: Findings, stack: LocalStack, given: argparse.Namespace, core: int) -> None:
    seconds = round(given.minutes * 60)
    print(f"writing {seconds} s of stream at {given.rate:,} swaps/s", flush=True)
    total, foretold = produce(load(stack.config_path), seconds, given.rate, given.seed)
    print(f"  {total:,} messages: {foretold}", flush=True)
    found.method.append(
        f"{total:,} messages ({seconds} s of the demo market at {given.rate:,} swaps/s, seed "
        f"{given.seed}, and exact repeats), {PARTITIONS} partitions, one broker; "
        "fetch.queue.backoff.ms=5 on both sides. Redis forces every write to the disk."
    )
    runs = CatchUp(stack.directory, stack.config_path, core, total)
    runs.floor()
    pairs, legs = [], []
    for _ in range(given.rounds):
        floor = runs.floor()
        legs.append(runs.full(foretold))
        pairs.append(Pair(floor, legs[-1].leg))
        print(
            f"  floor {floor.rate:,.0f}/s, catch-up {pairs[-1].full.rate:,.0f}/s: "
            f"{pairs[-1].ratio:.3f}, by processor time {pairs[-1].cpu_ratio:.3f}; "
            f"started in {legs[-1].to_start_s:.1f} s {legs[-1].wrong}",
            flush=True,
        )
    found.figures += figures(pairs, legs, foretold)
    if given.profile:
        path = stack.directory / "profile"
        runs.full(foretold, profile=path)
        pstats.Stats(str(path)).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()
