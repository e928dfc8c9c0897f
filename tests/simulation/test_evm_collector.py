"""The EVM collector on a chain that forks, flips back and finalises, killed at any moment.

Whatever happens: once the chain is quiet, what contributes to windows is what is on the canonical
chain, each event once, and every removal and every repetition says what its add said.
"""

import asyncio
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from tests.adapters.sources.evm.collected import (
    KILLS,
    Enough,
    MemoryLog,
    check,
    options,
    run,
    source_of,
)
from tests.adapters.sources.evm.fake_chain import FakeBlock, FakeChain, FakeNode

from swapstats.adapters.sources.evm.options import EvmOptions
from swapstats.testing.manual_clock import ManualClock

QUIET_LOOKS = 12
"""Looks without a change after which the collector must be where the chain is."""
FAULTS = ("down", "limited", "garbage", "refused", "missing", "foreign_logs", "half_batch")


@dataclass
class World:
    """A chain that changes whenever the collector waits, and sometimes while it asks."""

    chain: FakeChain
    nodes: list[FakeNode]
    random: Random
    events: int
    depth_max: int
    mid_step: bool
    quiet: int = 0
    left: FakeBlock | None = None

    def change(self) -> None:
        """Let something happen to the chain."""
        self.events -= 1
        chain, depth = self.chain, self.random.randint(1, self.depth_max)
        what = self.random.choice(
            ("extend", "extend", "fork", "fork", "flip", "back", "final", "lag")
        )
        before = chain.head
        if what == "extend":
            for _ in range(self.random.choice((1, 1, 2, 5, 90 if self.events % 9 == 0 else 3))):
                chain.extend()
        elif what == "fork":
            chain.fork(depth, self.random.randint(0, depth + 2))
        elif what == "flip":
            chain.flip()
        elif what == "back" and self.left is not None:
            if chain.at(chain.final.number, self.left) == chain.final:
                chain.head = self.left
        elif what == "final":
            chain.finalise(self.depth_max)
        elif what == "lag":
            self.random.choice(self.nodes).lag = self.random.choice((0, 0, 1, 3))
        if what in {"fork", "flip", "back"}:
            self.left = before

    def on_wait(self) -> None:
        """Change, or count the quiet looks once all has happened."""
        if self.events > 0:
            self.change()
            return
        self.settle()
        self.quiet += 1
        if self.quiet > QUIET_LOOKS:
            raise Enough

    def on_request(self) -> None:
        """Change in the middle of a step."""
        if self.mid_step and self.events > 0 and self.random.randrange(8) == 0:
            self.change()

    def settle(self) -> None:
        """Nodes work again, and see the same."""
        for node in self.nodes:
            node.lag, node.head = 0, None
            node.faults = {}


def world_of(
    seed: int, nodes: int, faults: bool, has_finalized: bool, mid_step: bool, takes_batches: bool
) -> World:
    random = Random(seed)
    chain = FakeChain(seed, random.choice((0, 3, 40)))
    chain.finalise(random.choice((0, 2, 6)))
    views = [
        FakeNode(
            chain,
            has_finalized=has_finalized,
            range_max=random.choice((1, 7, 1_000)),
            takes_batches=takes_batches,
            faults={name: random.choice((0, 2, 5)) for name in FAULTS} if faults else {},
        )
        for _ in range(nodes)
    ]
    depth_max = random.choice((1, 3, 6))
    world = World(chain, views, random, random.randint(3, 40), depth_max, mid_step)
    for view in views:
        view.before = world.on_request
    return world


async def live(world: World, given_options: EvmOptions) -> MemoryLog:
    """Run the collector with kills until the chain is quiet."""
    log, clock = MemoryLog(), ManualClock()
    while world.events > 0:
        source = source_of(given_options, world.nodes, world.on_wait, clock)
        kill_at = world.random.choice((0, 1, 1, 2, 3, 8, 100))
        await run(source, log, kill_at, world.random.choice(KILLS))
        for _ in range(world.random.choice((0, 0, 1, 1, 2))):
            world.change()  # while nobody looks
    world.settle()
    world.quiet = 0
    world.chain.extend()  # a head that is our own ancestor is taken for a node that lags
    await run(source_of(given_options, world.nodes, world.on_wait, clock), log)
    return log


@given(
    seed=st.integers(0, 1 << 32),
    nodes=st.integers(1, 3),
    faults=st.booleans(),
    mid_step=st.booleans(),
    takes_batches=st.booleans(),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_contributes_is_the_canonical_chain(
    seed: int, nodes: int, faults: bool, mid_step: bool, takes_batches: bool
) -> None:
    note(f"seed {seed}")
    world = world_of(seed, nodes, faults, True, mid_step, takes_batches)
    log = asyncio.run(live(world, options(nodes)))
    check(log, world.chain)


@given(seed=st.integers(0, 1 << 32), mid_step=st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_where_the_chain_names_no_final_block(seed: int, mid_step: bool) -> None:
    """Blocks become final by their depth; forks are never deeper."""
    world = world_of(seed, 2, True, False, mid_step, True)
    log = asyncio.run(live(world, options(2, confirmations=100)))
    check(log, world.chain)


@pytest.mark.prove
@given(
    seed=st.integers(0, 1 << 32),
    nodes=st.integers(1, 3),
    faults=st.booleans(),
    mid_step=st.booleans(),
    takes_batches=st.booleans(),
)
@settings(max_examples=1_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_many_seeds(
    seed: int, nodes: int, faults: bool, mid_step: bool, takes_batches: bool
) -> None:
    note(f"seed {seed}")
    world = world_of(seed, nodes, faults, True, mid_step, takes_batches)
    check(asyncio.run(live(world, options(nodes))), world.chain)
