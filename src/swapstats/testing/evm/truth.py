"""What a chain truly holds: every swap of its canonical blocks, asked for in one plain call.

The decoding is slow, plain and by itself: it shares nothing with what it is there to check.
"""

import contextlib
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from swapstats.testing.eventually import eventually
from swapstats.testing.evm.json_rpc import JsonRpc, RpcFailure
from swapstats.testing.evm.keccak import topic

V2_SWAP: Final = topic("Swap(address,uint256,uint256,uint256,uint256,address)")
V3_SWAP: Final = topic("Swap(address,address,int256,int256,uint160,uint128,int24)")
V4_SWAP: Final = topic("Swap(bytes32,address,int128,int128,uint160,uint128,int24,uint24)")
ANSWER_MS_MAX: Final = 60_000
_WORD_DIGITS: Final = 64


@dataclass(frozen=True, slots=True)
class TrueSwap:
    """One swap on the canonical chain.

    Attributes:
        tx_hash: its transaction.
        log_index: of its log within the block.
        block_hash: block that holds it.
        block_number: height.
        pool: address of the pool, or its id where one contract holds all pools.
        amount0: smallest units, pool's view: > 0 came into the pool.
        amount1: the same of the second token.
    """

    tx_hash: str
    log_index: int
    block_hash: str
    block_number: int
    pool: str
    amount0: int
    amount1: int


def canonical_swaps(rpc: JsonRpc) -> Counter[TrueSwap]:
    """Ask a node for all swaps from the first block to the newest.

    Raises:
        TimeoutError: it does not tell them. Right after a reorg go-ethereum refuses for a moment:
            its index of logs is being written again.
    """
    asked = {
        "fromBlock": "0x0",
        "toBlock": "latest",
        "topics": [[V2_SWAP, V3_SWAP, V4_SWAP]],
    }

    found: list[dict[str, Any]] = []

    def is_told() -> bool:
        with contextlib.suppress(RpcFailure):
            found[:] = rpc.call("eth_getLogs", asked)
            return True
        return False

    eventually(is_told, ANSWER_MS_MAX, "all logs of the chain")
    return Counter(map(decoded, found))


def decoded(log: dict[str, Any]) -> TrueSwap:
    """Decode one log."""
    kind, words = log["topics"][0], _words(log["data"])
    pool = log["address"].lower()
    if kind == V2_SWAP:
        amounts = words[0] - words[2], words[1] - words[3]
    elif kind == V3_SWAP:
        amounts = _signed(words[0]), _signed(words[1])
    else:
        amounts = -_signed(words[0]), -_signed(words[1])
        pool = log["topics"][1].lower()
    return TrueSwap(
        log["transactionHash"].lower(),
        int(log["logIndex"], 16),
        log["blockHash"].lower(),
        int(log["blockNumber"], 16),
        pool,
        *amounts,
    )


def _words(data: str) -> list[int]:
    digits = data.removeprefix("0x")
    return [int(digits[at : at + _WORD_DIGITS], 16) for at in range(0, len(digits), _WORD_DIGITS)]


def _signed(word: int) -> int:
    return word - 2**256 if word >= 2**255 else word
