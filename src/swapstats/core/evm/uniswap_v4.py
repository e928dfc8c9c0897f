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

from swapstats.core.evm.concentrated import read_concentrated
from swapstats.core.evm.events import (
    Layout,
    PoolEvent,
    PoolFacts,
    Reserves,
    SwapEvent,
    SwapFacts,
)
from swapstats.core.evm.logs import EvmLog
from swapstats.core.evm.words import OutOfRange, address_of

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

_LIMIT: Final = 1 << 127


def read_swap(log: EvmLog, data: bytes, _reserves: Reserves | None) -> SwapFacts:
    """Read a Swap: amounts turned to the pool's view, depth from price and liquidity."""
    amount0, amount1, depth0, depth1 = read_concentrated(data)
    if not (-_LIMIT <= amount0 < _LIMIT and -_LIMIT <= amount1 < _LIMIT):
        raise OutOfRange("Expected amounts in 128 bits, was more")
    if any(data[160:189]):
        raise OutOfRange("Expected a fee in 24 bits, was more")
    _, pool, sender = log.topics
    return pool, -amount0, -amount1, address_of(sender), depth0, depth1


def read_pool(log: EvmLog, _data: bytes) -> PoolFacts:
    """Read an Initialize; currency 0 may be the chain's own coin, whose address is all zeros."""
    return log.topics[1], address_of(log.topics[2]), address_of(log.topics[3])


def swap_event(managers: Collection[str]) -> SwapEvent:
    """Make the Swap event that counts from `managers` only (any case)."""
    return SwapEvent(
        topic0="0x40e9cecb9f5f1f1c5b9c97dec2917b7ee92e57ba5563708daca94dd84ad7112f",
        venue=VENUE,
        topics=3,
        words=6,
        read=read_swap,
        layout=Layout.CONCENTRATED_SWAPPER,
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
