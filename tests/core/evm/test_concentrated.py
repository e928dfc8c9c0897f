"""What V3 and V4 tell alike: amounts, price, liquidity."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.evm.made_logs import word

from swapstats.core.evm.concentrated import read_concentrated
from swapstats.core.evm.words import OutOfRange


def read(*words: int) -> tuple[int, int, int | None, int | None]:
    return read_concentrated(bytes.fromhex("".join(word(value) for value in words)))


def test_depth_is_what_a_v2_pool_of_the_same_price_would_hold() -> None:
    """A price of 4: depth1 / depth0 is the price, depth0 * depth1 the liquidity squared."""
    assert read(0, 0, 2 * 2**96, 1_000, 0) == (0, 0, 500, 2_000)


def test_no_liquidity_in_range_is_no_depth_and_no_price_is_unknown() -> None:
    assert read(1, -1, 2**96, 0, 0) == (1, -1, 0, 0)
    assert read(1, -1, 0, 5, 0) == (1, -1, None, None)


@settings(deadline=None)
@given(st.integers(1, 2**160 - 1), st.integers(0, 2**128 - 1))
def test_depth_is_rounded_down(price: int, liquidity: int) -> None:
    _, _, depth0, depth1 = read(0, 0, price, liquidity, 0)
    assert depth0 is not None
    assert depth1 is not None
    assert depth0 * price <= liquidity * 2**96 < (depth0 + 1) * price
    assert depth1 * 2**96 <= liquidity * price < (depth1 + 1) * 2**96


@pytest.mark.parametrize(
    "words",
    [
        (0, 0, 2**160, 1, 0),
        (0, 0, -1, 1, 0),
        (0, 0, 1, 2**128, 0),
        (0, 0, 1, -1, 0),
        (0, 0, 1, 1, 2**23),
        (0, 0, 1, 1, -(2**23) - 1),
        (0, 0, 1, 1, 2**255),
    ],
)
def test_values_outside_of_their_types_are_refused(words: tuple[int, ...]) -> None:
    with pytest.raises(OutOfRange, match="Expected"):
        read(*words)


def test_ticks_may_be_anything_in_24_bits() -> None:
    for tick in (-(2**23), -1, 0, 1, 2**23 - 1):
        assert read(3, -4, 2**96, 1, tick) == (3, -4, 1, 1)


def test_words_after_the_fifth_are_left_alone() -> None:
    assert read(3, -4, 2**96, 1, 0, 2**256 - 1) == (3, -4, 1, 1)
