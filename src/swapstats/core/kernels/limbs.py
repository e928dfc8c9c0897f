"""Whole numbers of up to 256 bits in limbs of 32: hex text in, decimal text out.

A number is a run of limbs in one array that is handed along, the lowest first: `n[at:at + 8]` for a
word of the EVM. Limbs stand in 64 bits each, so that products and borrows have room.
"""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.compiling import kernel, part
from swapstats.core.kernels.words import load_word

U64 = np.uint64
I64 = np.int64
WORD_LIMBS = 8
QUOTIENT_LIMBS = 7
SHARE_SPARE_LIMBS = 20
"""What `share` needs behind its own numbers: quotient, dividend and divisor."""
DECIMAL_BYTES_MAX = 80
"""A sign and 78 digits, with room for the last eight to be written at once."""
_LOW = U64(0xFFFFFFFF)
_32 = U64(32)
_ONES = U64(0x0101010101010101)
_HIGHS = U64(0x8080808080808080)
_CHUNK = U64(10**8)
_ZEROS = U64(0x3030303030303030)


@part
def is_lower_hex(word: np.uint64) -> bool:
    """Whether all eight bytes of a word are digits or letters from a to f.

    Below 128 no sum runs over into the next byte.
    """
    digits = (word + U64(0x50) * _ONES) & ~(word + U64(0x46) * _ONES)
    letters = (word + U64(0x1F) * _ONES) & ~(word + U64(0x19) * _ONES)
    return bool(((digits | letters) & ~word & _HIGHS) == _HIGHS)


@part
def hex_value(word: np.uint64) -> np.uint64:
    """Value of eight lower case hex digits, the first of them in the lowest byte."""
    value = (word & (U64(0x0F) * _ONES)) + U64(9) * ((word >> U64(6)) & _ONES)
    value = ((value << U64(4)) | (value >> U64(8))) & U64(0x00FF00FF00FF00FF)
    value = ((value << U64(8)) | (value >> U64(16))) & U64(0x0000FFFF0000FFFF)
    return ((value << U64(16)) | (value >> _32)) & _LOW


@kernel
def read_word(data: NDArray[np.uint8], at: int, n: NDArray[np.uint64], to: int) -> None:
    """Read `data[at:at + 64]`, 64 lower case hex digits, into `n[to:to + 8]`."""
    for i in range(WORD_LIMBS):
        n[to + 7 - i] = hex_value(load_word(data, at + 8 * i))


@kernel
def highest(n: NDArray[np.uint64], at: int, count: int) -> int:
    """How many of `count` limbs are in use: those above are 0."""
    while count > 0 and n[at + count - 1] == U64(0):
        count -= 1
    return count


@kernel
def magnitude(n: NDArray[np.uint64], at: int) -> bool:
    """Turn a word in two's complement into its absolute value; returns whether it was negative."""
    if n[at + 7] >> U64(31) == U64(0):
        return False
    carry = U64(1)
    for i in range(at, at + WORD_LIMBS):
        total = (n[i] ^ _LOW) + carry
        n[i] = total & _LOW
        carry = total >> _32
    return True


@kernel
def difference(n: NDArray[np.uint64], one: int, other: int) -> bool:
    """Put |one - other| in the place of `one`; returns whether `other` is above.

    Both are words below 2^255.
    """
    borrow = U64(0)
    for i in range(WORD_LIMBS):
        total = n[one + i] - n[other + i] - borrow
        n[one + i] = total & _LOW
        borrow = (total >> _32) & U64(1)
    return magnitude(n, one)


@kernel
def product_from_96(n: NDArray[np.uint64], liquidity: int, price: int, to: int) -> None:
    """Put liquidity * price / 2^96, rounded down, into `n[to:to + 8]`.

    Args:
        n: limbs.
        liquidity: where a number of four limbs begins.
        price: where a number of five limbs begins.
        to: where the result begins; the limb after it is used as well.
    """
    # The three lowest limbs of the product are not kept, but for what they carry.
    for i in range(to, to + WORD_LIMBS + 1):
        n[i] = U64(0)
    low0 = U64(0)
    low1 = U64(0)
    low2 = U64(0)
    for i in range(4):
        carry = U64(0)
        factor = n[liquidity + i]
        if factor == U64(0):
            continue
        for j in range(5):
            place = i + j
            total = factor * n[price + j] + carry
            if place == 0:
                total += low0
                low0 = total & _LOW
            elif place == 1:
                total += low1
                low1 = total & _LOW
            elif place == 2:
                total += low2
                low2 = total & _LOW
            else:
                total += n[to + place - 3]
                n[to + place - 3] = total & _LOW
            carry = total >> _32
        n[to + i + 2] = carry


@kernel
def share(n: NDArray[np.uint64], liquidity: int, price: int, to: int) -> None:
    """Put liquidity * 2^96 / price, rounded down, into `n[to:to + 8]`.

    Knuth, The Art of Computer Programming, volume 2, 4.3.1, algorithm D.

    Args:
        n: limbs.
        liquidity: where a number of four limbs begins.
        price: where a number of five limbs begins, not 0.
        to: where the result begins; the SHARE_SPARE_LIMBS after its eight are used as well.
    """
    over = to + WORD_LIMBS
    under = over + WORD_LIMBS + 2
    for i in range(WORD_LIMBS):
        n[to + i] = U64(0)
    count = highest(n, price, 5)
    shift = U64(0)
    while (n[price + count - 1] << shift) >> U64(31) == U64(0):
        shift += U64(1)
    rest = U64(0)
    for i in range(count):
        total = (n[price + i] << shift) | rest
        n[under + i] = total & _LOW
        rest = total >> _32
    for i in range(3):
        n[over + i] = U64(0)
    rest = U64(0)
    for i in range(4):
        total = (n[liquidity + i] << shift) | rest
        n[over + 3 + i] = total & _LOW
        rest = total >> _32
    n[over + 7] = rest
    first = n[under + count - 1]
    second = n[under + count - 2] if count > 1 else U64(0)
    for j in range(QUOTIENT_LIMBS - count, -1, -1):
        head = (n[over + j + count] << _32) | n[over + j + count - 1]
        if head == U64(0):
            continue
        guess = head // first
        left = head - guess * first
        after = n[over + j + count - 2] if count > 1 else U64(0)
        while guess > _LOW or guess * second > ((left << _32) | after):
            guess -= U64(1)
            left += first
            if left > _LOW:
                break
        borrow = U64(0)
        carry = U64(0)
        for i in range(count):
            taken = guess * n[under + i] + carry
            carry = taken >> _32
            total = n[over + i + j] - (taken & _LOW) - borrow
            n[over + i + j] = total & _LOW
            borrow = (total >> _32) & U64(1)
        total = n[over + j + count] - carry - borrow
        n[over + j + count] = total & _LOW
        if (total >> _32) & U64(1) != U64(0):
            guess -= U64(1)
            carry = U64(0)
            for i in range(count):
                total = n[over + i + j] + n[under + i] + carry
                n[over + i + j] = total & _LOW
                carry = total >> _32
            n[over + j + count] = (n[over + j + count] + carry) & _LOW
        n[to + j] = guess


@part
def _eight_digits(value: np.uint64) -> np.uint64:
    """Eight decimal digits of a number below 10^8 as text, the first in the lowest byte."""
    upper = value // U64(10_000)
    pairs = upper | ((value - upper * U64(10_000)) << _32)
    upper = ((pairs * U64(10_486)) >> U64(20)) & U64(0x0000007F0000007F)
    pairs = upper | ((pairs - upper * U64(100)) << U64(16))
    upper = ((pairs * U64(103)) >> U64(10)) & U64(0x000F000F000F000F)
    return (upper | ((pairs - upper * U64(10)) << U64(8))) + _ZEROS


@part
def _put(out: NDArray[np.uint8], at: int, word: np.uint64) -> None:
    """Write a word, the lowest byte first."""
    out[at] = np.uint8(word)
    out[at + 1] = np.uint8(word >> U64(8))
    out[at + 2] = np.uint8(word >> U64(16))
    out[at + 3] = np.uint8(word >> U64(24))
    out[at + 4] = np.uint8(word >> U64(32))
    out[at + 5] = np.uint8(word >> U64(40))
    out[at + 6] = np.uint8(word >> U64(48))
    out[at + 7] = np.uint8(word >> U64(56))


@kernel
def write_decimal(
    n: NDArray[np.uint64], at: int, is_negative: bool, out: NDArray[np.uint8], end: int
) -> int:
    """Write `n[at:at + 8]` as a decimal, and spoil it.

    Args:
        n: limbs; the ten after the number are used as well.
        at: where the number begins.
        is_negative: whether a sign goes before it; 0 gets none.
        out: uint8[...], with room for DECIMAL_BYTES_MAX from `end` on.
        end: where to write.

    Returns:
        Position after the last digit.
    """
    limbs = highest(n, at, WORD_LIMBS)
    if limbs == 0:
        out[end] = 48
        return end + 1
    if is_negative:
        out[end] = 45
        end += 1
    chunks = 0
    while limbs > 2:
        rest = U64(0)
        for i in range(at + limbs - 1, at - 1, -1):
            total = (rest << _32) | n[i]
            n[i] = total // _CHUNK
            rest = total - n[i] * _CHUNK
        n[at + WORD_LIMBS + chunks] = rest
        chunks += 1
        if n[at + limbs - 1] == U64(0):
            limbs -= 1
    value = n[at] | (n[at + 1] << _32) if limbs == 2 else n[at]
    while value >= _CHUNK:
        upper = value // _CHUNK
        n[at + WORD_LIMBS + chunks] = value - upper * _CHUNK
        chunks += 1
        value = upper
    text = _eight_digits(value)
    digits = 8
    while text & U64(0xFF) == U64(48):
        text >>= U64(8)
        digits -= 1
    _put(out, end, text)
    end += digits
    while chunks > 0:
        chunks -= 1
        _put(out, end, _eight_digits(n[at + WORD_LIMBS + chunks]))
        end += 8
    return end
