"""Uniswap V4: all pools of a chain in one contract, the PoolManager.

    Swap(bytes32 indexed id, address indexed sender, int128 amount0, int128 amount1,
         uint160 sqrtPriceX96, uint128 liquidity, int24 tick, uint24 fee)
    Initialize(bytes32 indexed id, address indexed currency0, address indexed currency1, uint24 fee,
               int24 tickSpacing, address hooks, uint160 sqrtPriceX96, int24 tick)

Amounts are the swapper's view, so that signs are turned here; price and liquidity are those after
the swap. A hook may take or give more on the way: that is between hook and swapper, and not in the
pool's amounts. Anybody can write such a log, so that only those of known PoolManagers count.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from swapstats.core.evm.events import PoolEvent, PoolFacts, Reserves, SwapEvent, SwapFacts
from swapstats.core.evm.logs import EvmLog
from swapstats.core.evm.words import OutOfRange, address_of, hex_bytes, virtual_reserves

VENUE: Final = "uniswap_v4"
POOL_MANAGERS: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "0x000000000004444c5dc75cb358380d2e3de08a90",
        10: "0x9a13f98cb987694c9f086b1f5eb990eea8264ec3",
        56: "0x28e2ea090877bf75740558f6bfb36a5ffee9e9df",
        130: "0x1f98400000000000000000000000000000000004",
        137: "0x67366782805870060151383f4bbff9dab53e5cd6",
        8453: "0x498581ff718922c3f8e6a244956af099b2652b2b",
        42161: "0x360e68faccca8ca495c1b759fd9eee466db9fb32",
        42220: "0x288dc841a52fca2707c6947b3a777c5e56cd87bc",
    }
)
"""Chain id -> address, as docs.uniswap.org/contracts/v4/deployments lists them."""

_AMOUNT_LIMIT: Final = 1 << 127
_LIQUIDITY_LIMIT: Final = 1 << 128
_SQRT_PRICE_LIMIT: Final = 1 << 160
_TICK_LIMIT: Final = 1 << 23
_FEE_LIMIT: Final = 1 << 24


def pool_id(log: EvmLog) -> str:
    """Read the id of the pool: topics[1] as it stands."""
    hex_bytes(log.topics[1])
    return log.topics[1]


def read_swap(log: EvmLog, data: bytes, _reserves: Reserves | None) -> SwapFacts:
    """Read a Swap: amounts turned to the pool's view, depth from price and liquidity."""
    amount0 = int.from_bytes(data[:32], "big", signed=True)
    amount1 = int.from_bytes(data[32:64], "big", signed=True)
    sqrt_price_x96 = int.from_bytes(data[64:96], "big")
    liquidity = int.from_bytes(data[96:128], "big")
    tick = int.from_bytes(data[128:160], "big", signed=True)
    if not (
        -_AMOUNT_LIMIT <= amount0 < _AMOUNT_LIMIT and -_AMOUNT_LIMIT <= amount1 < _AMOUNT_LIMIT
    ):
        raise OutOfRange("Expected amounts in 128 bits, was more")
    if sqrt_price_x96 >= _SQRT_PRICE_LIMIT or liquidity >= _LIQUIDITY_LIMIT:
        raise OutOfRange("Expected a sqrtPriceX96 in 160 and a liquidity in 128 bits, was more")
    if not -_TICK_LIMIT <= tick < _TICK_LIMIT or int.from_bytes(data[160:], "big") >= _FEE_LIMIT:
        raise OutOfRange("Expected a tick and a fee in 24 bits, was more")
    depth0, depth1 = virtual_reserves(sqrt_price_x96, liquidity)
    pool = pool_id(log)
    return pool, -amount0, -amount1, address_of(log.topics[2]), depth0, depth1


def read_pool(log: EvmLog, _data: bytes) -> PoolFacts:
    """Read an Initialize; currency 0 may be the chain's own coin, whose address is all zeros."""
    return pool_id(log), address_of(log.topics[2]), address_of(log.topics[3])


def swap_event(managers: Collection[str]) -> SwapEvent:
    """Make the Swap event that counts from `managers` only (any case)."""
    return SwapEvent(
        topic0="0x40e9cecb9f5f1f1c5b9c97dec2917b7ee92e57ba5563708daca94dd84ad7112f",
        venue=VENUE,
        topics=3,
        words=6,
        read=read_swap,
        emitters=frozenset(address.lower() for address in managers),
    )


def pool_event(managers: Collection[str]) -> PoolEvent:
    """Make the Initialize event that counts from `managers` only (any case)."""
    return PoolEvent(
        topic0="0xdd466e674ea557f56295e2d0218a125ea4b4f0f6f3307b95f85e6110838d6438",
        venue=VENUE,
        topics=4,
        words=5,
        read=read_pool,
        emitters=frozenset(address.lower() for address in managers),
    )
