"""Uniswap V4: the swapper's view turned round, pools by id, known managers only."""

import re

import pytest
from tests.core.evm.made_logs import (
    MANAGER,
    POOL,
    POOL_ID,
    RECIPIENT,
    SENDER,
    answer,
    log,
    v4_swap,
)

from swapstats.core.evm import uniswap_v4
from swapstats.core.evm.decode import decode_logs
from swapstats.core.evm.registry import Registry
from swapstats.core.evm.words import NATIVE

REGISTRY = Registry({}).with_events(
    uniswap_v4.swap_event([MANAGER]), uniswap_v4.pool_event([MANAGER])
)
INITIALIZE = uniswap_v4.pool_event([]).topic0


def test_what_the_swapper_pays_comes_into_the_pool() -> None:
    (swap,) = decode_logs(answer(v4_swap(-5, 7, 2**97, 1_001, -3)), REGISTRY).swaps
    assert (swap.venue, swap.pool, swap.trader) == ("uniswap_v4", POOL_ID, SENDER)
    assert (swap.amount0, swap.amount1, swap.depth0, swap.depth1) == (5, -7, 500, 2_002)


@pytest.mark.parametrize(("currency0", "currency1"), [(SENDER, RECIPIENT), (NATIVE, SENDER)])
def test_a_new_pool_may_trade_the_chains_own_coin(currency0: str, currency1: str) -> None:
    words: list[int | str] = [3_000, 60, NATIVE, 2**96, 0]
    raw = log([INITIALIZE, POOL_ID, currency0, currency1], words, address=MANAGER)
    (pool,) = decode_logs(answer(raw), REGISTRY).created
    assert (pool.venue, pool.pool, pool.factory) == ("uniswap_v4", POOL_ID, MANAGER)
    assert (pool.token0, pool.token1) == (currency0, currency1)


def test_logs_of_other_contracts_do_not_count() -> None:
    swap = v4_swap(-5, 7, 2**96, 9, 0, address=POOL)
    pool = log([INITIALIZE, POOL_ID, SENDER, RECIPIENT], [1, 1, 1, 1, 1], address=POOL)
    found = decode_logs(answer(swap, pool), REGISTRY)
    assert [one.reason for one in found.refused] == ["unknown_emitter"] * 2
    assert (found.swaps, found.created) == ([], [])
    assert POOL in found.refused[0].detail


def test_managers_are_addresses_in_lower_case() -> None:
    for address in uniswap_v4.POOL_MANAGERS.values():
        assert re.fullmatch("0x[0-9a-f]{40}", address)
