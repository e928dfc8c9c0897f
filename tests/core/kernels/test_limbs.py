"""Numbers in limbs against Python's own: every size, and limbs that make carries run."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.core.kernels.twins import readonly

from swapstats.core.kernels import limbs
from swapstats.core.kernels.limbs import DECIMAL_BYTES_MAX, SHARE_SPARE_LIMBS, WORD_LIMBS

MASK = (1 << 32) - 1
odd_limbs = st.sampled_from([0, 1, 2, MASK, MASK - 1, 1 << 31, (1 << 31) - 1]) | st.integers(
    0, MASK
)


def numbers(bits: int) -> st.SearchStrategy[int]:
    """Numbers of up to so many bits: any size, and such of limbs at their edges."""
    joined = st.lists(odd_limbs, min_size=bits // 32, max_size=bits // 32).map(
        lambda parts: sum(part << 32 * i for i, part in enumerate(parts))
    )
    sized = st.integers(1, bits).flatmap(lambda size: st.integers(0, (1 << size) - 1))
    return joined | sized | st.sampled_from([(1 << bits) - 1, 1 << (bits - 1)])


def spoiled(*placed: tuple[int, int, int]) -> np.ndarray:
    """Limbs that hold rubbish but for numbers: (where, limbs, number) each."""
    n = np.full(8 + 8 + 8 + SHARE_SPARE_LIMBS, 0xDEADBEEF, dtype=np.uint64)
    for at, count, number in placed:
        for i in range(count):
            n[at + i] = (number >> 32 * i) & MASK
    return n


def number(n: np.ndarray, at: int) -> int:
    return sum(int(n[at + i]) << 32 * i for i in range(WORD_LIMBS))


def test_digits_are_those_of_lower_case_hex() -> None:
    for place in range(8):
        for code in range(256):
            text = bytearray(b"09afb5e7")
            text[place] = code
            word = np.uint64(int.from_bytes(text, "little"))
            is_digit = chr(code) in "0123456789abcdef"
            assert limbs.is_lower_hex(word) == is_digit, (place, code)
            if is_digit:
                assert int(limbs.hex_value(word)) == int(text, 16)


@settings(deadline=None, max_examples=300)
@given(numbers(256), st.integers(0, 9))
def test_words_and_their_signs(value: int, start: int) -> None:
    data = readonly(b"#" * start + b"%064x" % value)
    n = spoiled()
    limbs.read_word(data, start, n, 3)
    assert number(n, 3) == value
    assert limbs.highest(n, 3, 8) == -(-value.bit_length() // 32)
    signed = value - (1 << 256) if value >> 255 else value
    assert limbs.magnitude(n, 3) == (signed < 0)
    assert number(n, 3) == abs(signed)
    assert (n[:3] == 0xDEADBEEF).all()
    assert (n[11:] == 0xDEADBEEF).all()


@settings(deadline=None, max_examples=300)
@given(numbers(255), numbers(255))
@example(5, 5)
def test_differences(one: int, other: int) -> None:
    n = spoiled((0, 8, one), (8, 8, other))
    assert limbs.difference(n, 0, 8) == (one < other)
    assert (number(n, 0), number(n, 8)) == (abs(one - other), other)


@settings(deadline=None, max_examples=2_000)
@given(numbers(128), numbers(160))
@example((1 << 128) - 1, 1)
@example((1 << 128) - 1, (1 << 160) - 1)
@example(0x80000000_00000000_00000003_00000000, 0x20000000_00000000_00000001)
@example(0x7FFF8000_00000000, 0x8000_0000_0000_0001)
def test_depths(liquidity: int, price: int) -> None:
    n = spoiled((0, 4, liquidity), (4, 5, price))
    limbs.product_from_96(n, 0, 4, 16)
    assert number(n, 16) == liquidity * price >> 96
    if price:
        limbs.share(n, 0, 4, 16)
        assert number(n, 16) == (liquidity << 96) // price
    assert [(int(n[i])) for i in range(4)] == [(liquidity >> 32 * i) & MASK for i in range(4)]
    assert [(int(n[4 + i])) for i in range(5)] == [(price >> 32 * i) & MASK for i in range(5)]


def test_a_guess_that_is_one_too_high_is_taken_back() -> None:
    """Divisors of which the two upper limbs say too little."""
    for low in range(1, 200):
        for price in ((1 << 159) + low, ((1 << 64) - 1 << 32) + low, (1 << 95) + MASK - low):
            for liquidity in (
                (1 << 128) - 1,
                (1 << 127) + low,
                price & ((1 << 128) - 1),
                price >> 32,
            ):
                n = spoiled((0, 4, liquidity), (4, 5, price))
                limbs.share(n, 0, 4, 16)
                assert number(n, 16) == (liquidity << 96) // price


@settings(deadline=None, max_examples=500)
@given(numbers(256), st.booleans())
@example(0, True)
@example(0, False)
def test_decimals(value: int, is_negative: bool) -> None:
    n = spoiled((2, 8, value))
    out = np.zeros(3 + DECIMAL_BYTES_MAX + 8, dtype=np.uint8)
    end = limbs.write_decimal(n, 2, is_negative, out, 3)
    assert out[3:end].tobytes().decode() == str(-value if is_negative else value)
    assert not out[:3].any()
    assert not out[3 + DECIMAL_BYTES_MAX :].any()


@pytest.mark.parametrize("power", range(78))
def test_decimals_around_powers_of_ten(power: int) -> None:
    for value in (10**power - 1, 10**power, 10**power + 1, 9 * 10**power // 10):
        n = spoiled((2, 8, value))
        out = np.zeros(DECIMAL_BYTES_MAX, dtype=np.uint8)
        end = limbs.write_decimal(n, 2, False, out, 0)
        assert out[:end].tobytes().decode() == str(value)
