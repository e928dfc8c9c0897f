from itertools import permutations
from typing import Any

from msgspec.structs import replace

from swapstats.core.preprocess.blocks import Answer, Block, Blocks
from swapstats.core.preprocess.refusal import Refusal
from swapstats.core.preprocess.rules import PriceRules
from swapstats.model.raw_event import PoolSwap
from swapstats.testing.raw_events import BLOCK_MS, FIRST_MS, USDC, WETH, block_hash, pool_swap


def event(block: int, **changes: Any) -> PoolSwap:
    return pool_swap(WETH, USDC, (1, -1), block=block, **changes)


def find(blocks: Blocks, told: PoolSwap) -> Block:
    block = blocks.find(told, told.event_time)
    assert isinstance(block, Block)
    return block


def test_an_event_is_there_while_its_inclusion_is_above_its_removal() -> None:
    block = find(Blocks(PriceRules()), event(1))
    add, again = event(1), event(1, inclusion=2)
    removal = event(1, removed=True)
    assert [block.note(each) for each in (add, add, removal, removal, add)] == [1, 0, -1, 0, 0]
    assert [block.note(each) for each in (again, removal)] == [1, 0]


def test_no_order_of_messages_matters() -> None:
    told = [event(1), event(1, removed=True), event(1, inclusion=1)]
    for order in permutations(told):
        block = find(Blocks(PriceRules()), told[0])
        assert sum(block.note(each) for each in order) == 1
        assert block.events[0][:2] == (1, 0)


def test_what_is_below_the_floor_is_refused_unless_it_is_held() -> None:
    blocks = Blocks(PriceRules(horizon_blocks=3))
    for number in range(5):
        find(blocks, event(number))
    assert find(blocks, event(2)).number == event(2).block_number
    late = event(2, block_hash=block_hash(2, 1))
    found = blocks.find(event(1), FIRST_MS)
    assert isinstance(found, Refusal)
    assert found.reason == "past_horizon"
    assert isinstance(blocks.find(late, FIRST_MS), Block)  # above the floor: another branch
    assert isinstance(blocks.find(event(2), FIRST_MS), Refusal)  # which took its place


def test_age_forgets_blocks_too() -> None:
    blocks = Blocks(PriceRules(horizon_ms=5 * BLOCK_MS))
    find(blocks, event(0))
    find(blocks, event(5))
    assert blocks.floor == -1
    find(blocks, event(6))
    assert blocks.floor == event(0).block_number
    assert blocks.floor_ms == event(0).event_time


def test_a_clock_that_is_ahead_moves_no_horizon() -> None:
    blocks = Blocks(PriceRules(horizon_ms=100_000))
    find(blocks, event(0))
    far = replace(event(1), event_time=FIRST_MS + 3_000_000)
    assert isinstance(blocks.find(far, FIRST_MS), Block)
    assert blocks.floor == -1


def test_one_hash_has_one_height_and_time() -> None:
    blocks = Blocks(PriceRules())
    find(blocks, event(1))
    for odd in (event(2, block_hash=block_hash(1)), event(1, event_time=FIRST_MS)):
        found = blocks.find(odd, odd.event_time)
        assert isinstance(found, Refusal)
        assert found.reason == "bad_block"


def test_it_is_packed_whole() -> None:
    blocks = Blocks(PriceRules(horizon_blocks=2))
    for number in range(3):
        find(blocks, event(number)).note(event(number))
    block = find(blocks, event(2))
    block.answers = {"a": None, "b": Answer(10**70, 10**30, "pool")}
    block.flag(0, 3)
    packed = blocks.pack()
    other = Blocks(PriceRules(horizon_blocks=2))
    other.unpack(packed)
    assert other.pack() == packed
    assert find(other, event(2)).answers == block.answers
    assert find(other, event(2)).flags(0) == 3
    assert isinstance(other.find(event(0), FIRST_MS), Refusal)
