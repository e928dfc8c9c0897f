"""From a decoded swap to a raw event."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.evm.made_logs import answer, v2_swap, v3_swap

from swapstats.core.evm.decode import decode_logs
from swapstats.core.evm.logs import DecodedSwap, PoolTokens
from swapstats.core.evm.registry import standard_registry
from swapstats.core.evm.to_event import to_event
from swapstats.core.evm.token_metadata import SYMBOL_CHARS_MAX
from swapstats.model.raw_event import RAW_BYTES_MAX, PoolSwap, RawEvent

TOKENS = PoolTokens(
    token0="0x" + "01" * 20,
    token1="0x" + "02" * 20,
    decimals0=6,
    decimals1=18,
    symbol0="USDC",
    symbol1="WETH",
)


def swap_of(log: object) -> DecodedSwap:
    (swap,) = decode_logs(answer(log), standard_registry()).swaps
    return swap


def test_every_field_finds_its_place() -> None:
    swap = swap_of(v3_swap(-5, 7, 2**97, 1_001, 0))
    assert to_event(swap, TOKENS, 1_700_000_000_000, 8453, 3, True) == PoolSwap(
        chain_id=8453,
        block_number=swap.block_number,
        block_hash=swap.block_hash,
        tx_hash=swap.tx_hash,
        log_index=7,
        inclusion=3,
        removed=True,
        event_time=1_700_000_000_000,
        venue="uniswap_v3",
        pool=swap.pool,
        token0=TOKENS.token0,
        token1=TOKENS.token1,
        amount0="-5",
        amount1="7",
        decimals0=6,
        decimals1=18,
        symbol0="USDC",
        symbol1="WETH",
        trader=swap.trader,
        depth0="500",
        depth1="2002",
    )


def test_what_is_not_known_stays_unknown() -> None:
    tokens = PoolTokens(token0=TOKENS.token0, token1=TOKENS.token1)
    event = to_event(swap_of(v2_swap(1, 0, 0, 2)), tokens, 1, 1)
    assert (event.depth0, event.depth1, event.decimals0, event.symbol1) == (None,) * 4
    assert (event.inclusion, event.removed) == (0, False)


def test_a_removal_differs_in_nothing_else() -> None:
    swap = swap_of(v3_swap(-5, 7, 2**97, 1_001, 0))
    added, removed = (to_event(swap, TOKENS, 5, 1, 2, gone) for gone in (False, True))
    assert added != removed
    assert msgspec.structs.replace(added, removed=True) == removed


@settings(deadline=None)
@given(st.integers(-(2**255), 2**255 - 1), st.integers(1, 2**160 - 1), st.integers(0, 2**128 - 1))
def test_events_are_read_back_whole_and_fit_the_raw_log(
    amount: int, price: int, liquidity: int
) -> None:
    swap = swap_of(v3_swap(amount, -1, price, liquidity, 0))
    tokens = msgspec.structs.replace(TOKENS, symbol0="\U0001f600" * SYMBOL_CHARS_MAX)
    event = to_event(swap, tokens, 1_700_000_000_000, 1)
    raw = msgspec.json.encode(event)
    assert len(raw) < RAW_BYTES_MAX // 16
    assert msgspec.json.decode(raw, type=RawEvent) == event
    assert event.depth0 is not None
    assert int(event.depth0) == liquidity * 2**96 // price
    assert int(event.amount0) == amount
