"""A log of an EVM chain as nodes answer it, and what it is decoded to.

Hex text stays hex text until `plain_decode.py` reads it: an answer may hold a million logs.
"""

from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

LOG_BYTES_SHOWN_MAX: Final = 1 << 14

HexAddress = Annotated[str, msgspec.Meta(min_length=42, max_length=42)]
HexWord = Annotated[str, msgspec.Meta(min_length=66, max_length=66)]
HexQuantity = Annotated[str, msgspec.Meta(min_length=3, max_length=18)]


class EvmLog(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One log of an `eth_getLogs` answer or of a `logs` subscription.

    Attributes:
        address: contract that wrote it.
        topics: 32-byte words, the first names the event (unless it is anonymous).
        data: 32-byte words one after the other, hex.
        block_number: hex quantity.
        block_hash: of the block that holds it.
        transaction_hash: of the transaction that wrote it.
        transaction_index: hex quantity; absent with some indexers.
        log_index: hex quantity, within the block.
        removed: True in what a node says about a block that left its chain.
    """

    address: HexAddress
    topics: tuple[HexWord, ...]
    data: str
    block_number: HexQuantity
    block_hash: HexWord
    transaction_hash: HexWord
    log_index: HexQuantity
    transaction_index: HexQuantity | None = None
    removed: bool = False


class DecodedSwap(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One swap as its log says, before its tokens are known.

    Attributes:
        venue: protocol.
        pool: address of the pool, or its id where one contract holds all pools.
        amount0: signed, smallest units, pool's view: > 0 came into the pool.
        amount1: the same of the second token.
        trader: sender of the swap; None if the log does not say.
        depth0: reserve (V2) or virtual reserve (V3, V4) of token0 after the swap, rounded down;
            None if not known, 0 if there is no liquidity in range.
        depth1: the same of token1.
        block_number: height.
        block_hash: lower case with 0x, like every hash and address here.
        tx_hash: of its transaction.
        log_index: within the block.
    """

    venue: str
    pool: str
    amount0: int
    amount1: int
    trader: str | None
    depth0: int | None
    depth1: int | None
    block_number: int
    block_hash: str
    tx_hash: str
    log_index: int


class CreatedPool(msgspec.Struct, frozen=True, gc=False):
    """A pool that was created.

    Attributes:
        venue: protocol.
        pool: address of the pool, or its id where one contract holds all pools.
        factory: contract that created it: the log's own address.
        token0: address of its first token; `NATIVE` for the chain's own coin.
        token1: address of its second token.
        block_number: height.
        block_hash: of the block that created it.
        log_index: within the block.
    """

    venue: str
    pool: str
    factory: str
    token0: str
    token1: str
    block_number: int
    block_hash: str
    log_index: int


class PoolTokens(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The two tokens of a pool, as far as their contracts say.

    Attributes:
        token0: address.
        token1: address.
        decimals0: places of token0; None if its contract does not say or says something absurd.
        decimals1: places of token1.
        symbol0: symbol of token0; None if its contract does not say.
        symbol1: symbol of token1.
    """

    token0: str
    token1: str
    decimals0: int | None = None
    decimals1: int | None = None
    symbol0: str | None = None
    symbol1: str | None = None


@dataclass(frozen=True, slots=True)
class RefusedLog:
    """A log that should have been a swap or a new pool, and is none.

    Attributes:
        index: place within the answer.
        reason: short name: `bad_shape`, `removed`, `topic_count`, `data_length`, `bad_hex`,
            `out_of_range`, `unknown_emitter`.
        detail: one sentence for people.
        raw: its JSON, cut at LOG_BYTES_SHOWN_MAX.
    """

    index: int
    reason: str
    detail: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class DecodedLogs:
    """What became of the logs of one answer; `logs` is the sum of all others.

    Attributes:
        logs: how many there were.
        swaps: in the order of their logs.
        created: pools that were created, in the order of their logs.
        refused: logs that were refused, each with its reason.
        syncs: logs that only told reserves.
        foreign: logs of other events.
    """

    logs: int
    swaps: list[DecodedSwap]
    created: list[CreatedPool]
    refused: list[RefusedLog]
    syncs: int
    foreign: int
