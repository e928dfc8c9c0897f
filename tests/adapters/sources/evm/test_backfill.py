"""Final blocks by ranges: sizes that a node takes, order, and blocks that are not ours any more."""

import pytest
from tests.adapters.sources.evm.asking import EVERYTHING, asked
from tests.adapters.sources.evm.collected import options
from tests.adapters.sources.evm.fake_chain import CHAIN_ID, FakeBlock, FakeChain, FakeNode

from swapstats.adapters.sources.evm.backfill import Shared, Stretch, find_shared, read_stretch
from swapstats.adapters.sources.evm.follow import BEFORE_GENESIS
from swapstats.adapters.sources.evm.pools import PoolBook
from swapstats.adapters.sources.evm.rpc_errors import RpcMissing, RpcRefused
from swapstats.core.evm.chain import BeyondFinality, Block, BlockRef, Header
from swapstats.core.evm.chain_tracker import ChainTracker
from swapstats.core.evm.range_size import RangeSize


def tracker_from(start: BlockRef = BEFORE_GENESIS) -> ChainTracker:
    return ChainTracker(CHAIN_ID, start, 100)


async def read_all(fake: FakeNode, target: int, size: RangeSize) -> list[tuple[int, int]]:
    """Places of all swaps up to `target`, stretch by stretch."""
    tracker, book = tracker_from(), PoolBook(EVERYTHING)
    places = []
    while tracker.head.number < target:
        stretch = await read_stretch(asked(fake), tracker, book, size, target, options())
        assert isinstance(stretch, Stretch)
        places += [(swap.block_number, swap.log_index) for swap in stretch.swaps]
        tracker.append_final(stretch.swaps, stretch.end)
    assert tracker.head.number == target
    return places


def expected_places(chain: FakeChain, target: int) -> list[tuple[int, int]]:
    return [
        (block.number, int(log["logIndex"], 16))
        for block in chain.canonical()
        if block.number <= target
        for log in block.logs
    ]


@pytest.mark.parametrize("range_max", [1, 3, 1_000])
async def test_every_swap_comes_once_and_in_order(range_max: int) -> None:
    fake = FakeNode(FakeChain(5, 60), range_max=range_max)
    assert await read_all(fake, 55, RangeSize(8, 1_000)) == expected_places(fake.chain, 55)
    requests = [method for method, _ in fake.calls].count("eth_getLogs")
    assert requests < {1: 140, 3: 60, 1_000: 9}[range_max]


async def test_headers_are_asked_for_blocks_with_swaps_only() -> None:
    chain = FakeChain(5)
    for number in range(1, 41):
        chain.extend(swaps=1 if number == 20 else 0)
    fake = FakeNode(chain)
    await read_all(fake, 40, RangeSize(100, 100))
    headers = {params[0] for method, params in fake.calls if method == "eth_getBlockByNumber"}
    assert headers == {hex(0), hex(20), hex(40)}


async def test_a_node_that_refuses_even_one_block_is_given_up() -> None:
    fake = FakeNode(FakeChain(5, 20), range_max=0)
    with pytest.raises(RpcRefused):
        await read_all(fake, 15, RangeSize(8, 100))


async def test_a_node_without_the_last_block_is_behind() -> None:
    fake = FakeNode(FakeChain(5, 20))
    fake.head = fake.chain.at(0)
    fake.range_max = 0
    with pytest.raises((RpcMissing, RpcRefused)):
        await read_all(fake, 15, RangeSize(8, 100))


async def test_a_final_block_that_is_not_the_nodes_is_told() -> None:
    fake = FakeNode(FakeChain(5, 20))
    tracker = tracker_from(BlockRef(10, "0x" + "9" * 64))
    found = await read_stretch(
        asked(fake), tracker, PoolBook(EVERYTHING), RangeSize(8, 8), 20, options()
    )
    block = fake.chain.at(10)
    assert block is not None
    assert found == BeyondFinality(tracker.final, block.hash)


def included(block: FakeBlock) -> Block:
    return Block(Header(block.number, block.hash, block.parent, 0), ())


async def test_what_is_shared_with_a_chain_that_went_on_without_us() -> None:
    chain = FakeChain(5, 20)
    tracker = tracker_from(BlockRef(10, chain.canonical()[10].hash))
    tracker.add([included(block) for block in chain.canonical()[11:]], 10)
    assert await find_shared(asked(FakeNode(chain)), tracker) == Shared(20)
    chain.fork(4, 30)
    assert await find_shared(asked(FakeNode(chain)), tracker) == Shared(16)
    chain.fork(46, 50)
    found = await find_shared(asked(FakeNode(chain)), tracker)
    assert isinstance(found, BeyondFinality) == (chain.canonical()[10].hash != tracker.final.hash)


async def test_before_genesis_everything_is_shared() -> None:
    chain, other = FakeChain(5, 3), FakeChain(6, 9)
    tracker = tracker_from()
    blocks = chain.canonical()
    tracker.add([included(block) for block in blocks], -1)
    assert await find_shared(asked(FakeNode(other)), tracker) == Shared(0)
