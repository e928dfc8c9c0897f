"""The numbers of one log as JSON: what the readers in `core.evm` compute, digit for digit."""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.compiling import kernel, part
from swapstats.core.kernels.limbs import (
    difference,
    highest,
    magnitude,
    product_from_96,
    read_word,
    share,
    write_decimal,
)
from swapstats.core.kernels.log_texts import (
    ADDRESS,
    BLOCK_HASH,
    BLOCK_NUMBER,
    DATA,
    LOG_INDEX,
    TOPIC1,
    TOPIC2,
    TX_HASH,
)
from swapstats.core.kernels.texts import COMMA, QUOTE
from swapstats.core.kernels.words import load_word

U64 = np.uint64
I64 = np.int64

NO_LAYOUT, SYNC, V2, CONCENTRATED, TURNED = range(5)
"""What the words of a log mean: two reserves; four amounts; two amounts, price, liquidity and tick
from the pool's view, or from the swapper's with a fee behind them."""
VENUE_BYTES_MAX = 64
SWAP_BYTES_MAX = 1_024
"""Room for one swap as JSON, the longest possible well within."""
LIMBS = 80
_AMOUNT0, _AMOUNT1, _PRICE, _LIQUIDITY, _EXTRA, _RESULT = 0, 8, 16, 24, 32, 40
_ONES = U64(0xFFFFFFFF)
_ZERO_DIGITS = U64(0x3030303030303030)
_OPEN_LIST, _CLOSE_LIST = 91, 93


@part
def _is_zero(n: NDArray[np.uint64], at: int, end: int) -> bool:
    """Whether limbs are all 0."""
    return highest(n, at, end - at) == 0


@part
def _fits_signed(n: NDArray[np.uint64], at: int, limbs: int, top: np.uint64) -> bool:
    """Whether a word is a number whose sign is `top` of its limb number `limbs - 1`."""
    fill = _ONES if n[at + limbs - 1] & top != U64(0) else U64(0)
    if (n[at + limbs - 1] & ~(top - U64(1))) != (fill & ~(top - U64(1))):
        return False
    for i in range(at + limbs, at + 8):
        if n[i] != fill:
            return False
    return True


@part
def _is_address(data: NDArray[np.uint8], topic: int) -> bool:
    """Whether the first 12 bytes of a topic are 0."""
    for i in range(3):
        if load_word(data, topic + 8 * i) != _ZERO_DIGITS:
            return False
    return True


@part
def _text(data: NDArray[np.uint8], at: int, digits: int, out: NDArray[np.uint8], end: int) -> int:
    """Write hex digits as a text with 0x, and a comma after it."""
    out[end] = QUOTE
    out[end + 1] = 48
    out[end + 2] = 120
    for i in range(digits):
        out[end + 3 + i] = data[at + i]
    out[end + 3 + digits] = QUOTE
    out[end + 4 + digits] = COMMA
    return end + 5 + digits


@part
def _number(n: NDArray[np.uint64], value: int, out: NDArray[np.uint8], end: int) -> int:
    """Write a number that is not negative."""
    for i in range(_RESULT, _RESULT + 8):
        n[i] = U64(0)
    n[_RESULT] = U64(value) & _ONES
    n[_RESULT + 1] = U64(value) >> U64(32)
    return write_decimal(n, _RESULT, False, out, end)


@part
def _nulls(out: NDArray[np.uint8], end: int) -> int:
    """Write that both depths are not known."""
    for i in range(2):
        out[end + 5 * i] = 110
        out[end + 5 * i + 1] = 117
        out[end + 5 * i + 2] = 108
        out[end + 5 * i + 3] = 108
        out[end + 5 * i + 4] = COMMA
    return end + 10


@part
def _read_numbers(
    data: NDArray[np.uint8], places: NDArray[np.int64], layout: int, n: NDArray[np.uint64]
) -> tuple[bool, bool, bool]:
    """Read the words of a swap; returns whether all are in range, and which amounts are negative.

    What an amount leaves in `n` is its absolute value.
    """
    at = places[DATA]
    read_word(data, at, n, _AMOUNT0)
    read_word(data, at + 64, n, _AMOUNT1)
    read_word(data, at + 128, n, _PRICE)
    read_word(data, at + 192, n, _LIQUIDITY)
    if layout == V2:
        used = n[_AMOUNT0 + 7] | n[_AMOUNT1 + 7] | n[_PRICE + 7] | n[_LIQUIDITY + 7]
        if used >> U64(31) != U64(0):
            return False, False, False
        minus0 = difference(n, _AMOUNT0, _PRICE)
        return True, minus0, difference(n, _AMOUNT1, _LIQUIDITY)
    read_word(data, at + 256, n, _EXTRA)
    if not (
        _is_zero(n, _PRICE + 5, _PRICE + 8)
        and _is_zero(n, _LIQUIDITY + 4, _LIQUIDITY + 8)
        and _fits_signed(n, _EXTRA, 1, U64(1 << 23))
    ):
        return False, False, False
    if layout == TURNED:
        if not (
            _fits_signed(n, _AMOUNT0, 4, U64(1 << 31))
            and _fits_signed(n, _AMOUNT1, 4, U64(1 << 31))
        ):
            return False, False, False
        read_word(data, at + 320, n, _EXTRA)
        if not _is_zero(n, _EXTRA + 1, _EXTRA + 8) or n[_EXTRA] >> U64(24) != U64(0):
            return False, False, False
    minus0 = magnitude(n, _AMOUNT0)
    minus1 = magnitude(n, _AMOUNT1)
    if layout == TURNED:
        return True, not minus0, not minus1
    return True, minus0, minus1


@kernel
def write_swap(
    data: NDArray[np.uint8],
    places: NDArray[np.int64],
    layout: int,
    reserves: int,
    venue: NDArray[np.uint8],
    venue_count: int,
    n: NDArray[np.uint64],
    out: NDArray[np.uint8],
    end: int,
) -> int:
    """Write one swap as a JSON list, its fields in the order of `DecodedSwap`.

    Args:
        data: uint8[...], JSON text of logs.
        places: int64[PLACES], where the fields of this one are; its counts fit the layout.
        layout: V2, CONCENTRATED or TURNED.
        reserves: where the two reserves the pool told are, as hex digits; -1 = nowhere.
        venue: uint8[VENUE_BYTES_MAX], the venue as a JSON text.
        venue_count: its length.
        n: uint64[LIMBS], for its own use.
        out: uint8[...], with room for SWAP_BYTES_MAX from `end` on.
        end: where to write.

    Returns:
        The position after it, or -1 if a word is no value of its type.
    """
    if not _is_address(data, places[TOPIC2]):
        return -1
    if layout != TURNED and not _is_address(data, places[TOPIC1]):
        return -1
    good, minus0, minus1 = _read_numbers(data, places, layout, n)
    if not good:
        return -1
    out[end] = _OPEN_LIST
    end += 1
    for i in range(venue_count):
        out[end + i] = venue[i]
    end += venue_count
    out[end] = COMMA
    end += 1
    if layout == TURNED:
        end = _text(data, places[TOPIC1], 64, out, end)
    else:
        end = _text(data, places[ADDRESS], 40, out, end)
    trader = places[TOPIC2] if layout == TURNED else places[TOPIC1]
    for i in range(8):
        n[_RESULT + i] = n[_AMOUNT0 + i]
    end = write_decimal(n, _RESULT, minus0, out, end)
    out[end] = COMMA
    for i in range(8):
        n[_RESULT + i] = n[_AMOUNT1 + i]
    end = write_decimal(n, _RESULT, minus1, out, end + 1)
    out[end] = COMMA
    end = _text(data, trader + 24, 40, out, end + 1)
    if layout == V2:
        if reserves < 0:
            end = _nulls(out, end)
        else:
            for i in range(2):
                read_word(data, reserves + 64 * i, n, _RESULT)
                end = write_decimal(n, _RESULT, False, out, end)
                out[end] = COMMA
                end += 1
    elif _is_zero(n, _PRICE, _PRICE + 5):
        end = _nulls(out, end)
    else:
        share(n, _LIQUIDITY, _PRICE, _RESULT)
        end = write_decimal(n, _RESULT, False, out, end)
        out[end] = COMMA
        product_from_96(n, _LIQUIDITY, _PRICE, _RESULT)
        end = write_decimal(n, _RESULT, False, out, end + 1)
        out[end] = COMMA
        end += 1
    end = _number(n, places[BLOCK_NUMBER], out, end)
    out[end] = COMMA
    end = _text(data, places[BLOCK_HASH], 64, out, end + 1)
    end = _text(data, places[TX_HASH], 64, out, end)
    end = _number(n, places[LOG_INDEX], out, end)
    out[end] = _CLOSE_LIST
    return end + 1
