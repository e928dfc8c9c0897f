"""Events: their topics are the hashes of their signatures."""

import pytest
from tests.core.evm.keccak import keccak256, topic0

from swapstats.core.evm import uniswap_v2, uniswap_v3, uniswap_v4
from swapstats.core.evm.events import Event, SyncEvent


def test_the_hash_is_the_one_of_ethereum() -> None:
    empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"").hex() == empty
    assert keccak256(bytes(136)) != keccak256(bytes(135))


@pytest.mark.parametrize(
    ("event", "signature"),
    [
        (uniswap_v2.SWAP, "Swap(address,uint256,uint256,uint256,uint256,address)"),
        (uniswap_v2.POOL, "PairCreated(address,address,address,uint256)"),
        (
            SyncEvent(topic0=uniswap_v2.SYNC_TOPIC0, venue=uniswap_v2.VENUE),
            "Sync(uint112,uint112)",
        ),
        (uniswap_v3.SWAP, "Swap(address,address,int256,int256,uint160,uint128,int24)"),
        (uniswap_v3.POOL, "PoolCreated(address,address,uint24,int24,address)"),
        (
            uniswap_v4.swap_event([]),
            "Swap(bytes32,address,int128,int128,uint160,uint128,int24,uint24)",
        ),
        (
            uniswap_v4.pool_event([]),
            "Initialize(bytes32,address,address,uint24,int24,address,uint160,int24)",
        ),
    ],
)
def test_topic0_is_the_hash_of_the_signature_and_counts_fit(event: Event, signature: str) -> None:
    assert event.topic0 == topic0(signature)
    values = signature.count(",") + 1
    assert event.topics - 1 + event.words == values
