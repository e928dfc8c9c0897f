"""Answers of a node to `eth_getLogs`, made by seed: what the decoding of logs is measured with.

Blocks hold swaps of many pools and traders with amounts, prices and depths of the sizes that
occur, written as nodes write them. Nothing is repeated, so that no cache sees what it would not see
in service.
"""

from dataclasses import dataclass
from random import Random
from typing import Any, Final

import msgspec

from swapstats.core.evm import uniswap_v2, uniswap_v3, uniswap_v4

MANAGER: Final = uniswap_v4.POOL_MANAGERS[1]
PROTOCOLS: Final = ("uniswap_v2", "uniswap_v3", "uniswap_v4")

_POOLS: Final = 500
_TRADERS: Final = 2_000
_FIRST_BLOCK: Final = 20_000_000
_V4_TOPIC0: Final = uniswap_v4.swap_event([MANAGER]).topic0


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers of one kind.

    Attributes:
        name: what they hold.
        bodies: JSON-RPC answers.
        logs: how many logs they hold.
        swaps: how many of these are swaps; the others are Syncs.
    """

    name: str
    bodies: list[bytes]
    logs: int
    swaps: int


def make_answers(name: str, protocols: tuple[str, ...], blocks: int, per_block: int) -> Answers:
    """Make answers of one block each.

    Args:
        name: of the answers; also the seed.
        protocols: which swaps to draw from, each as likely as the others.
        blocks: how many answers.
        per_block: swaps in each.
    """
    rng = Random(name)  # noqa: S311 - made data, no secret
    pools = [_hex(rng, 20) for _ in range(_POOLS)]
    traders = ["0x" + "0" * 24 + _hex(rng, 20)[2:] for _ in range(_TRADERS)]
    makers = {"uniswap_v2": _v2, "uniswap_v3": _v3, "uniswap_v4": _v4}
    bodies = []
    total = 0
    for number in range(blocks):
        block = _Block(_FIRST_BLOCK + number, _hex(rng, 32), [])
        for _ in range(per_block):
            make = makers[rng.choice(protocols)]
            make(rng, block, rng.choice(pools), [rng.choice(traders), rng.choice(traders)])
            block.index += 3  # other events stand between swaps
        total += len(block.logs)
        bodies.append(msgspec.json.encode({"jsonrpc": "2.0", "id": number, "result": block.logs}))
    return Answers(name, bodies, total, blocks * per_block)


@dataclass(slots=True)
class _Block:
    number: int
    block_hash: str
    logs: list[dict[str, Any]]
    index: int = 0

    def add(self, address: str, tx_hash: str, topics: list[str], words: list[int]) -> None:
        """Write a log right after the one before it."""
        self.logs.append(
            {
                "address": address,
                "topics": topics,
                "data": "0x" + "".join(f"{value % 2**256:064x}" for value in words),
                "blockNumber": hex(self.number),
                "transactionHash": tx_hash,
                "transactionIndex": hex(self.index // 9),
                "blockHash": self.block_hash,
                "logIndex": hex(self.index),
                "removed": False,
            }
        )
        self.index += 1


def _v2(rng: Random, block: _Block, pool: str, parties: list[str]) -> None:
    tx_hash = _hex(rng, 32)
    amount0, amount1 = _amounts(rng)
    reserves = [abs(amount0) * rng.randrange(50, 5_000), abs(amount1) * rng.randrange(50, 5_000)]
    amounts = [max(amount0, 0), max(amount1, 0), max(-amount0, 0), max(-amount1, 0)]
    block.add(pool, tx_hash, [uniswap_v2.SYNC_TOPIC0], reserves)
    block.add(pool, tx_hash, [uniswap_v2.SWAP.topic0, *parties], amounts)


def _v3(rng: Random, block: _Block, pool: str, parties: list[str]) -> None:
    topics = [uniswap_v3.SWAP.topic0, *parties]
    block.add(pool, _hex(rng, 32), topics, [*_amounts(rng), *_state(rng)])


def _v4(rng: Random, block: _Block, pool: str, parties: list[str]) -> None:
    topics = [_V4_TOPIC0, pool + parties[0][18:42], parties[1]]
    words = [*_amounts(rng), *_state(rng), 3_000]
    block.add(MANAGER, _hex(rng, 32), topics, words)


def _amounts(rng: Random) -> tuple[int, int]:
    """Of a dollar in 6 places and something in 18, either way."""
    dollars, tokens = rng.randrange(1, 10**11), rng.randrange(1, 10**22)
    return (dollars, -tokens) if rng.random() < 0.5 else (-dollars, tokens)


def _state(rng: Random) -> tuple[int, int, int]:
    return (
        rng.randrange(2**100, 2**112),
        rng.randrange(2**50, 2**75),
        rng.randrange(-(2**18), 2**18),
    )


def _hex(rng: Random, size: int) -> str:
    return "0x" + rng.randbytes(size).hex()
