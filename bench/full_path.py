"""Full path against the floor, on one core: see `bench/README.md`."""

import argparse
import gzip
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from swapstats.cli.bench import open_bench_stores
from swapstats.core.shard_config import ShardConfig
from swapstats.model.window import WindowSpec
from swapstats.roles.bench.engine_path import EnginePath
from swapstats.roles.bench.figures import Figure, Findings
from swapstats.roles.bench.full_path import (
    DEFAULT_SPEC,
    RATIO_MIN,
    Plan,
    figures,
    joining_cost,
    measure,
    shard_config,
)
from swapstats.roles.bench.log_path import LogPath
from swapstats.roles.bench.machine import on_one_core, this_machine
from swapstats.roles.bench.pairs import Pair
from swapstats.roles.bench.streams import (
    Batch,
    cut_batches,
    demo_arrivals,
    interleaved,
    line_arrivals,
)

ROOT = Path(__file__).resolve().parents[1]
WIRE = ROOT.parent / "shared" / "data" / "wire"
SHORT_SPEC = WindowSpec(5_000, (60_000, 120_000, 240_000))


@dataclass(frozen=True)
class Case:
    """One way to run a stream."""

    name: str
    event_clock: bool
    with_log: int = 0  # partitions; 0 = no log
    spec: WindowSpec = DEFAULT_SPEC
    target: float | None = RATIO_MIN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--leg", type=int, default=500_000, help="messages of a leg")
    parser.add_argument("--batch", type=int, default=8_192, help="messages of a batch")
    parser.add_argument("--wire", type=Path, default=WIRE, help="folder of recorded files")
    parser.add_argument("--only", default="", help="run only cases whose name holds this")
    given = parser.parse_args()
    plan = Plan(given.pairs, given.leg, given.batch)
    found = Findings("full path", this_machine())
    with on_one_core() as core:
        found.method.append(
            f"One process, pinned to core {core}; {plan.pairs} pairs, floor and full path in "
            f"turns, {plan.leg_messages:,} messages a leg, batches of {plan.batch_messages:,}, "
            "one pair before them thrown away."
        )
        found.method.append(
            "Floor: msgspec.json.Decoder(Struct).decode of each message, bytes objects at hand. "
            "Full path: decode, dedup, windows, effects, and a whole checkpoint in every leg."
        )
        for stream, arrivals, cases in streams(given.wire, found):
            chosen = [case for case in cases if given.only in f"{stream}, {case.name}"]
            if chosen:
                print(f"making {stream}: {plan.messages:,} messages", flush=True)
                batches = cut_batches(arrivals, plan.messages, plan.batch_messages, lambda _: None)
                run_cases(stream, batches, chosen, plan, found)
    print(found.text())
    print(f"written to {found.save(ROOT / 'artifacts')}")


def streams(
    wire: Path, found: Findings
) -> Iterator[tuple[str, Iterator[tuple[bytes, int]], list[Case]]]:
    event, wall = Case("event clock", True), Case("wall clock", False)
    logged = [
        Case("event clock, with the log, 1 partition", True, 1, target=None),
        Case("event clock, with the log, 12 partitions", True, 12, target=None),
        Case("wall clock, with the log, 12 partitions", False, 12, target=None),
    ]
    expiring = Case("event clock, every window expiring", True, spec=SHORT_SPEC)
    demo = demo_arrivals(7, 3_000, 1_000)
    yield "demo market, 1,000 swaps/s", demo, [event, wall, expiring, *logged]
    paths = sorted(wire.glob("*.ndjson.gz"))
    if not paths:
        found.method.append(f"No recorded files at {wire}: left out.")
        return
    files = {path.name: gzip.decompress(path.read_bytes()).splitlines() for path in paths}
    exchange = [lines for name, lines in files.items() if name.startswith("binance")]
    chain = [lines for name, lines in files.items() if not name.startswith("binance")]
    if exchange:
        trades = line_arrivals([interleaved(exchange)])
        yield "recorded exchange trades", trades, [event, logged[1]]
    if chain:
        yield "recorded on-chain swaps", line_arrivals(chain), [event]
    yield "all recorded files", line_arrivals(list(files.values())), [event]


def run_cases(
    stream: str, batches: Sequence[Batch], cases: Sequence[Case], plan: Plan, found: Findings
) -> None:
    floor_rate = 0.0
    for case in cases:
        name = f"{stream}, {case.name}"
        config = shard_config(event_clock=case.event_clock, spec=case.spec)
        with opened(config, case) as path:
            pairs = measure(path, batches, plan, show(name))
            found.figures += figures(name, pairs, case.target)
            floor_rate = max(pair.floor.cpu_rate for pair in pairs)
    cost_s = joining_cost(batches[: len(batches) // plan.pairs])
    found.figures.append(
        Figure(
            f"{stream}: laying separate messages end to end, were they not in a block",
            cost_s * 1e9,
            "ns/message",
            note=f"{cost_s * floor_rate:.0%} of the floor's time; not part of the full path",
        )
    )


@contextmanager
def opened(config: ShardConfig, case: Case) -> Iterator[EnginePath | LogPath]:
    artifacts = ROOT / "artifacts"
    artifacts.mkdir(exist_ok=True)
    with open_bench_stores(artifacts, max(1, case.with_log)) as stores:
        path: EnginePath | LogPath
        if case.with_log:
            path = LogPath(config, stores.log, stores.make_aggregator)
        else:
            path = EnginePath(config, stores.checkpoints)
        try:
            yield path
        finally:
            path.close()


def show(name: str) -> Callable[[Pair], None]:
    def tell(pair: Pair) -> None:
        print(
            f"  {name}: floor {pair.floor.rate:,.0f}/s, full {pair.full.rate:,.0f}/s, "
            f"ratio {pair.ratio:.3f} (processor time {pair.cpu_ratio:.3f})",
            flush=True,
        )

    return tell


if __name__ == "__main__":
    main()
