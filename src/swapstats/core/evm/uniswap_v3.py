"""Uniswap V3, and every fork that writes the same events.

    Swap(address indexed sender, address indexed recipient, int256 amount0, int256 amount1,
         uint160 sqrtPriceX96, uint128 liquidity, int24 tick)
    PoolCreated(address indexed token0, address indexed token1, uint24 indexed fee,
                int24 tickSpacing, address pool)

Amounts are the pool's view; price and liquidity are those after the swap.
"""

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
from swapstats.core.evm.words import address_in, address_of

VENUE: Final = "uniswap_v3"


def read_swap(log: EvmLog, data: bytes, _reserves: Reserves | None) -> SwapFacts:
    """Read a Swap: amounts as they stand, depth from price and liquidity."""
    amount0, amount1, depth0, depth1 = read_concentrated(data)
    _, sender, recipient = log.topics
    return log.address, amount0, amount1, address_of(sender, recipient), depth0, depth1


def read_pool(log: EvmLog, data: bytes) -> PoolFacts:
    """Read a PoolCreated."""
    return address_in(data[32:]), address_of(log.topics[1]), address_of(log.topics[2])


SWAP: Final = SwapEvent(
    topic0="0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67",
    venue=VENUE,
    topics=3,
    words=5,
    read=read_swap,
    layout=Layout.CONCENTRATED,
)
POOL: Final = PoolEvent(
    topic0="0x783cca1c0412dd0d695e784568c96da2e9c22ff989357a2e8b1d9b2b4e6b7118",
    venue=VENUE,
    topics=4,
    words=2,
    read=read_pool,
)
