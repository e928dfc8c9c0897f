from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapstats.core.preprocess.amounts import divided, plain_text, read_decimal, rescaled

big = st.integers(0, 10**60)


@given(big, st.integers(1, 10**30))
def test_division_rounds_half_to_even(numerator: int, denominator: int) -> None:
    with localcontext(prec=120):
        quotient = Decimal(numerator) / Decimal(denominator)
        wanted = int(quotient.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
    assert divided(numerator, denominator) == wanted


@given(big, st.integers(0, 36), st.integers(0, 36))
def test_rescaling_keeps_the_value_or_rounds_it(value: int, places: int, wanted: int) -> None:
    found = rescaled(value, places, wanted)
    if places <= wanted:
        assert found * 10**places == value * 10**wanted
    else:
        assert abs(found * 10 ** (places - wanted) - value) * 2 <= 10 ** (places - wanted)


@given(big, st.integers(1, 48))
def test_text_is_read_back(value: int, places: int) -> None:
    text = plain_text(value, places)
    assert Fraction(text) == Fraction(value, 10**places)
    assert not text.endswith(".")
    assert "." not in text or not text.endswith("0")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0", (0, 0)), ("007", (7, 0)), ("1.50", (150, 2)), ("0.00000001", (1, 8)),
        ("1" * 40 + "." + "2" * 40, (int("1" * 40 + "2" * 40), 40)),
        ("1" * 41, None), ("1." + "2" * 41, None), ("", None), ("1.", None), (".5", None),
        ("-1", None), ("1e5", None), ("NaN", None), ("1_0", None), (" 1", None), ("\u0661", None),
    ],
)  # fmt: skip
def test_decimals_are_plain(text: str, found: tuple[int, int] | None) -> None:
    assert read_decimal(text) == found
