from typing import Any

from swapstats.core.preprocess.blocks import Block
from swapstats.core.preprocess.pool_book import PoolBook
from swapstats.core.preprocess.pool_view import PoolView, PoolViews, TokenRanks
from swapstats.core.preprocess.rules import PriceRules
from swapstats.model.raw_event import PoolSwap
from swapstats.testing.raw_events import BLOCK_MS, USDC, WETH, address, block_hash, pool_swap

X = address(0)
RANKS = TokenRanks(PriceRules().chains[1])


class Told:
    """A book, told what pools hold."""

    def __init__(self, **rules: Any) -> None:
        self.rules = PriceRules(**rules)
        self.book = PoolBook(self.rules, RANKS)
        self.views = PoolViews(self.rules, 1, RANKS)

    def tell(self, block: int, depth: int, token: str = X, quote: str = WETH, *,
             floor: int = -1, floor_ms: int = 0, **changes: Any) -> PoolSwap:  # fmt: skip
        event = pool_swap(token, quote, (1, -1), (depth, depth), block=block, **changes)
        view = self.views.view(event)
        assert isinstance(view, PoolView)
        held = Block(event.block_number, event.block_hash, event.event_time)
        self.book.forget_aged(floor_ms)
        self.book.observe(event, view, held, floor)
        return event

    def depth(self, block: int, asset: str = X, oldest: int = 0) -> list[str]:
        number, oldest_ms = pool_swap(X, USDC, (1, -1), block=block).block_number, oldest
        found = [pool.before(number, oldest_ms) for pool in self.book.pricing(asset)]
        return [held.depth0 for held in found if held is not None]


def test_only_blocks_below_count() -> None:
    told = Told()
    told.tell(1, 10)
    told.tell(3, 30)
    assert [told.depth(block) for block in (1, 2, 3, 4)] == [[], ["10"], ["10"], ["30"]]


def test_the_last_swap_of_a_block_counts_whatever_comes_first() -> None:
    told = Told()
    told.tell(1, 12, log_index=2)
    told.tell(1, 11, log_index=1)
    told.tell(0, 5)
    assert told.depth(2) == ["12"]
    assert told.depth(1) == ["5"]


def test_a_block_that_leaves_takes_its_states_with_it() -> None:
    told = Told()
    told.tell(1, 10)
    gone = [told.tell(2, 20 + index, log_index=index) for index in range(2)]
    assert told.depth(3) == ["21"]
    for event in reversed(gone):
        told.book.take_back(event)
    assert told.depth(3) == ["10"]
    told.tell(2, 22, block_hash=block_hash(2, 1))
    assert told.depth(3) == ["22"]


def test_a_pool_without_states_is_gone() -> None:
    told = Told()
    told.book.take_back(told.tell(1, 10))
    assert len(told.book) == 0
    assert not list(told.book.pricing(X))


def test_states_that_cannot_be_reached_any_more_are_dropped() -> None:
    told = Told()
    first = told.tell(1, 10)
    told.tell(2, 20)
    told.tell(3, 30, floor=first.block_number + 1)
    (pool,) = told.book.pricing(X)
    assert [held.depth0 for held in pool.history] == ["20", "30"]


def test_old_states_price_nothing_and_old_pools_are_forgotten() -> None:
    told = Told(observation_ms=BLOCK_MS)
    event = told.tell(1, 10)
    assert told.depth(5, oldest=event.event_time) == ["10"]
    assert not told.depth(5, oldest=event.event_time + 1)
    told.tell(9, 10, WETH, USDC, floor_ms=event.event_time + BLOCK_MS)
    assert len(told.book) == 2
    told.tell(9, 10, WETH, USDC, floor_ms=event.event_time + BLOCK_MS + 1)
    assert len(told.book) == 1


def test_the_pool_longest_silent_makes_room() -> None:
    told = Told(pools_max=2)
    told.tell(1, 10)
    told.tell(1, 20, address(1))
    told.tell(2, 11)
    told.tell(2, 30, address(2))
    assert told.depth(9, X) == ["11"]
    assert not told.depth(9, address(1))
    assert told.depth(9, address(2)) == ["30"]


def test_unknown_depths_and_another_pool_of_the_name_change_nothing() -> None:
    told = Told()
    event = told.tell(1, 10)
    view = told.views.view(event)
    assert isinstance(view, PoolView)
    silent = pool_swap(X, WETH, (1, -1), block=2)
    told.book.observe(silent, view, Block(silent.block_number, silent.block_hash, 0), -1)
    told.tell(2, 77, address(1), pool=event.pool)
    assert told.depth(3) == ["10"]


def test_it_is_packed_whole() -> None:
    told, other = Told(), Told()
    told.tell(1, 10)
    told.tell(2, 20)
    told.tell(1, 30, WETH, USDC)
    other.book.unpack(told.book.pack())
    assert other.book.pack() == told.book.pack()
    assert other.depth(9) == told.depth(9) == ["20"]
