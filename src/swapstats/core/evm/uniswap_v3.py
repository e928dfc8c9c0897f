"""Uniswap V3, and every fork that writes the same events.

    Swap(address indexed sender, address indexed recipient, int256 amount0, int256 amount1,
         uint160 sqrtPriceX96, uint128 liquidity, int24 tick)
    PoolCreated(address indexed token0, address indexed token1, uint24 indexed fee,
                int24 tickSpacing, address pool)

Amounts are the pool's view; price and liquidity are those after the swap.
"""

from typing import Final

from swapstats.core.evm.events import PoolEvent, PoolFacts, Reserves, SwapEvent, SwapFacts
from swapstats.core.evm.logs import EvmLog
from swapstats.core.evm.words import OutOfRange, address_in, address_of, virtual_reserves

VENUE: Final = "uniswap_v3"

_LIQUIDITY_LIMIT: Final = 1 << 128
_SQRT_PRICE_LIMIT: Final = 1 << 160
_TICK_LIMIT: Final = 1 << 23


def read_swap(log: EvmLog, data: bytes, _reserves: Reserves | None) -> SwapFacts:
    """Read a Swap: amounts as they stand, depth from price and liquidity."""
    amount0 = int.from_bytes(data[:32], "big", signed=True)
    amount1 = int.from_bytes(data[32:64], "big", signed=True)
    sqrt_price_x96 = int.from_bytes(data[64:96], "big")
    liquidity = int.from_bytes(data[96:128], "big")
    tick = int.from_bytes(data[128:160], "big", signed=True)
    if sqrt_price_x96 >= _SQRT_PRICE_LIMIT or liquidity >= _LIQUIDITY_LIMIT:
        raise OutOfRange("Expected a sqrtPriceX96 in 160 and a liquidity in 128 bits, was more")
    if not -_TICK_LIMIT <= tick < _TICK_LIMIT:
        raise OutOfRange(f"Expected a tick in 24 bits, was {tick}")
    address_of(log.topics[2])
    depth0, depth1 = virtual_reserves(sqrt_price_x96, liquidity)
    return log.address, amount0, amount1, address_of(log.topics[1]), depth0, depth1


def read_pool(log: EvmLog, data: bytes) -> PoolFacts:
    """Read a PoolCreated."""
    return address_in(data[32:]), address_of(log.topics[1]), address_of(log.topics[2])


SWAP: Final = SwapEvent(
    topic0="0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67",
    venue=VENUE,
    topics=3,
    words=5,
    read=read_swap,
)
POOL: Final = PoolEvent(
    topic0="0x783cca1c0412dd0d695e784568c96da2e9c22ff989357a2e8b1d9b2b4e6b7118",
    venue=VENUE,
    topics=4,
    words=2,
    read=read_pool,
)
