"""A look at the head: what is found, and what is asked for it."""

from typing import Any

import pytest
from tests.adapters.sources.evm.asking import EVERYTHING, asked
from tests.adapters.sources.evm.collected import options
from tests.adapters.sources.evm.fake_chain import CHAIN_ID, FakeChain, FakeNode

from swapstats.adapters.sources.evm.follow import (
    BEFORE_GENESIS,
    STEP_BLOCKS_MAX,
    Branch,
    Far,
    Found,
    Quiet,
    find_start,
    look,
)
from swapstats.adapters.sources.evm.pools import PoolBook
from swapstats.adapters.sources.evm.rpc_errors import RpcGarbage, RpcMissing
from swapstats.core.evm.chain import BeyondFinality, BlockRef
from swapstats.core.evm.chain_tracker import ChainTracker


class Looker:
    """A tracker that follows a fake node."""

    def __init__(self, chain: FakeChain, final: int = 0, **given: Any) -> None:
        self.fake = FakeNode(chain)
        block = chain.canonical()[final]
        self.tracker = ChainTracker(CHAIN_ID, BlockRef(block.number, block.hash), 1_000)
        self.book = PoolBook(EVERYTHING)
        self.options = options(**given)

    async def look(self) -> Found:
        return await look(asked(self.fake), self.tracker, self.book, self.options)

    async def follow(self) -> Found:
        found = await self.look()
        if isinstance(found, Branch):
            if found.ancestor < self.tracker.head.number:
                self.tracker.drop_to(found.ancestor)
            self.tracker.add(found.blocks, found.final)
        return found


async def test_new_blocks_come_with_their_swaps() -> None:
    looker = Looker(FakeChain(2, 8))
    found = await looker.follow()
    assert isinstance(found, Branch)
    assert [block.header.number for block in found.blocks] == list(range(1, 9))
    assert [len(block.swaps) for block in found.blocks] == [
        len(block.logs) for block in looker.fake.chain.canonical()[1:]
    ]
    assert await looker.look() == Quiet(0)


async def test_one_new_block_costs_few_requests() -> None:
    looker = Looker(FakeChain(2, 8))
    await looker.follow()
    looker.fake.chain.extend(swaps=2)
    looker.fake.calls.clear()
    await looker.follow()
    methods = [method for method, _ in looker.fake.calls if method != "eth_call"]
    assert methods == ["eth_getBlockByNumber", "eth_getBlockByNumber", "eth_getLogs"]


async def test_a_reorg_is_followed_by_hash_down_to_the_shared_block() -> None:
    looker = Looker(FakeChain(2, 8))
    await looker.follow()
    looker.fake.chain.fork(3, 5)
    found = await looker.follow()
    assert isinstance(found, Branch)
    assert (found.ancestor, len(found.blocks)) == (5, 5)
    looker.fake.chain.fork(6, 1)  # shorter
    found = await looker.follow()
    assert isinstance(found, Branch)
    assert (found.ancestor, len(found.blocks)) == (4, 1)


async def test_a_node_that_lags_is_not_a_reorg() -> None:
    looker = Looker(FakeChain(2, 8))
    await looker.follow()
    looker.fake.head = looker.fake.chain.at(5)
    assert await looker.look() == Quiet(3)


async def test_a_final_block_above_our_head_is_far() -> None:
    chain = FakeChain(2, 50)
    chain.finalise(5)
    assert await Looker(chain).look() == Far(45)
    assert await Looker(chain, confirmations=9).look() == Far(41)
    assert isinstance(await Looker(chain, final=45).look(), Branch)


async def test_many_blocks_come_in_steps() -> None:
    looker = Looker(FakeChain(2, 150))
    first = await looker.follow()
    assert isinstance(first, Branch)
    assert (len(first.blocks), first.left) == (STEP_BLOCKS_MAX, 150 - STEP_BLOCKS_MAX)
    await looker.follow()
    await looker.follow()
    assert looker.tracker.head.hash == looker.fake.chain.head.hash


async def test_a_chain_without_our_final_block_is_told() -> None:
    looker = Looker(FakeChain(2, 8), final=4)
    looker.fake.chain.fork(7, 9)
    assert isinstance(await looker.look(), BeyondFinality)


async def test_a_parent_that_the_node_does_not_know_gives_the_look_up() -> None:
    looker = Looker(FakeChain(2, 8))
    await looker.follow()
    looker.fake.chain.fork(3, 5)
    left = looker.fake.chain.parent(looker.fake.chain.head)
    del looker.fake.chain.blocks[left.hash]
    before = looker.tracker.position
    with pytest.raises(RpcMissing):
        await look(asked(looker.fake), looker.tracker, looker.book, looker.options)
    assert looker.tracker.position == before


async def test_a_final_block_that_is_not_on_the_nodes_own_chain_is_not_believed() -> None:
    class Torn(FakeNode):
        def eth_getBlockByNumber(self, number: str, full: bool) -> dict[str, Any] | None:
            said = super().eth_getBlockByNumber(number, full)
            if number == "finalized":
                return (said or {}) | {"hash": "0x" + "9" * 64}
            return said

    chain = FakeChain(2, 8)
    looker = Looker(chain, final=3)
    chain.finalise(5)
    looker.fake = Torn(chain)
    with pytest.raises(RpcGarbage, match="Expected the final block 3"):
        await looker.look()


@pytest.mark.parametrize(
    ("given", "has_finalized", "expected"),
    [
        ({"start_block": None}, True, 80),
        ({"start_block": 20}, True, 19),
        ({"start_block": 90}, True, 80),
        ({"start_block": 0}, True, -1),
        ({"start_block": None, "confirmations": 7}, True, 93),
        ({"start_block": None}, False, 36),
    ],
)
async def test_it_begins_at_a_final_block(
    given: dict[str, Any], has_finalized: bool, expected: int
) -> None:
    chain = FakeChain(2, 100)
    chain.finalise(20)
    fake = FakeNode(chain, has_finalized=has_finalized)
    start = await find_start(asked(fake), options(**given))
    if expected < 0:
        assert start == BEFORE_GENESIS
    else:
        assert start == BlockRef(expected, chain.canonical()[expected].hash)


async def test_swaps_before_the_start_block_do_not_count() -> None:
    chain = FakeChain(2)
    for _ in range(6):
        chain.extend(swaps=1)
    looker = Looker(chain, start_block=4)
    found = await looker.look()
    assert isinstance(found, Branch)
    assert [len(block.swaps) for block in found.blocks] == [0, 0, 0, 1, 1, 1]
