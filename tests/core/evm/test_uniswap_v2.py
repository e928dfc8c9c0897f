"""Uniswap V2: net amounts, reserves, pairs."""

import pytest
from tests.core.evm.made_logs import POOL, RECIPIENT, SENDER, answer, log, v2_swap, v2_sync

from swapstats.core.evm import uniswap_v2
from swapstats.core.evm.decode import decode_logs
from swapstats.core.evm.logs import CreatedPool
from swapstats.core.evm.registry import Registry

REGISTRY = Registry({}).with_events(uniswap_v2.SWAP, uniswap_v2.POOL)


@pytest.mark.parametrize(
    ("in0", "in1", "out0", "out1", "amount0", "amount1"),
    [
        (100, 0, 0, 90, 100, -90),
        (0, 100, 90, 0, -90, 100),
        (100, 7, 0, 97, 100, -90),  # a flash swap: token 1 was lent, and paid back in part
        (90, 0, 90, 0, 0, 0),
        (1_000, 30, 200, 500, 800, -470),
    ],
)
def test_amounts_are_net(
    in0: int, in1: int, out0: int, out1: int, amount0: int, amount1: int
) -> None:
    (swap,) = decode_logs(answer(v2_swap(in0, in1, out0, out1)), REGISTRY).swaps
    assert (swap.venue, swap.pool, swap.trader) == ("uniswap_v2", POOL, SENDER)
    assert (swap.amount0, swap.amount1) == (amount0, amount1)


def test_two_swaps_of_a_pair_each_have_their_own_reserves() -> None:
    logs = [
        *(v2_sync(10, 20, index=3), v2_swap(1, 0, 0, 2, index=4)),
        *(v2_sync(30, 40, index=5), v2_swap(1, 0, 0, 2, index=6)),
        v2_sync(50, 60, index=7),  # of a mint
        v2_swap(1, 0, 0, 2, index=9),
    ]
    found = decode_logs(answer(*logs), REGISTRY)
    assert [(swap.depth0, swap.depth1) for swap in found.swaps] == [
        (10, 20),
        (30, 40),
        (None, None),
    ]
    assert found.syncs == 3


def test_a_sync_that_is_refused_leaves_its_swap_without_depth() -> None:
    logs = [v2_sync(10, 20, index=3) | {"data": "0x12"}, v2_swap(1, 0, 0, 2, index=4)]
    found = decode_logs(answer(*logs), REGISTRY)
    assert [one.reason for one in found.refused] == ["data_length"]
    assert [swap.depth0 for swap in found.swaps] == [None]


def test_a_new_pair() -> None:
    raw = log([uniswap_v2.POOL.topic0, SENDER, RECIPIENT], [POOL, 17], address="0x" + "fa" * 20)
    (pool,) = decode_logs(answer(raw), REGISTRY).created
    assert pool == CreatedPool(
        venue="uniswap_v2",
        pool=POOL,
        factory="0x" + "fa" * 20,
        token0=SENDER,
        token1=RECIPIENT,
        block_number=int(raw["blockNumber"], 16),
        block_hash=raw["blockHash"],
        log_index=7,
    )


def test_a_new_pair_whose_address_is_none() -> None:
    raw = log([uniswap_v2.POOL.topic0, SENDER, RECIPIENT], [2**160, 17])
    assert [one.reason for one in decode_logs(answer(raw), REGISTRY).refused] == ["out_of_range"]
