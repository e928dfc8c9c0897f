"""Amounts as integers: read from text, divided half-even, written as plain decimals."""

import re
from typing import Final

TOKEN_PLACES: Final = 18
USD_PLACES: Final = 6
PRICE_PLACES: Final = 36
"""Places of a price in USD for one whole token: 18 digits are left of a price of 10^-18."""
ONE_DOLLAR: Final = 10**PRICE_PLACES
CANDLE_PLACES: Final = 30
"""Places of prices that are told."""
DECIMALS_MAX: Final = 36
"""More places than any honest token has."""
UINT256_MAX: Final = (1 << 256) - 1

POWERS: Final[tuple[int, ...]] = tuple(10**exponent for exponent in range(160))
"""10^n, looked up instead of computed."""

is_signed = re.compile(r"-?[0-9]{1,78}").fullmatch
is_unsigned = re.compile(r"[0-9]{1,78}").fullmatch
_decimal = re.compile(r"([0-9]{1,40})(?:\.([0-9]{1,40}))?").fullmatch


def divided(numerator: int, denominator: int) -> int:
    """Divide two integers >= 0, rounding half to even.

    >>> divided(5, 2), divided(7, 2), divided(1, 3)
    (2, 4, 0)
    """
    quotient, rest = divmod(numerator, denominator)
    twice = rest + rest
    if twice > denominator or (twice == denominator and quotient & 1):
        return quotient + 1
    return quotient


def rescaled(value: int, places: int, wanted: int) -> int:
    """Turn an integer with `places` places into one with `wanted`, rounding half to even.

    >>> rescaled(15, 1, 0), rescaled(15, 1, 3)
    (2, 1500)
    """
    if places <= wanted:
        return value * POWERS[wanted - places]
    return divided(value, POWERS[places - wanted])


def read_decimal(text: str) -> tuple[int, int] | None:
    """Read a plain decimal as an integer and its number of places; None if it is none.

    >>> read_decimal("1.50"), read_decimal("1e5")
    ((150, 2), None)
    """
    match = _decimal(text)
    if match is None:
        return None
    whole, fraction = match.groups()
    if fraction is None:
        return int(whole), 0
    return int(whole + fraction), len(fraction)


def plain_text(value: int, places: int) -> str:
    """Write an integer with `places` places as a plain decimal, without idle zeros.

    >>> plain_text(1_500_000, 6), plain_text(7, 6), plain_text(0, 6)
    ('1.5', '0.000007', '0')
    """
    text = str(value)
    if len(text) <= places:
        text = text.zfill(places + 1)
    fraction = text[-places:].rstrip("0")
    if fraction:
        return f"{text[:-places]}.{fraction}"
    return text[:-places]
