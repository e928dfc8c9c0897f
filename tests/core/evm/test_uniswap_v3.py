"""Uniswap V3: the pool's own view, virtual reserves, pools."""

from tests.core.evm.made_logs import POOL, RECIPIENT, SENDER, answer, log, v3_swap

from swapstats.core.evm import uniswap_v3
from swapstats.core.evm.decode import decode_logs
from swapstats.core.evm.registry import Registry

REGISTRY = Registry({}).with_events(uniswap_v3.SWAP, uniswap_v3.POOL)


def test_amounts_stand_as_they_are_written() -> None:
    (swap,) = decode_logs(answer(v3_swap(-5, 7, 2**97, 1_001, -3)), REGISTRY).swaps
    assert (swap.venue, swap.pool, swap.trader) == ("uniswap_v3", POOL, SENDER)
    assert (swap.amount0, swap.amount1, swap.depth0, swap.depth1) == (-5, 7, 500, 2_002)


def test_a_new_pool() -> None:
    """Its address is the second word of data; the first is the spacing of its ticks."""
    fee = "0x" + f"{500:064x}"
    raw = log([uniswap_v3.POOL.topic0, SENDER, RECIPIENT, fee], [10, POOL])
    (pool,) = decode_logs(answer(raw), REGISTRY).created
    assert (pool.venue, pool.pool) == ("uniswap_v3", POOL)
    assert (pool.token0, pool.token1) == (SENDER, RECIPIENT)
