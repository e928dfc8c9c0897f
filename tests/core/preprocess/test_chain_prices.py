from typing import Any

import pytest

from swapstats.core.preprocess.amounts import ONE_DOLLAR
from swapstats.core.preprocess.blocks import Block
from swapstats.core.preprocess.chain_prices import ChainPrices
from swapstats.core.preprocess.exchange_rates import ExchangeRates
from swapstats.core.preprocess.pool_book import PoolBook
from swapstats.core.preprocess.pool_view import PoolView, PoolViews, TokenRanks
from swapstats.core.preprocess.rules import MICROS, PriceRules
from swapstats.testing.raw_events import (
    DAI,
    FIRST_BLOCK,
    FIRST_MS,
    USDC,
    USDT,
    WBTC,
    WETH,
    address,
    exchange_trade,
    pool_swap,
    whole,
)

X, Y = address(0), address(1)


class Market:
    """Prices of one chain, told what its pools hold."""

    def __init__(self) -> None:
        self.rules = PriceRules()
        tokens = self.rules.chains[1]
        ranks = TokenRanks(tokens)
        self.views = PoolViews(self.rules, 1, ranks)
        self.book = PoolBook(self.rules, ranks)
        self.rates = ExchangeRates(self.rules)
        self.prices = ChainPrices(self.rules, tokens, ranks, self.book, self.rates)
        self.told = 0

    def pool(
        self, token: str, amount: int, quote: str, paid: int, *, block: int = 0, **changes: Any
    ) -> None:
        depths = whole(token, amount), whole(quote, paid)
        self.told += 1
        event = pool_swap(
            token, quote, (1, -1), depths, block=block, log_index=self.told, **changes
        )
        view = self.views.view(event)
        assert isinstance(view, PoolView)
        held = Block(event.block_number, event.block_hash, event.event_time)
        self.book.observe(event, view, held, -1)

    def trade(self, base: str, quote: str, price: int) -> None:
        trade = exchange_trade(base, quote, str(price), event_time=FIRST_MS)
        self.rates.observe(trade, price * ONE_DOLLAR, FIRST_MS)

    def price(self, asset: str, block: int = 1) -> tuple[float, str] | None:
        at = Block(FIRST_BLOCK + block, "0x", FIRST_MS + block * 12_000)
        found = self.prices.price(asset, at)
        return None if found is None else (found.price / ONE_DOLLAR, found.source)


def test_blocks_below_decide_and_nothing_of_the_own() -> None:
    market = Market()
    market.pool(WETH, 100, USDC, 200_000)
    market.pool(WETH, 100, USDC, 300_000, block=1)
    assert [market.price(WETH, block) for block in (0, 1, 2)] == [
        None, (2_000, "native"), (3_000, "native"),
    ]  # fmt: skip


def test_an_answer_stays_in_its_block() -> None:
    market = Market()
    at = Block(FIRST_BLOCK + 5, "0x", FIRST_MS)
    assert market.prices.price(WETH, at) is None
    market.pool(WETH, 100, USDC, 200_000)
    assert market.prices.price(WETH, at) is None
    assert market.price(WETH, 5) == (2_000, "native")


def test_the_coin_is_the_median_of_deep_pools() -> None:
    market = Market()
    market.pool(WETH, 100, USDC, 200_000)
    market.pool(WETH, 100, USDT, 210_000)
    market.pool(WETH, 1, DAI, 500_000)
    market.pool(WETH, 1, USDC, 9_000, pool="0x1")  # thin
    assert market.price(WETH) == (2_100, "native")
    market.pool(WETH, 100, USDC, 190_000, pool="0x2")
    assert market.price(WETH) == (2_000, "native")


def test_a_token_is_priced_by_its_deepest_pool() -> None:
    market = Market()
    market.pool(WETH, 100, USDC, 200_000)
    market.pool(X, 1_000, USDC, 150_000)
    market.pool(X, 1_000, WETH, 100)
    assert market.price(X) == (200, "pool")
    market.pool(X, 1_000, USDC, 300_000)
    assert market.price(X) == (300, "pool")


def test_a_thin_pool_prices_nothing() -> None:
    market = Market()
    market.pool(X, 1_000, USDC, 99_999)
    assert market.price(X) is None
    market.pool(X, 1_000, USDC, 100_000)
    assert market.price(X) == (100, "pool")


def test_two_hops_at_most() -> None:
    market = Market()
    market.pool(WBTC, 10, WETH, 200)
    market.pool(X, 1_000, WBTC, 10)
    market.pool(WETH, 100, USDC, 200_000)
    assert market.price(WBTC) == (40_000, "pool")  # by the coin
    assert market.price(X) is None  # that would be a third
    market.pool(WBTC, 10, USDC, 410_000)
    assert market.price(X) == (410, "pool")


def test_pools_with_tokens_on_no_list_price_nothing() -> None:
    market = Market()
    market.pool(Y, 1_000, X, 1_000)
    market.pool(X, 1_000, USDC, 200_000)
    assert market.price(Y) is None


@pytest.mark.parametrize(
    ("pools", "price"),
    [
        ([], 1),
        ([(USDC, 99)], 1),
        ([(USDC, 90)], None),
        ([(USDC, 90), (DAI, 90)], 0.9),
        ([(USDC, 90), (DAI, 100)], 1),
    ],
)
def test_a_stable_that_slipped_counts_at_its_rate(
    pools: list[tuple[str, int]], price: float | None
) -> None:
    market = Market()
    for other, cents in pools:
        market.pool(USDT, 1_000_000, other, 10_000 * cents)
    found = market.price(USDT)
    assert found == (price and (price, "stable"))


def test_a_market_in_dollars_proper_decides_about_a_stable_alone() -> None:
    market = Market()
    for other in (USDC, DAI):
        market.pool(USDT, 1_000_000, other, 900_000)
    market.rates.observe(
        exchange_trade("USDT", "USD", "1", event_time=FIRST_MS), ONE_DOLLAR, FIRST_MS
    )
    assert market.price(USDT) == (1, "stable")


def test_exchanges_stand_in_where_no_pool_is_deep() -> None:
    market = Market()
    assert market.price(WETH, 0) is None
    market.trade("ETH", "USDT", 2_500)
    market.trade("BTC", "USD", 41_000)
    market.trade("PEPE", "USD", 1)
    assert market.price(WETH) == (2_500, "exchange")
    assert market.price(WBTC) == (41_000, "exchange")
    assert market.price(X) is None
    market.pool(WETH, 100, USDC, 200_000)
    assert market.price(WETH) == (2_000, "native")


def test_the_depth_of_the_pool_behind_a_price_is_told() -> None:
    market = Market()
    market.pool(X, 1_000, USDC, 150_000)
    found = market.prices.price(X, Block(FIRST_BLOCK + 1, "0x", FIRST_MS))
    assert found is not None
    assert found.depth == 150_000 * MICROS


def test_old_pools_price_nothing() -> None:
    market = Market()
    market.pool(X, 1_000, USDC, 150_000)
    assert market.price(X, 300) == (150, "pool")
    assert market.price(X, 301) is None


def test_an_emptied_pool_prices_nothing() -> None:
    market = Market()
    market.pool(X, 1_000, USDC, 150_000)
    market.pool(X, 0, USDC, 150_000, block=1)
    assert market.price(X, 2) is None
