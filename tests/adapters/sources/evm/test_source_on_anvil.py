"""The source on a real node with the real contracts, over reorgs, kills and bad providers.

What contributes has to be what the node itself says in one plain question, amounts included.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from tests.adapters.sources.evm.collected import KILLS, Enough, MemoryLog, contributing, run

from swapstats.adapters.sources.evm.options import EvmOptions
from swapstats.adapters.sources.evm.options import Provider as Url
from swapstats.adapters.sources.evm.source import EvmSource
from swapstats.errors import UsageError
from swapstats.model.raw_event import PoolSwap
from swapstats.stack.anvil import FINALITY_DEPTH
from swapstats.testing.evm.anvil_chain import AnvilChain
from swapstats.testing.evm.faulty_rpc import FaultyRpc
from swapstats.testing.evm.market import Market
from swapstats.testing.evm.rpc_faults import Provider
from swapstats.testing.evm.running import anvil_market
from swapstats.testing.evm.story import MarketStory
from swapstats.testing.evm.truth import TrueSwap, canonical_swaps
from swapstats.testing.manual_clock import ManualClock

QUIET_LOOKS = 6
FAULTS = Provider(
    shares=(
        ("too_many", 0.03),
        ("unavailable", 0.03),
        ("drop", 0.03),
        ("cut", 0.02),
        ("garbage", 0.03),
        ("limit", 0.02),
        ("orphan", 0.05),
    ),
    range_blocks_max=20,
    batch_max=10,
)


@pytest.fixture(scope="module")
def anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AnvilChain, Market]]:
    try:
        with anvil_market(tmp_path_factory.mktemp("anvil")) as made:
            yield made
    except UsageError as error:
        pytest.skip(str(error))


class Story:
    """Lets the market live whenever the source waits."""

    def __init__(self, seed: int, chain: AnvilChain, market: Market, steps: int) -> None:
        chain.switch(market.ready)
        self.chain = chain
        self.market = market
        self.story = MarketStory(seed, chain, market)
        self.steps = steps
        self.quiet = 0
        self.highest = 0
        self.clock = ManualClock()

    def step(self) -> None:
        self.steps -= 1
        self.highest = max(self.highest, self.chain.blocks[self.chain.head].number)
        # What was final once stays, even where the node takes its word back.
        self.story.floor = max(self.story.floor, self.highest - FINALITY_DEPTH)
        self.story.step()

    async def sleep(self, seconds: float) -> None:
        self.clock.advance(int(seconds * 1_000))
        if self.steps > 0:
            await asyncio.to_thread(self.step)
            return
        self.quiet += 1
        if self.quiet > QUIET_LOOKS:
            raise Enough

    def source(self, *urls: str, **given: object) -> EvmSource:
        values: dict[str, object] = {
            "chain": "anvil",
            "chain_id": self.chain.chain_id,
            "providers": tuple(Url(url) for url in urls),
            "start_block": 0,
            "v4_managers": (self.market.v4_manager,),
            "timeout_ms": 2_000,
        }
        given_options = EvmOptions(**(values | given))  # type: ignore[arg-type]
        return EvmSource(given_options, self.clock, sleep=self.sleep)

    async def end(self, log: MemoryLog) -> None:
        """One more block, then follow until nothing changes any more, at the node itself."""
        await asyncio.to_thread(self.story.grow, 1)
        self.steps = self.quiet = 0
        await run(self.source(self.chain.url), log)


def as_true(swap: PoolSwap) -> TrueSwap:
    return TrueSwap(
        swap.tx_hash,
        swap.log_index,
        swap.block_hash,
        swap.block_number,
        swap.pool,
        int(swap.amount0),
        int(swap.amount1),
    )


def assert_true(log: MemoryLog, chain: AnvilChain) -> None:
    found = Counter(as_true(swap) for swap in contributing(log.messages).values())
    expected = canonical_swaps(chain.rpc)
    assert found == expected
    assert expected


@pytest.mark.parametrize("seed", [1, 2])
async def test_reorgs_and_kills_leave_the_truth(
    seed: int, anvil: tuple[AnvilChain, Market]
) -> None:
    chain, market = anvil
    story, log, random = Story(seed, chain, market, 80), MemoryLog(), Random(seed)
    while story.steps > 0:
        kill_at = random.choice((1, 2, 3, 10, 40))
        await run(story.source(chain.url), log, kill_at, random.choice(KILLS))
    await story.end(log)
    assert_true(log, chain)
    assert story.story.counts["reorgs"] > 0
    assert any(swap.removed for swap in log.messages)


async def test_bad_providers_leave_the_truth(anvil: tuple[AnvilChain, Market]) -> None:
    chain, market = anvil
    story, log, random = Story(5, chain, market, 60), MemoryLog(), Random(5)
    with FaultyRpc(chain.url, seed=5) as first, FaultyRpc(chain.url, seed=6) as second:
        second.set(Provider(shares=FAULTS.shares, lag_blocks=2))
        first.set(FAULTS)
        while story.steps > 0:
            kill_at = random.choice((2, 5, 20, 60))
            await run(story.source(first.url, second.url), log, kill_at, random.choice(KILLS))
        assert first.plan.counts.total() > 0
    await story.end(log)
    assert_true(log, chain)


async def test_what_contracts_say_comes_along(anvil: tuple[AnvilChain, Market]) -> None:
    chain, market = anvil
    story, log = Story(9, chain, market, 0), MemoryLog()
    await asyncio.to_thread(story.story.grow, 40)
    await story.end(log)
    assert_true(log, chain)
    said = {}
    for swap in log.messages:
        said[swap.token0] = (swap.symbol0, swap.decimals0)
        said[swap.token1] = (swap.symbol1, swap.decimals1)
        assert (swap.depth0, swap.depth1) != (None, None)
    assert said[market.weth] == ("WETH", 18)
    assert said[market.usdc] == ("USDC", 6)
    assert said[market.old_token] == ("OLD", 9)
    assert said[market.mute_token] == (None, None)
    assert said[market.absurd_token][1] is None
    assert {swap.venue for swap in log.messages} == {"uniswap_v2", "uniswap_v3", "uniswap_v4"}


async def test_only_the_pools_that_were_named(anvil: tuple[AnvilChain, Market]) -> None:
    chain, market = anvil
    story, log = Story(9, chain, market, 0), MemoryLog()
    await asyncio.to_thread(story.story.grow, 20)
    pools = (market.v3_pool, market.v4_pool)
    await run(story.source(chain.url, pools=pools), log)
    assert {swap.pool for swap in log.messages} == set(pools)
    expected = [swap for swap in canonical_swaps(chain.rpc) if swap.pool in pools]
    assert len(contributing(log.messages)) == len(expected)
