"""An aggregator stopped between any two steps of its stores: it goes on as if nothing had been.

A stop at a step copies the data directory as it lies there at that moment, which is what a killed
process leaves behind; the next life begins from the copy. Everything is drawn from a seed.
"""

import json
import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from tests.end_to_end.replay_runs import Expected, Report, assert_shape, recount

from swapstats.adapters.embedded.checkpoints import FAULT_POINTS as CHECKPOINT_POINTS
from swapstats.adapters.embedded.checkpoints import EmbeddedCheckpointStore
from swapstats.adapters.embedded.dead_letters import EmbeddedDeadLetterStore
from swapstats.adapters.embedded.log import FAULT_POINTS as LOG_POINTS
from swapstats.adapters.embedded.log import EmbeddedSwapLog
from swapstats.core.decode import choose_partitions
from swapstats.core.hash_key import HashKey
from swapstats.core.shard_config import ShardConfig
from swapstats.errors import StoreFull
from swapstats.model.record import MessageBlock
from swapstats.model.window import WindowSpec
from swapstats.ports.observer import Silent
from swapstats.roles.aggregator.options import AggregatorOptions
from swapstats.roles.report import render_report
from swapstats.testing.faults import Fault, FaultPlan, InjectedCrash
from swapstats.testing.manual_clock import ManualClock
from swapstats.testing.wire_streams import StreamShape, random_stream, shuffled, spelled
from swapstats.wiring.embedded import NoFanOut, embedded_aggregator

POINTS = (*LOG_POINTS, *CHECKPOINT_POINTS)
WINDOWS = {"10s": 10_000, "1m": 60_000}
SPEC = WindowSpec(5_000, tuple(WINDOWS.values()))
KEY = HashKey.of(bytes(range(16)))
PARTITIONS = 2
SOURCE = "recording"
START_MS = 1_704_412_800_000
LIVES_MAX = 50
ROUNDS_MAX = 5_000


@dataclass(frozen=True)
class Stream:
    """Blocks of messages, and what their windows must be."""

    blocks: list[list[bytes]]
    bad_count: int
    expected: Expected
    event_clock: bool
    end_ms: int

    @staticmethod
    def draw(rng: Random, *, event_clock: bool) -> "Stream":
        shape = StreamShape(swaps=90, start_ms=START_MS, late_share=0.2)
        swaps = random_stream(rng, shape)
        messages = shuffled(rng, swaps, repeats_max=2)
        if rng.random() < 0.5:  # by and large in order, so that windows move on the way
            messages = [spelled(swap) for swap in swaps for _ in range(rng.randint(1, 2))]
        bad = [b"{bad %d" % number for number in range(10)]
        for message in bad:
            messages.insert(rng.randrange(len(messages)), message)
        blocks = []
        while messages:
            count = rng.randint(1, 40)
            blocks.append(messages[:count])
            messages = messages[count:]
        end_ms = START_MS + shape.span_ms - rng.randrange(40_000)
        expected = recount(
            (json.loads(spelled(swap)) for swap in swaps),
            windows=WINDOWS,
            at=None if event_clock else end_ms,
        )
        return Stream(blocks, len(bad), expected, event_clock, end_ms)


class World:
    """One life: stores on a directory, and the aggregator that works on them."""

    def __init__(self, directory: Path, stream: Stream, plan: FaultPlan) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.left_behind = directory.with_name(f"{directory.name}+")
        self.plan = plan
        self.stream = stream
        self.clock = ManualClock(START_MS)
        self.log = EmbeddedSwapLog(directory / "log.db", PARTITIONS, faults=self._step)
        self.store = EmbeddedCheckpointStore(directory / "checkpoints.db", faults=self._step)
        self.letters = EmbeddedDeadLetterStore(directory / "dead-letters.db")
        now_ms: Callable[[], int] = (lambda: 0) if stream.event_clock else self.clock.wall_ms
        options = AggregatorOptions(chunk_bytes_max=3_000, event_clock=stream.event_clock)
        self.aggregator = embedded_aggregator(
            lambda partition: ShardConfig(
                partition, SPEC, KEY, event_clock=stream.event_clock, max_ahead_ms=None
            ),
            self.log,
            self.store,
            self.letters,
            NoFanOut(),
            Silent(),
            now_ms,
            options,
        )

    def _step(self, point: str) -> None:
        try:
            self.plan(point)
        except InjectedCrash:
            self.die()
            raise

    def die(self) -> None:
        """Keep what a process killed right now would leave behind."""
        shutil.copytree(self.directory, self.left_behind)

    @property
    def next_block(self) -> int:
        return int(self.log.position(SOURCE) or 0)

    def append(self) -> None:
        """Bring the next block into the log, in time: the clock follows the blocks."""
        number = self.next_block
        if number == len(self.stream.blocks):
            return
        self.set_clock()
        block = MessageBlock.of(self.stream.blocks[number])
        now_ms = self.clock.wall_ms()
        partitions = choose_partitions(block, KEY, PARTITIONS, now_ms)
        self.log.append(block, partitions, now_ms, {SOURCE: str(number + 1)})

    def set_clock(self) -> None:
        """Move the clock to where the stream is: after the last block, to its end."""
        span_ms = self.stream.end_ms - START_MS
        at_ms = START_MS + span_ms * self.next_block // len(self.stream.blocks)
        self.clock.advance(max(0, at_ms - self.clock.wall_ms()))

    def trim(self) -> None:
        """Drop all that no checkpoint needs any more."""
        self.log.trim(1 << 60, 0, self.aggregator.safe_offsets())

    def is_done(self) -> bool:
        return self.next_block == len(self.stream.blocks) and self.aggregator.caught_up()

    def close(self) -> None:
        self.aggregator.close()
        for store in (self.log, self.store, self.letters):
            store.close()


@dataclass
class Story:
    """A stream through as many lives as it takes."""

    folder: Path
    stream: Stream
    rng: Random
    plans: Iterator[FaultPlan]
    drop_chance: float = 0.0
    stops: list[str] = field(default_factory=list)
    full: list[str] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)

    def tell(self) -> Report:
        """Live until everything is applied; returns the report at the end."""
        directory = self.folder / "life-0"
        for number in range(1, LIVES_MAX):
            world = World(directory, self.stream, next(self.plans, FaultPlan()))
            try:
                self._live(world)
                return self._end(world)
            except InjectedCrash as crash:
                self.stops.append(str(crash))
            finally:
                self.calls = world.plan.calls
                world.close()
            directory = self.folder / f"life-{number}"
            world.left_behind.rename(directory)
        raise AssertionError(f"Expected at most {LIVES_MAX} lives, was {self.stops}")

    def _live(self, world: World) -> None:
        before = [world.store.load(partition) for partition in range(PARTITIONS)]
        world.set_clock()
        world.aggregator.restore()
        for partition, checkpoint in enumerate(before):
            if checkpoint is not None:
                shard = world.aggregator.shards[partition]
                assert shard.next_offset == checkpoint.header.next_offset
                assert shard.t_ms >= checkpoint.header.t_ms
        steps = (world.append, world.aggregator.turn, world.aggregator.checkpoint, world.trim)
        for _ in range(ROUNDS_MAX):
            if world.is_done():
                world.set_clock()
                for last in steps[1:]:
                    self._take(world, last)
                return
            (step,) = self.rng.choices(steps, (3, 4, 2, 1))
            self._take(world, step)
            if self.rng.random() < self.drop_chance:
                world.die()
                raise InjectedCrash(f"between two steps, after {step.__name__}")
        raise AssertionError(f"Expected an end within {ROUNDS_MAX} rounds")

    def _take(self, world: World, step: Callable[[], object]) -> None:
        """Take a step; a full disk stops the process (a checkpoint) or the step (the log)."""
        try:
            step()
        except StoreFull as failure:
            self.full.append(f"{step.__name__}: {failure}")
            if step == world.aggregator.checkpoint:
                world.die()
                raise InjectedCrash("the process stopped, for its disk was full") from failure

    def _end(self, world: World) -> Report:
        t_ms = world.aggregator.share_t()
        text = render_report(world.aggregator.shards.values(), SPEC, t_ms)
        assert sum(world.letters.counts().values()) == self.stream.bad_count
        report = Report(text)
        assert_shape(report, self.stream.expected)
        counters = report.counters
        assert counters["dead_letters"] == self.stream.bad_count
        assert counters["ingested"] == sum(map(len, self.stream.blocks))
        return report


def seeded() -> int:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    return seed


def told(
    folder: Path, seed: int, plans: Iterable[FaultPlan], *, event_clock: bool, drop: float = 0.0
) -> tuple[Story, Report]:
    """The story of a seed: the same stream and the same steps, whatever goes wrong in it."""
    folder.mkdir()
    stream = Stream.draw(Random(seed), event_clock=event_clock)
    story = Story(folder, stream, Random(seed + 1), iter(plans), drop)
    return story, story.tell()


CLOCKS = pytest.mark.parametrize("event_clock", [True, False], ids=["event", "wall"])


@CLOCKS
@pytest.mark.parametrize("point", POINTS)
def test_a_stop_at_any_point(tmp_path: Path, point: str, event_clock: bool) -> None:
    seed = seeded()
    calm, report = told(tmp_path / "calm", seed, [], event_clock=event_clock)
    assert calm.stops == []
    count = calm.calls[point]
    for nth in sorted({1, (count + 1) // 2, count}):
        plan = FaultPlan([Fault(point, "crash", nth)])
        story, found = told(tmp_path / f"{nth}", seed, [plan], event_clock=event_clock)
        assert story.stops == [f"stopped at {point}, call {nth}"]
        assert found.stable == report.stable


@CLOCKS
def test_stops_in_any_sequence(tmp_path: Path, event_clock: bool) -> None:
    for round_ in range(6):
        seed = seeded()
        plans = [FaultPlan.seeded(seed + at, POINTS, within=8) for at in range(15)]
        folder = tmp_path / f"{round_}"
        story, _ = told(folder, seed, plans, event_clock=event_clock, drop=0.03)
        assert story.stops


@pytest.mark.prove
@pytest.mark.timeout(1_800)
@CLOCKS
def test_many_stops_in_any_sequence(tmp_path: Path, event_clock: bool) -> None:
    for round_ in range(200):
        seed = seeded()
        plans = [FaultPlan.seeded(seed + at, POINTS, within=20) for at in range(30)]
        folder = tmp_path / f"{round_}"
        told(folder, seed, plans, event_clock=event_clock, drop=0.02)
        shutil.rmtree(folder)


@CLOCKS
@pytest.mark.parametrize("point", [point for point in POINTS if not point.endswith(".done")])
def test_a_full_disk_at_any_point(tmp_path: Path, point: str, event_clock: bool) -> None:
    seed = seeded()
    calm, report = told(tmp_path / "calm", seed, [], event_clock=event_clock)
    for nth in sorted({1, calm.calls[point]}):
        plan = FaultPlan([Fault(point, "full", nth)])
        story, found = told(tmp_path / f"{nth}", seed, [plan], event_clock=event_clock)
        (said,) = story.full
        step = (
            "checkpoint" if point in CHECKPOINT_POINTS else "trim" if "trim" in point else "append"
        )
        assert said.startswith(f"{step}: Expected room to write the ")
        assert "free space" in said
        assert found.stable == report.stable
