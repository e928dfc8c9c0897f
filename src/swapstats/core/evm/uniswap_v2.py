"""Uniswap V2, and every fork that writes the same events.

    Swap(address indexed sender, uint amount0In, uint amount1In, uint amount0Out, uint amount1Out,
         address indexed to)
    Sync(uint112 reserve0, uint112 reserve1)
    PairCreated(address indexed token0, address indexed token1, address pair, uint)

A pair writes Sync right before Swap. Both In may be set (flash swaps, tokens that arrived before):
amounts are net. What a token keeps for itself on the way is not in them: In and Out are what the
pair measured.
"""

from struct import Struct
from typing import Final

from swapstats.core.evm.events import (
    Layout,
    PoolEvent,
    PoolFacts,
    Reserves,
    SwapEvent,
    SwapFacts,
)
from swapstats.core.evm.logs import EvmLog
from swapstats.core.evm.words import OutOfRange, address_in, address_of

VENUE: Final = "uniswap_v2"
SYNC_TOPIC0: Final = "0x1c411e9a96e071241c2f21f7726b17ae89e3cab4c78be50e062b03a9fffbbad1"

_unpack: Final = Struct("32s32s32s32s").unpack
_LIMIT: Final = 1 << 255


def read_swap(log: EvmLog, data: bytes, reserves: Reserves | None) -> SwapFacts:
    """Read a Swap: net amounts, depth from the Sync before it."""
    in0, in1, out0, out1 = map(int.from_bytes, _unpack(data))
    if (in0 | in1 | out0 | out1) >= _LIMIT:
        raise OutOfRange("Expected amounts below 2^255, was one above")
    _, sender, to = log.topics
    depth0, depth1 = (None, None) if reserves is None else reserves
    return log.address, in0 - out0, in1 - out1, address_of(sender, to), depth0, depth1


def read_pool(log: EvmLog, data: bytes) -> PoolFacts:
    """Read a PairCreated."""
    return address_in(data[:32]), address_of(log.topics[1]), address_of(log.topics[2])


SWAP: Final = SwapEvent(
    topic0="0xd78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822",
    venue=VENUE,
    topics=3,
    words=4,
    read=read_swap,
    layout=Layout.V2,
    sync_topic0=SYNC_TOPIC0,
)
POOL: Final = PoolEvent(
    topic0="0x0d3648bd0f6ba80134a33ba9275ac585d9d315f0ad8355cddefde31afa28d0e9",
    venue=VENUE,
    topics=3,
    words=2,
    read=read_pool,
)
