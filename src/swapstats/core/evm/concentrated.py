"""What the swaps of concentrated liquidity (V3, V4 and their kin) tell alike."""

from struct import Struct
from typing import Final

from swapstats.core.evm.words import OutOfRange

# int256 amount0, int256 amount1, uint160 sqrtPriceX96, uint128 liquidity; int24 tick apart from
# the bytes that only widen it.
_unpack: Final = Struct(">32s32s32s32s29s3s").unpack_from
_integer: Final = int.from_bytes
_PRICE_LIMIT: Final = 1 << 160
_LIQUIDITY_LIMIT: Final = 1 << 128
_TICK_WIDENED: Final = (bytes(29), b"\xff" * 29)
"""By the sign of the tick."""


def read_concentrated(data: bytes) -> tuple[int, int, int | None, int | None]:
    """Read amounts, price and liquidity from the first five words of data.

    Returns:
        amount0 and amount1 as they stand; what the pool holds around its price, rounded down:
        L * 2^96 / sqrtPrice of token0 and L * sqrtPrice / 2^96 of token1, None without a price.

    Raises:
        OutOfRange: price, liquidity or tick are no values of their types.
    """
    word0, word1, price, liquidity, tick_pad, tick = _unpack(data)
    sqrt_price_x96 = _integer(price, "big")
    held = _integer(liquidity, "big")
    if sqrt_price_x96 >= _PRICE_LIMIT or held >= _LIQUIDITY_LIMIT:
        raise OutOfRange("Expected a sqrtPriceX96 in 160 and a liquidity in 128 bits, was more")
    if tick_pad != _TICK_WIDENED[tick[0] >> 7]:
        raise OutOfRange(f"Expected a tick in 24 bits, was 0x{tick_pad.hex()}{tick.hex()}")
    amount0 = _integer(word0, "big", signed=True)
    amount1 = _integer(word1, "big", signed=True)
    if not sqrt_price_x96:
        return amount0, amount1, None, None
    return amount0, amount1, (held << 96) // sqrt_price_x96, held * sqrt_price_x96 >> 96
