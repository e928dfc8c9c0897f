"""The archiver stopped between any two steps: every decided row is in the archive once."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from tests.roles.archive_rig import START_MS, ArchivedWorld
from tests.roles.memory_pairs import MemoryPairs

from swapstats.core.plain_decode import Swap, decode_message
from swapstats.roles.archive_carrier import FAULT_POINTS
from swapstats.testing.faults import Fault, FaultPlan, InjectedCrash
from swapstats.testing.wire_streams import StreamShape, random_stream, shuffled, spelled

POINTS = (
    *FAULT_POINTS,
    "insert.raw",
    "insert.view",
    "checkpoint.flushed",
    "checkpoint.saved",
    "world.applied",
    "world.worked",
)
SEEDS = 40
WIDE_MS = 3_600_000
NARROW_MS = 4_000


def _live(world: ArchivedWorld, plan: FaultPlan) -> None:
    """One life, up to the end of the stream or the planned crash."""
    world.faults = plan
    world.archive.faults = plan
    chance = world.chance
    world.start()
    while not world.is_done():
        partition = chance.randrange(len(world.messages))
        deed = chance.random()
        if deed < 0.5:
            world.apply_some(partition)
            plan("world.applied")
        elif deed < 0.8:
            world.work()
            plan("world.worked")
        elif deed < 0.9:
            world.clock.advance(
                chance.choice((1, 50, 400, 900_000 if chance.random() < 0.05 else 9))
            )
            world.tick(partition)
        else:
            world.checkpoint(partition)
    world.archive.failing = 0.0
    for partition in range(len(world.messages)):
        world.checkpoint(partition)


def _run(world: ArchivedWorld, chance: Random) -> int:
    """Lives until the stream is done; returns crashes."""
    crashes = 0
    while True:
        fault = Fault(chance.choice(POINTS), "crash", chance.randint(1, 8))
        try:
            _live(world, FaultPlan([fault] if crashes < 12 else []))
        except InjectedCrash:
            crashes += 1
            world.crash()
        else:
            world.crash()
            return crashes


def _world(
    tmp_path: Path, seed: int, width_ms: int, pairs: MemoryPairs | None = None
) -> ArchivedWorld:
    print(f"seed {seed}")
    chance = Random(seed)
    shape = StreamShape(swaps=60, start_ms=START_MS, span_ms=8_000)
    messages = [
        shuffled(chance, random_stream(chance, shape), 2)
        if chance.random() < 0.5
        else [spelled(swap) for swap in random_stream(chance, shape)]
        for _ in range(2)
    ]
    world = ArchivedWorld(tmp_path, chance, messages, width_ms, pairs)
    world.archive.failing = chance.choice((0.0, 0.1))
    return world


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("width_ms", [WIDE_MS, NARROW_MS])
def test_every_decided_row_is_archived_once(tmp_path: Path, seed: int, width_ms: int) -> None:
    world = _world(tmp_path, seed, width_ms)
    crashes = _run(world, Random(seed + 1))
    assert sorted(world.archive.raw) == world.expected_rows()
    assert +world.archive.view == +world.expected_view()
    assert -world.archive.view == -world.expected_view()
    assert crashes > 0


def test_a_memory_of_pairs_may_be_away_at_any_time(tmp_path: Path) -> None:
    again = told = 0
    for seed in range(SEEDS):
        chance = Random(seed)
        pairs = MemoryPairs(lambda chance=chance: chance.random() < 0.4)  # type: ignore[misc]
        directory = tmp_path / str(seed)
        directory.mkdir()
        world = _world(directory, seed, NARROW_MS, pairs)
        assert _run(world, Random(seed + 1)) > 0
        assert sorted(world.archive.raw) == world.expected_rows()
        assert +world.archive.view == +world.expected_view()
        told += pairs.told_duplicates
        again += world.left_out_again
    assert told
    assert again


def test_sums_by_token_equal_a_recount_of_the_stream(tmp_path: Path) -> None:
    world = _world(tmp_path, 77, WIDE_MS)
    assert _run(world, Random(78)) > 0
    for partition, messages in enumerate(world.messages):
        added: dict[tuple[str, int], Swap] = {}
        removed: set[tuple[str, int]] = set()
        for message in messages:
            swap = decode_message(message, START_MS, None)
            assert isinstance(swap, Swap)
            pair = (swap.event_id, swap.inclusion)
            if swap.removed:
                removed.add(pair)
            else:
                added[pair] = swap
        truth: Counter[str] = Counter()
        for pair, swap in added.items():
            if pair not in removed:
                truth[swap.token_key] += swap.amount_token
        archived: Counter[str] = Counter()
        for part, _, sign, message in world.archive.raw:
            swap = decode_message(message, START_MS, None)
            assert isinstance(swap, Swap)
            if part == partition:
                archived[swap.token_key] += sign * swap.amount_token
        assert +archived == +truth
