"""The measurements that any machine can make of itself in less than a minute.

The scripts in `bench/` measure the same things, longer and in more cases.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from swapstats.core.shard import Shard
from swapstats.ports.checkpoint_store import CheckpointStore
from swapstats.ports.swap_log import SwapLog
from swapstats.roles.bench.engine_path import EnginePath
from swapstats.roles.bench.figures import Figure, Findings
from swapstats.roles.bench.filling import Cost, fill_steadily, quiet_down
from swapstats.roles.bench.full_path import (
    RATIO_MIN,
    Plan,
    figures,
    measure,
    shard_config,
)
from swapstats.roles.bench.kernel_rates import kernel_figures, measure_kernels
from swapstats.roles.bench.log_path import LogPath, MakeAggregator
from swapstats.roles.bench.machine import on_one_core, this_machine
from swapstats.roles.bench.made_swaps import Popularity, SteadyStream
from swapstats.roles.bench.pairs import Pair
from swapstats.roles.bench.streams import Batch, cut_batches, demo_arrivals

PAIR_BYTES_MAX = 20.0
_DEMO_SEED, _DEMO_TOKENS, _DEMO_RATE = 7, 3_000, 1_000


@dataclass(frozen=True, slots=True)
class BenchStores:
    """Empty stores to measure with.

    Attributes:
        log: with the number of partitions that was asked for.
        checkpoints: where checkpoints go.
        make_aggregator: makes the aggregator of this log.
    """

    log: SwapLog
    checkpoints: CheckpointStore
    make_aggregator: MakeAggregator


OpenStores = Callable[[int], AbstractContextManager[BenchStores]]
"""Opens empty stores with a number of partitions, and throws them away afterwards."""

Tell = Callable[[str, int, int], None]
"""Told the name of a part, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much the quick measurements take.

    Attributes:
        plan: of the full path.
        partitions: of the log.
        kernel_rounds: rounds of the kernels.
        held: pairs in the shard whose memory is counted.
    """

    plan: Plan = field(default_factory=lambda: Plan(pairs=5, leg_messages=150_000))
    partitions: int = 12
    kernel_rounds: int = 5
    held: int = 1_000_000


def measure_quickly(open_stores: OpenStores, tell: Tell, sizes: Sizes) -> Findings:
    """Measure the full path without and with the log, the kernels, and a shard's memory."""
    found = Findings("quick", this_machine())
    plan = sizes.plan
    with on_one_core() as core:
        found.method.append(
            f"Pinned to core {core}; floor = msgspec typed decode of the same messages; "
            f"{plan.pairs} pairs in turns, {plan.leg_messages:,} messages a leg, demo market of "
            f"{_DEMO_TOKENS:,} tokens at {_DEMO_RATE:,} swaps/s, a checkpoint in every leg."
        )
        batches = _demo(plan, tell)
        with open_stores(1) as stores:
            engine = EnginePath(shard_config(event_clock=True), stores.checkpoints)
            pairs = measure(engine, batches, plan, _count("full path", plan.pairs, tell))
            engine.close()
        found.figures += figures("full path", pairs, RATIO_MIN)
        with open_stores(sizes.partitions) as stores:
            logged = LogPath(shard_config(event_clock=True), stores.log, stores.make_aggregator)
            pairs = measure(logged, batches, plan, _count("with the log", plan.pairs, tell))
            logged.close()
        found.figures += figures("with the durable log", pairs, None)
        kernels = measure_kernels(
            sizes.kernel_rounds, _rounds("kernels", sizes.kernel_rounds + 1, tell)
        )
        found.figures += kernel_figures(kernels)
        found.figures += _memory(sizes.held, tell)
    return found


def _demo(plan: Plan, tell: Tell) -> list[Batch]:
    made = 0

    def count(messages: int) -> None:
        nonlocal made
        made += messages
        tell("making messages", made, plan.messages)

    stream = demo_arrivals(_DEMO_SEED, _DEMO_TOKENS, _DEMO_RATE)
    return cut_batches(stream, plan.messages, plan.batch_messages, count)


def _memory(held: int, tell: Tell) -> list[Figure]:
    shard = Shard(shard_config(event_clock=False), 1)
    done = 0

    def count(messages: int) -> None:
        nonlocal done
        done += messages
        tell("filling a shard", done, held)

    fill_steadily(shard, SteadyStream(1_000.0, Popularity.of(_DEMO_TOKENS)), held, count)
    quiet_down(shard)
    cost = Cost.of(shard)
    return [
        Figure(
            "memory: sets, content check included",
            cost.pair_bytes,
            "bytes/pair",
            PAIR_BYTES_MAX,
            at_least=False,
            note=f"{cost.held.pairs:,} pairs held",
        ),
        Figure("memory: cells", cost.cell_bytes, "bytes/cell"),
        Figure("memory: everything", cost.bytes_per_pair, "bytes/pair"),
    ]


def _count(name: str, total: int, tell: Tell) -> Callable[[Pair], None]:
    step = _rounds(name, total, tell)
    return lambda _: step()


def _rounds(name: str, total: int, tell: Tell) -> Callable[[], None]:
    done = 0
    tell(name, 0, total)

    def step() -> None:
        nonlocal done
        done += 1
        tell(name, done, total)

    return step
