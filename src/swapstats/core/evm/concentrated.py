"""What the swaps of concentrated liquidity (V3, V4 and their kin) tell alike."""

from struct import Struct
from typing import Final

from swapstats.core.evm.words import OutOfRange

# int256 amount0, int256 amount1, uint160 sqrtPriceX96, uint128 liquidity, int24 tick: the bytes in
# use apart from those that only widen them to a word.
_unpack: Final = Struct(">32s32s12s20s16s16s29s3s").unpack_from
_integer: Final = int.from_bytes
_FROM_160: Final = bytes(12)
_FROM_128: Final = bytes(16)
_FROM_24: Final = (bytes(29), b"\xff" * 29)


def read_concentrated(data: bytes) -> tuple[int, int, int | None, int | None]:
    """Read amounts, price and liquidity from the first five words of data.

    Returns:
        amount0 and amount1 as they stand; what the pool holds around its price, rounded down:
        L * 2^96 / sqrtPrice of token0 and L * sqrtPrice / 2^96 of token1, None without a price.

    Raises:
        OutOfRange: price, liquidity or tick are no values of their types.
    """
    amount0, amount1, price_pad, price, liquidity_pad, liquidity, tick_pad, tick = _unpack(data)
    if price_pad != _FROM_160 or liquidity_pad != _FROM_128:
        raise OutOfRange("Expected a sqrtPriceX96 in 160 and a liquidity in 128 bits, was more")
    if tick_pad != _FROM_24[tick[0] >> 7]:
        raise OutOfRange(f"Expected a tick in 24 bits, was 0x{tick_pad.hex()}{tick.hex()}")
    whole0 = _integer(amount0, "big", signed=True)
    whole1 = _integer(amount1, "big", signed=True)
    sqrt_price_x96 = _integer(price, "big")
    if not sqrt_price_x96:
        return whole0, whole1, None, None
    held = _integer(liquidity, "big")
    return whole0, whole1, (held << 96) // sqrt_price_x96, held * sqrt_price_x96 >> 96
