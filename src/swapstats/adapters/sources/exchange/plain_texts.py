"""Numbers and times as exchanges write them, read without a float. Pure."""

import re

import msgspec

from swapstats.core import plain_decode
from swapstats.errors import Rejected

DIGITS_MAX = 60
"""Longest number that is read; what exchanges send has 20 digits at most."""
SHOWN_CHARS_MAX = 120
ORDER_MAX = 2**63 - 1
UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What a decoder raises on what is no JSON, not of the wanted shape, or nested too deep."""

_number = re.compile(r"([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,2}))?").fullmatch
_whole = re.compile(r"[0-9]{1,19}").fullmatch


def plain_decimal(value: str | msgspec.Raw, name: str) -> str:
    """Write a number without exponent and without zeros that say nothing.

    The same number gives the same text, however an exchange wrote it in a stream and in a page.

    >>> plain_decimal("30243.40000", "price"), plain_decimal(msgspec.Raw(b"2.5e-7"), "qty")
    ('30243.4', '0.00000025')

    Args:
        value: decimal text, or a JSON number as it came.
        name: what it is, for the message.

    Raises:
        Rejected: it is no number, has a sign or is too long.
    """
    text = value if isinstance(value, str) else bytes(value).decode(errors="replace")
    match = _number(text) if len(text) <= DIGITS_MAX else None
    if match is None:
        raise Rejected(f"Expected a {name} in plain digits, was {text[:SHOWN_CHARS_MAX]!r}")
    whole, fraction, exponent = match[1], match[2] or "", int(match[3] or 0)
    if exponent > 0:
        fraction = fraction.ljust(exponent, "0")
        whole, fraction = whole + fraction[:exponent], fraction[exponent:]
    elif exponent < 0:
        whole = whole.rjust(1 - exponent, "0")
        whole, fraction = whole[:exponent], whole[exponent:] + fraction
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    if len(whole) + len(fraction) > DIGITS_MAX:
        raise Rejected(f"Expected a {name} of {DIGITS_MAX} digits at most, was {text!r}")
    return f"{whole}.{fraction}" if fraction else whole


def whole_number(text: str, name: str) -> int:
    """Read an id or a time that is written as text.

    Raises:
        Rejected: it is no whole number, or beyond 63 bits.
    """
    if _whole(text) is None or int(text) > ORDER_MAX:
        raise Rejected(f"Expected a {name} as whole number, was {text[:SHOWN_CHARS_MAX]!r}")
    return int(text)


def bounded(value: int, name: str) -> int:
    """Check an id or a time that is written as a number.

    Raises:
        Rejected: it is negative or beyond 63 bits.
    """
    if not 0 <= value <= ORDER_MAX:
        raise Rejected(f"Expected a {name} between 0 and {ORDER_MAX}, was {value}")
    return value


def rfc3339_ms(text: str) -> int:
    """Read ms since epoch; digits after the millisecond are cut off.

    Raises:
        Rejected: it is no time with a zone, or one before the epoch.
    """
    time_ms = plain_decode.time_ms(text)
    if time_ms is None or time_ms < 0:
        raise Rejected(f"Expected an RFC 3339 time, was {text[:SHOWN_CHARS_MAX]!r}")
    return time_ms


def seconds_ms(value: msgspec.Raw) -> int:
    """Read ms since epoch from seconds with a fraction; digits after the millisecond are cut off.

    >>> seconds_ms(msgspec.Raw(b"1688669597.8277369"))
    1688669597827

    Raises:
        Rejected: it is no number of seconds.
    """
    whole, _, fraction = plain_decimal(value, "time").partition(".")
    return whole_number(whole + (fraction + "000")[:3], "time")


def taker_side(text: str, buy: str, sell: str) -> str:
    """Read the taker's side.

    Args:
        text: what came.
        buy: how the exchange writes that the taker bought.
        sell: how it writes that the taker sold.

    Raises:
        Rejected: it is neither.
    """
    if text == buy:
        return "buy"
    if text == sell:
        return "sell"
    raise Rejected(f"Expected side {buy!r} or {sell!r}, was {text[:SHOWN_CHARS_MAX]!r}")


def identifier(text: str, name: str) -> str:
    """Check a symbol or an id that goes into an event id.

    Raises:
        Rejected: it is empty, long or holds what is not printable ASCII.
    """
    if not 0 < len(text) <= 64 or not text.isascii() or not text.isprintable():
        raise Rejected(f"Expected a {name} of 1 to 64 characters, was {text[:SHOWN_CHARS_MAX]!r}")
    return text
