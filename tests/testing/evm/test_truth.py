import pytest

from swapstats.testing.evm.truth import V2_SWAP, V3_SWAP, V4_SWAP, decoded

POOL_ID = "0x" + "77" * 32


def log(kind: str, *words: int) -> dict[str, object]:
    return {
        "address": "0x" + "AA" * 20,
        "topics": [kind, POOL_ID, "0x" + "0" * 64],
        "data": "0x" + b"".join((word % 2**256).to_bytes(32) for word in words).hex(),
        "transactionHash": "0x" + "BB" * 32,
        "logIndex": "0x1f",
        "blockHash": "0x" + "CC" * 32,
        "blockNumber": "0x10",
    }


@pytest.mark.parametrize(
    ("given", "pool", "amounts"),
    [
        (log(V2_SWAP, 5, 0, 0, 7), "0x" + "aa" * 20, (5, -7)),
        (log(V2_SWAP, 10, 30, 4, 0), "0x" + "aa" * 20, (6, 30)),
        (log(V3_SWAP, -5, 7, 1, 1, -1), "0x" + "aa" * 20, (-5, 7)),
        (log(V4_SWAP, -5, 7, 1, 1, -1, 3), POOL_ID, (5, -7)),
    ],
    ids=["v2", "v2 flash: net", "v3: the pool's view", "v4: the swapper's view"],
)
def test_amounts_are_the_pools_view(
    given: dict[str, object], pool: str, amounts: tuple[int, int]
) -> None:
    swap = decoded(given)
    assert swap.pool == pool
    assert (swap.amount0, swap.amount1) == amounts
    assert (swap.log_index, swap.block_number) == (31, 16)
    assert swap.tx_hash == "0x" + "bb" * 32
    assert swap.block_hash == "0x" + "cc" * 32
