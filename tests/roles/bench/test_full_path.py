from collections.abc import Sequence
from pathlib import Path

from swapstats.cli.bench import open_bench_stores
from swapstats.roles.bench.engine_path import EnginePath
from swapstats.roles.bench.figures import MISS, PASS
from swapstats.roles.bench.full_path import (
    Plan,
    figures,
    joining_cost,
    measure,
    shard_config,
)
from swapstats.roles.bench.pairs import Leg, Pair
from swapstats.roles.bench.streams import Batch, cut_batches, demo_arrivals


def make(plan: Plan) -> Sequence[Batch]:
    return cut_batches(
        demo_arrivals(9, 40, 500), plan.messages, plan.batch_messages, lambda _: None
    )


def test_every_pair_takes_the_next_stretch_on_both_sides(tmp_path: Path) -> None:
    plan = Plan(pairs=3, leg_messages=400, batch_messages=100)
    told: list[Pair] = []
    with open_bench_stores(tmp_path, 1) as stores:
        path = EnginePath(shard_config(event_clock=True), stores.checkpoints)
        pairs = measure(path, make(plan), plan, told.append)
        path.close()
    assert told == pairs
    assert [(pair.floor.messages, pair.full.messages) for pair in pairs] == [(400, 400)] * 3
    assert path.shard.next_offset == plan.messages == 1_600
    assert path.shard.revision == 4


def test_figures_hold_the_elapsed_ratio_against_the_target() -> None:
    pairs = [
        Pair(Leg(100, 1.0, 1.0), Leg(100, seconds, 0.5 * seconds)) for seconds in (2.0, 2.5, 4.0)
    ]
    elapsed, processor, floor, full, full_processor = figures("x", pairs, 0.45)
    assert (elapsed.value, elapsed.low, elapsed.high) == (0.4, 0.25, 0.5)
    assert (elapsed.verdict, processor.verdict) == (MISS, PASS)
    assert processor.value == 0.8
    assert (floor.value, full.value, full_processor.value) == (100.0, 40.0, 80.0)


def test_joining_takes_time_by_message() -> None:
    cost_s = joining_cost(make(Plan(pairs=1, leg_messages=5_000, batch_messages=500)))
    assert 0 < cost_s < 1e-3
