import json
from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace

from swapstats.core.preprocess.candles import CandleBook
from swapstats.core.preprocess.chain_swaps import ChainSwaps
from swapstats.core.preprocess.exchange_rates import ExchangeRates
from swapstats.core.preprocess.refusal import Refusal
from swapstats.core.preprocess.rules import PriceRules
from swapstats.core.preprocess.wash import TraderMemory
from swapstats.model.raw_event import PoolSwap
from swapstats.testing.raw_events import USDC, WBTC, WETH, address, pool_swap, whole

X, Y = address(0), address(1)


class Chain:
    """One chain, told of swaps."""

    def __init__(self, **rules: Any) -> None:
        self.rules = PriceRules(**rules)
        self.candles = CandleBook(self.rules)
        self.swaps = ChainSwaps(
            1, self.rules, ExchangeRates(self.rules), self.candles, TraderMemory(self.rules)
        )
        self.counts: Counter[str] = Counter()

    def tell(self, event: PoolSwap) -> dict[str, Any] | str:
        """The message it became, or the reason it became none."""
        found = self.swaps.apply(event, event.event_time, self.counts)
        if isinstance(found, Refusal):
            return found.reason
        message: dict[str, Any] = json.loads(found)
        return message

    def priced(self, event: PoolSwap) -> tuple[Any, ...]:
        found = self.tell(event)
        assert isinstance(found, dict)
        return (found["side"], found["amount_token"], found["amount_usd"], found["price_source"])


def test_what_leaves_the_pool_is_bought() -> None:
    chain = Chain()
    bought = pool_swap(WETH, USDC, (-(10**17), 200_000_001))
    sold = pool_swap(WETH, USDC, (10**17, -200_000_001), log_index=1)
    assert chain.priced(bought) == ("buy", "0.1", "200.000001", "stable")
    assert chain.priced(sold) == ("sell", "0.1", "200.000001", "stable")


def test_every_field_is_written() -> None:
    event = pool_swap(WETH, USDC, (-5, 7), block=3, log_index=9, inclusion=2, trader=address(7))
    assert Chain().tell(event) == {
        "schema_version": 1, "chain_id": 1, "tx_hash": event.tx_hash, "log_index": 9,
        "block_number": event.block_number, "block_hash": event.block_hash, "inclusion": 2,
        "removed": False, "token_address": WETH, "pool_address": event.pool, "venue": "uniswap_v3",
        "side": "buy", "amount_token": "0.000000000000000005", "amount_usd": "0.000007",
        "event_time": event.event_time, "price_source": "stable", "token_symbol": "S6cc2",
        "trader": address(7),
    }  # fmt: skip


def test_a_thin_pool_never_books_more_than_its_quote() -> None:
    """2,000 dollars buy nearly all of a token whose pool then says it is worth 10^27 dollars."""
    chain = Chain()
    bought = pool_swap(X, USDC, (-(10**33), whole(USDC, 2_000)), (1, whole(USDC, 1_000_000_000)))
    assert chain.priced(bought)[1:] == ("1000000000000000", "2000", "stable")
    against = pool_swap(X, Y, (-(10**33), 10**33), (10**40, 1), block=1)
    assert chain.priced(against)[2:] == (None, "none")
    coin = pool_swap(X, WETH, (-(10**33), 10**18), (1, 10**30), block=1, log_index=1)
    assert chain.priced(coin)[2:] == (None, "none")


def test_liquidity_that_costs_nothing_prices_nothing() -> None:
    """One transaction makes V4 pools at a price of its own, swaps, and takes all of it away."""
    chain = Chain()
    chain.tell(pool_swap(WETH, USDC, (-1, 1), (whole(WETH, 100), whole(USDC, 200_000))))
    for index in range(1, 10):
        depths = whole(WETH, 1_000), whole(USDC, 10**9)
        fake = pool_swap(
            WETH, USDC, (-1, 1), depths, log_index=index, venue="uniswap_v4", pool=f"0x{index}"
        )
        assert chain.priced(fake)[2:] == ("0.000001", "stable")
    event = pool_swap(X, WETH, (-whole(X, 5), whole(WETH, 2)), block=1)
    assert chain.priced(event)[2:] == ("4000", "native")


def test_a_token_nobody_listed_books_no_more_than_its_deepest_pool_holds() -> None:
    chain = Chain()
    chain.tell(pool_swap(X, USDC, (-1, 1), (whole(X, 1_000), whole(USDC, 200_000))))
    fits = pool_swap(X, Y, (-whole(X, 1_000), 5), block=1)
    beyond = pool_swap(X, Y, (-whole(X, 1_000) - 10**13, 5), block=1, log_index=1)
    assert chain.priced(fits)[2:] == ("200000", "pool")
    assert chain.priced(beyond)[2:] == (None, "none")


def test_of_two_such_tokens_the_lower_worth_is_booked() -> None:
    chain = Chain()
    for index, (token, paid) in enumerate(((X, 200_000), (Y, 500_000))):
        depths = whole(token, 1_000), whole(USDC, paid)
        chain.tell(pool_swap(token, USDC, (-1, 1), depths, log_index=index))
    event = pool_swap(X, Y, (-whole(X, 1), whole(Y, 1)), block=1)
    assert chain.priced(event)[2:] == ("200", "pool")
    event = pool_swap(X, Y, (-whole(X, 9), whole(Y, 1)), block=1, log_index=1)
    assert chain.priced(event)[2:] == ("500", "pool")


def test_a_listed_quote_is_priced_as_of_the_block_before() -> None:
    chain = Chain()
    chain.tell(pool_swap(WETH, USDC, (-1, 1), (whole(WETH, 100), whole(USDC, 200_000))))
    same = pool_swap(X, WETH, (-whole(X, 5), whole(WETH, 2)), log_index=1)
    after = pool_swap(X, WETH, (-whole(X, 5), whole(WETH, 2)), block=1)
    assert chain.priced(same)[2:] == (None, "none")
    assert chain.priced(after) == ("buy", "5", "4000", "native")


def test_other_listed_quotes_go_by_their_deepest_pool() -> None:
    chain = Chain()
    chain.tell(pool_swap(WBTC, USDC, (-1, 1), (whole(WBTC, 5), whole(USDC, 200_000))))
    event = pool_swap(X, WBTC, (-1, whole(WBTC, 50)), block=1)
    assert chain.priced(event)[2:] == ("2000000", "pool")


@pytest.mark.parametrize(
    ("amounts", "changes", "reason"),
    [
        ((0, 5), {}, "one_sided"), ((5, 0), {}, "one_sided"), ((0, 0), {}, "one_sided"),
        ((5, 5), {}, "one_sided"), ((-5, -5), {}, "one_sided"),
        ((1 << 256, -5), {}, "bad_field"), ((5, -(1 << 256)), {}, "bad_field"),
        ((-(10**38), 5), {}, "not_representable"), ((-5, 10**18), {}, "not_representable"),
        ((-5, 5), {"decimals1": None}, "decimals_unknown"),
        ((-5, 999_999), {}, "dust"),
        ((-5, 5), {"pool": "0xbad"}, "denied"),
    ],
)  # fmt: skip
def test_what_becomes_no_swap(
    amounts: tuple[int, int], changes: dict[str, Any], reason: str
) -> None:
    chain = Chain(deny=frozenset({"1:0xbad"}), dust_micros=1_000_000)
    event = pool_swap(WETH, USDC, amounts, **changes)
    assert chain.tell(event) == reason
    assert chain.tell(replace(event, removed=True)) == reason


def test_more_than_18_places_are_rounded_half_even() -> None:
    chain = Chain()

    def amount(units: int, log_index: int) -> Any:
        found = chain.tell(
            pool_swap(X, USDC, (-units, 5), log_index=log_index, **places_of(X, USDC, 20))
        )
        return found["amount_token"][-4:] if isinstance(found, dict) else found

    assert [amount(units, index) for index, units in enumerate((150, 250, 251, 99, 51, 50))] == [
        "0002", "0002", "0003", "0001", "0001", "dust",
    ]  # fmt: skip


def places_of(token: str, quote: str, decimals: int) -> dict[str, Any]:
    return {"decimals0" if token < quote else "decimals1": decimals}


def test_duplicates_and_removals_repeat_the_addition_with_its_flags() -> None:
    chain = Chain()
    chain.tell(pool_swap(WETH, USDC, (-(10**18), 10**9), trader=address(7)))
    event = pool_swap(WETH, USDC, (10**18, -(10**9)), block=1, trader=address(7))
    first = chain.tell(event)
    assert isinstance(first, dict)
    assert first["flags"] == ["both_ways", "matched"]
    assert chain.tell(event) == first
    assert chain.tell(replace(event, removed=True)) == first | {"removed": True}
    assert chain.counts["both_ways"] == 3


def test_candles_and_prices_follow_what_stands() -> None:
    chain = Chain()
    events = [
        pool_swap(WETH, USDC, (-(10**18), paid * 10**6), block=block)
        for block, paid in ((0, 2_000), (1, 2_100))
    ]
    for event in (*events, *events):
        chain.tell(event)
    (candle,), (price,) = chain.candles.drain()
    assert (candle.open, candle.close, candle.volume_usd, candle.trades) == (
        "2000",
        "2100",
        "4100",
        2,
    )
    assert (price.token, price.price_usd, price.source) == (f"1:{WETH}", "2100", "stable")
    chain.tell(replace(events[1], removed=True))
    (candle,), (price,) = chain.candles.drain()
    assert (candle.close, candle.volume_usd, candle.trades) == ("2000", "2000", 1)
    assert price.price_usd == "2000"


def test_trades_below_the_floor_make_no_price() -> None:
    chain = Chain()
    assert chain.priced(pool_swap(WETH, USDC, (-1, 999_999)))[2] == "0.999999"
    assert chain.candles.drain() == ([], [])


def test_a_removal_past_the_horizon_is_refused() -> None:
    chain = Chain(horizon_blocks=2)
    events = [pool_swap(WETH, USDC, (-(10**18), 10**9), block=block) for block in range(3)]
    for event in events:
        chain.tell(event)
    assert chain.tell(replace(events[0], removed=True)) == "past_horizon"
    assert isinstance(chain.tell(replace(events[1], removed=True)), dict)


def test_it_is_packed_whole() -> None:
    chain, other = Chain(), Chain()
    for block in range(3):
        chain.tell(pool_swap(WETH, USDC, (-(10**18), 10**9), (10**20, 10**12), block=block))
    other.swaps.unpack(chain.swaps.pack())
    assert other.swaps.pack() == chain.swaps.pack()
    event = pool_swap(X, WETH, (-5, 10**18), block=3)
    assert other.priced(event) == chain.priced(event)
