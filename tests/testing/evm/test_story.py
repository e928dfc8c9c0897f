from collections import defaultdict

from swapstats.testing.evm.anvil_chain import AnvilChain
from swapstats.testing.evm.market import Market
from swapstats.testing.evm.story import DEPTH_MAX, MarketStory, StoryOptions
from swapstats.testing.evm.truth import TrueSwap, canonical_swaps

OnAnvil = tuple[AnvilChain, Market]
SEED = 20_261_127


def test_a_reorg_changes_the_canonical_chain(on_anvil: OnAnvil) -> None:
    chain, market = on_anvil
    story = MarketStory(SEED, chain, market)
    story.grow(5)
    before, head = canonical_swaps(chain.rpc), chain.head
    assert story.reorg(depth=3, length=4) == 3
    after = canonical_swaps(chain.rpc)
    assert chain.blocks[chain.head].number == chain.blocks[head].number + 1
    fork = chain.blocks[head].number - 3
    assert {swap for swap in before if swap.block_number <= fork} == {
        swap for swap in after if swap.block_number <= fork
    }
    assert not {swap for swap in before if swap.block_number > fork} & set(after)
    assert story.flip() == 4
    assert canonical_swaps(chain.rpc) == before


def test_what_comes_back_may_have_another_amount_at_the_same_place(on_anvil: OnAnvil) -> None:
    chain, market = on_anvil
    story = MarketStory(SEED, chain, market, StoryOptions(again_share=0.9))
    seen: defaultdict[tuple[str, int], set[tuple[int, int]]] = defaultdict(set)
    for _ in range(25):
        story.step()
        for swap in canonical_swaps(chain.rpc):
            seen[swap.tx_hash, swap.log_index].add((swap.amount0, swap.amount1))
    changed = sum(1 for amounts in seen.values() if len(amounts) > 1)
    assert changed
    assert story.counts["included again"] > changed


def test_the_same_seed_tells_the_same_story(on_anvil: OnAnvil) -> None:
    chain, market = on_anvil

    def told() -> tuple[str, set[TrueSwap]]:
        chain.switch(market.ready)
        story = MarketStory(SEED, chain, market, StoryOptions(trades_max=3))
        for _ in range(12):
            story.step()
        return chain.head, set(canonical_swaps(chain.rpc))

    assert told() == told()


def test_reorgs_reach_as_deep_as_they_may_and_never_below_the_floor(on_anvil: OnAnvil) -> None:
    chain, market = on_anvil
    story = MarketStory(SEED, chain, market, StoryOptions(trades_max=1))
    assert story.reorg() == 0
    assert story.flip() == 0
    story.grow(DEPTH_MAX + 6)
    assert story.reorg(depth=DEPTH_MAX, length=DEPTH_MAX + 1) == DEPTH_MAX
    story.floor = chain.blocks[chain.head].number - 2
    assert story.reorg(depth=5) == 2
    story.floor = chain.blocks[chain.head].number
    assert story.reorg(depth=5) == 0
    assert story.flip() == 0
    assert story.counts["deepest"] == DEPTH_MAX
