"""Values of a table to values of wire v1: small named conversions, each exact or refused.

A value comes as a reader gives it: text, whole number, Decimal, float, bool, bytes, moment. None
stands for nothing and is never given to a conversion. What is not sure is refused, not guessed:
the decoder of the contract judges what comes out.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from functools import partial
from math import isfinite
from typing import Any, Final
from uuid import UUID

from swapstats.errors import SettingsError
from swapstats.model import wire

Conversion = Callable[[Any], Any]

SIDES: Final[Mapping[str, str]] = {
    "buy": "buy", "b": "buy", "bid": "buy", "taker_buy": "buy",
    "sell": "sell", "s": "sell", "ask": "sell", "taker_sell": "sell",
}  # fmt: skip
"""Words for the two sides, in lower case."""

NUMBER_CHARS_MAX: Final = 128
MAGNITUDE_MAX: Final = 80
"""Bound on the exponent of a number: nothing beyond it fits the contract."""
SCALE_MAX: Final = 60
_EXACT_FLOAT_MAX: Final = 1 << 53

_EXACT: Final = Context(prec=400)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN_CHARS_MAX: Final = 80
_TRUE: Final = frozenset({"true", "t", "yes", "y", "1", "on"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "0", "off"})

_plain = re.compile(r"[0-9]+(?:\.[0-9]+)?").fullmatch
_number = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?").fullmatch
_whole = re.compile(r"[+-]?[0-9]+").fullmatch
_moment = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]+([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?) ?"
    r"(?:([Zz]|UTC)|([+-][0-9]{2})(?::?([0-9]{2}))?)?"
).fullmatch
_hex = re.compile(r"(?:\\x|0[xX])?((?:[0-9a-fA-F]{2})*)").fullmatch


class Unconvertible(ValueError):
    """A value that a conversion refuses; says "Expected X, was Y"."""


def refusal(expected: str, value: object) -> Unconvertible:
    """Say what was expected and what it was, shortened."""
    shown = repr(value)
    if len(shown) > _SHOWN_CHARS_MAX:
        shown = f"{shown[:_SHOWN_CHARS_MAX]}..."
    return Unconvertible(f"Expected {expected}, was {shown}")


def number_of(value: Any, *, allow_float: bool = True) -> Decimal:
    """Read a number without loss.

    Raises:
        Unconvertible: it is none, not finite, too long, or a float where none is allowed.
    """
    if isinstance(value, bool):
        raise refusal("a number", value)
    if isinstance(value, float):
        if not allow_float:
            raise refusal(
                "an exact number (text, integer or decimal; backfill.allow_float takes floats as "
                "they print)",
                value,
            )
        if not isfinite(value):
            raise refusal("a finite number", value)
        value = repr(value)
    if isinstance(value, str):
        text = value.strip()
        if len(text) > NUMBER_CHARS_MAX or not _number(text):
            raise refusal("a number", value)
        found = Decimal(text)
    elif isinstance(value, int | Decimal):
        found = Decimal(value)
    else:
        raise refusal("a number", value)
    if not found.is_finite() or abs(found.adjusted()) > MAGNITUDE_MAX:
        raise refusal(f"a number within 10^+-{MAGNITUDE_MAX}", value)
    return found


def as_amount(value: Any, *, allow_float: bool, places: int) -> str:
    """Write an amount as plain digits; zeros beyond `places` are left out, nothing else is."""
    if isinstance(value, str) and len(value) <= NUMBER_CHARS_MAX and _plain(value):
        text = value
    else:
        text = format(number_of(value, allow_float=allow_float), "f")
    point = text.find(".")
    if point >= 0 and len(text) - point - 1 > places:
        kept = point + 1 + places
        text = text[:kept] + text[kept:].rstrip("0")
    return text


def as_integer(value: Any) -> int:
    """Read a whole number; a float is one if it stands for it exactly."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = value.strip()
        if len(text) <= NUMBER_CHARS_MAX and _whole(text):
            return int(text)
    elif isinstance(value, Decimal):
        if value.is_finite() and value.adjusted() <= MAGNITUDE_MAX and value == int(value):
            return int(value)
    elif isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_FLOAT_MAX:
        return int(value)
    raise refusal("a whole number", value)


def as_text(value: Any) -> str:
    """Take a text, or write a whole number or an id as one."""
    if isinstance(value, str):
        return value
    if isinstance(value, UUID) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    if isinstance(value, Decimal) and value.is_finite():
        return str(as_integer(value))
    if isinstance(value, bytes | bytearray | memoryview):
        raise refusal("a text (bytes become one with `hex`)", bytes(value))
    raise refusal("a text", value)


def as_boolean(value: Any) -> bool:
    """Read true or false, also as 1 and 0."""
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else str(value)
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise refusal("true or false", value)


def as_side(value: Any, sides: Mapping[str, str]) -> str:
    """Find a word for a side; booleans are looked up as `true` and `false`."""
    word = str(value).strip().lower()
    if word not in sides:
        raise refusal(f"a side of {', '.join(sorted(sides))} (see backfill.sides)", value)
    return sides[word]


def as_time(value: Any) -> int | str:
    """Take ms since epoch, an RFC 3339 text, or a moment with its zone."""
    if isinstance(value, datetime):
        return moment_ms(value)
    if isinstance(value, str):
        return int(value) if len(value) <= NUMBER_CHARS_MAX and _whole(value) else value
    return as_integer(value)


def moment_ms(value: datetime) -> int:
    """Milliseconds since epoch of a moment; what is finer is left out."""
    if value.tzinfo is None:
        raise refusal("a time with a zone (name `utc` if it is UTC)", value)
    span = value - _EPOCH
    return span.days * 86_400_000 + span.seconds * 1_000 + span.microseconds // 1_000


def _unix(value: Any, digits: int) -> int:
    """Milliseconds of a count of units of 10^-digits seconds, rounded down."""
    moved = number_of(value).scaleb(3 - digits, _EXACT)
    return int(moved.to_integral_value(ROUND_FLOOR, _EXACT))


def _rfc3339(value: Any, zone: str) -> Any:
    """Write a time the way RFC 3339 has it, with `zone` where the text names none."""
    if isinstance(value, datetime):
        return value if value.tzinfo is not None or not zone else value.replace(tzinfo=UTC)
    found = _moment(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise refusal("a time such as 2024-01-05 00:00:11+00:00", value)
    day, time, utc, hours, minutes = found.groups()
    place = "Z" if utc else f"{hours}:{minutes or '00'}" if hours else zone
    if not place:
        raise refusal("a time with a zone (name `utc` if it is UTC)", value)
    return f"{day}T{time}{place}"


def _scaled(value: Any, places: int, *, allow_float: bool) -> Decimal:
    return number_of(value, allow_float=allow_float).scaleb(-places, _EXACT)


def _absolute(value: Any, *, allow_float: bool) -> Decimal:
    return number_of(value, allow_float=allow_float).copy_abs()


def _rounded(value: Any, places: int, *, allow_float: bool) -> Decimal:
    number = number_of(value, allow_float=allow_float)
    return number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN, _EXACT)


def _hexed(value: Any) -> str:
    """Bytes, or their hexadecimal text with or without a prefix, to `0x` and lower case."""
    if isinstance(value, bytes | bytearray | memoryview):
        return f"0x{bytes(value).hex()}"
    found = _hex(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise refusal("bytes or hexadecimal digits", value)
    return f"0x{found[1].lower()}"


def _lower(value: Any) -> str:
    return as_text(value).lower()


def _upper(value: Any) -> str:
    return as_text(value).upper()


UNIX_DIGITS: Final[Mapping[str, int]] = {"unix_s": 0, "unix_ms": 3, "unix_us": 6, "unix_ns": 9}
"""Conversion -> its numbers count units of 10^-digits seconds."""
PLACES: Final[Mapping[str, int]] = {
    "amount_token": wire.TOKEN_PLACES_MAX,
    "amount_usd": wire.USD_PLACES_MAX,
}
NAMES: Final = (
    "unix_s", "unix_ms", "unix_us", "unix_ns", "rfc3339", "utc", "scale N", "abs", "round", "hex",
    "lower", "upper",
)  # fmt: skip
"""Every conversion a mapping can name."""

_SIMPLE: Final[Mapping[str, Conversion]] = {
    **{name: partial(_unix, digits=digits) for name, digits in UNIX_DIGITS.items()},
    "rfc3339": partial(_rfc3339, zone=""),
    "utc": partial(_rfc3339, zone="Z"),
    "hex": _hexed,
    "lower": _lower,
    "upper": _upper,
}


def conversion(text: str, field: str, *, allow_float: bool) -> Conversion:
    """Find a conversion by its name.

    Args:
        text: the name, with its argument behind a blank.
        field: the wire field it is for.
        allow_float: whether amounts may come as floats.

    Raises:
        SettingsError: there is none of that name, or it does not suit the field.
    """
    name, _, argument = text.partition(" ")
    if name in _SIMPLE and not argument:
        return _SIMPLE[name]
    if field not in PLACES and name in {"scale", "abs", "round"}:
        raise SettingsError(f"Expected {name} with amounts only, was with {field}")
    if name == "scale" and argument.strip().isdecimal() and int(argument) <= SCALE_MAX:
        return partial(_scaled, places=int(argument), allow_float=allow_float)
    if name == "abs" and not argument:
        return partial(_absolute, allow_float=allow_float)
    if name == "round" and not argument:
        return partial(_rounded, places=PLACES[field], allow_float=allow_float)
    raise SettingsError(f"Expected a conversion of {', '.join(NAMES)}, was {text!r}")
