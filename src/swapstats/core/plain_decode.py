"""The decoder of one wire v1 message, written to be read: each rule of the contract once.

It is the slow path of the batch decoder, the decoder of `explain`, and the reference the fast
one is tested against. It never sees more than one message, never passes a number through a
float, and its verdict depends on nothing but its arguments: a replay decides the same.

Order of the checks when several rules are broken: size, UTF-8, JSON, `schema_version`, required
fields present, each field in the order of the contract's table, and last `too_far_ahead`.
"""

import json
import re
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, NoReturn

from swapstats.model import wire
from swapstats.model.stats import TOKEN_SCALE_DIGITS, USD_SCALE_DIGITS

NESTING_MAX: Final = 128
"""Bound on how deep arrays and objects may nest. A fixed number, because the parser's own bound
depends on the caller's stack, and a replay must decide the same."""
TIME_MS_LIMIT: Final = 1 << 62
"""Every event_time is below it; an integer beyond it is read as it (or as its negative)."""
USD_AS_WRITTEN_DIGITS_MAX: Final = 20
"""Bound on digits before the point of `amount_usd` as written, leading zeros included."""

Side = Literal["buy", "sell"]

_SHOWN_CHARS_MAX: Final = 80
_INTEGER_DIGITS_MAX: Final = len(str(wire.INTEGER_MAX))
_USD_MICROS_LIMIT: Final = 10 ** (wire.USD_WHOLE_DIGITS_MAX + USD_SCALE_DIGITS)
_REQUIRED: Final = ("schema_version", "token_address", "side", "amount_token", "event_time")
_ID_PARTS: Final = ("chain_id", "tx_hash", "log_index")
_DAYS_TO_EPOCH: Final = date(1970, 1, 1).toordinal()
_DAYS_IN_400_YEARS: Final = 146_097

_decimal = re.compile(r"([0-9]+)(?:\.([0-9]+))?").fullmatch
_rfc3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
).fullmatch
_string_or_bracket = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL).finditer
_escape = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a whole pair
    r"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"  # half a pair
    r"|\\.",
    re.DOTALL,
).finditer


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """One well-formed message.

    Attributes:
        event_id: as given, or composed `<chain_id>:<tx_hash>:<log_index>`.
        chain_id, tx_hash, log_index, block_number, block_hash: place on chain, each or None.
        inclusion: which inclusion of the event.
        token_address: as given.
        token_key: `<chain_id>:<token_address>`, or `token_address` without a chain.
        token_symbol, pool_address, venue, trader: labels, each or None.
        side: the trader's view of the token.
        amount_token: scaled by 10^18.
        amount_usd: micro-dollars, or None: no trustworthy price.
        event_ms: block or exchange time, ms since epoch.
        ingested_ms: ms since epoch, held within +-TIME_MS_LIMIT, or None.
        removed: this inclusion left the canonical chain.
    """

    event_id: str
    chain_id: int | None
    tx_hash: str | None
    log_index: int | None
    block_number: int | None
    block_hash: str | None
    inclusion: int
    token_address: str
    token_key: str
    token_symbol: str | None
    pool_address: str | None
    venue: str | None
    trader: str | None
    side: Side
    amount_token: int
    amount_usd: int | None
    event_ms: int
    ingested_ms: int | None
    removed: bool

    @property
    def content(self) -> tuple[str, str, int, int | None, int]:
        """What a duplicate or a removal must repeat bit for bit."""
        return (self.token_key, self.side, self.amount_token, self.amount_usd, self.event_ms)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message is a dead letter.

    Attributes:
        reason: one of `model.wire.REASONS`.
        detail: "Expected X, was Y", short whatever the message holds.
    """

    reason: str
    detail: str


class _IntegerText(str):  # a JSON number without fraction and exponent, as written
    __slots__ = ()


class _FractionText(str):  # a JSON number with fraction or exponent, as written
    __slots__ = ()


class _Refused(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def decode_message(message: bytes, append_ms: int, max_ahead_ms: int | None) -> Swap | Refusal:
    """Decode one message of wire v1, or say why it breaks the contract.

    Args:
        message: the original bytes.
        append_ms: when the log took it, ms since epoch.
        max_ahead_ms: how far event_time may lie after `append_ms`; None = no such bound.
    """
    try:
        return _swap(_fields(message), append_ms, max_ahead_ms)
    except _Refused as refused:
        return Refusal(refused.reason, refused.detail)


def _refuse_constant(name: str) -> NoReturn:
    raise _Refused("malformed_json", f"Expected JSON, was the constant {name} that JSON lacks")


_parse_json = json.JSONDecoder(
    parse_int=_IntegerText, parse_float=_FractionText, parse_constant=_refuse_constant
).decode


def _fields(message: bytes) -> dict[str, object]:
    """Parse one JSON object, numbers kept as text; the last of equal keys wins."""
    if len(message) > wire.MESSAGE_BYTES_MAX:
        detail = f"Expected at most {wire.MESSAGE_BYTES_MAX} bytes, was {len(message)}"
        raise _Refused("too_large", detail)
    try:
        text = message.decode("utf-8")
    except UnicodeDecodeError as error:
        detail = f"Expected UTF-8, was broken at byte {error.start}: {error.reason}"
        raise _Refused("not_utf8", detail) from None
    if text.count("[") + text.count("{") > NESTING_MAX:
        _check_nesting(text)
    try:
        value = _parse_json(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise _Refused("malformed_json", f"Expected JSON, was broken: {error}") from None
    if "\\u" in text:
        _check_surrogates(text)
    if type(value) is not dict:
        raise _Refused("malformed_json", f"Expected a JSON object, was {_shown(value)}")
    return value


def _check_nesting(text: str) -> None:
    depth = 0
    for token in _string_or_bracket(text):
        if token[0] in "[{":
            depth += 1
            if depth > NESTING_MAX:
                raise _Refused(
                    "malformed_json", f"Expected at most {NESTING_MAX} nested levels, was more"
                )
        elif token[0] in "]}":
            depth -= 1


def _check_surrogates(text: str) -> None:
    """Refuse half a surrogate pair, anywhere: it has no UTF-8 form. `text` is valid JSON."""
    for escape in _escape(text):
        if escape[1]:
            raise _Refused("malformed_json", f"Expected a surrogate pair, was {escape[1]} alone")


def _swap(fields: dict[str, object], append_ms: int, max_ahead_ms: int | None) -> Swap:
    """Check and read every field; the order of the lines is the order of the checks."""
    _check_presence(fields)
    event_id = None
    if fields.get("event_id") is not None:
        event_id = _identity(fields["event_id"], "event_id", "bad_event_id")
    chain_id = _integer(fields, "chain_id")
    tx_hash = _label(fields, "tx_hash")
    log_index = _integer(fields, "log_index")
    if event_id is None:
        composed = f"{chain_id}:{tx_hash}:{log_index}"
        event_id = _identity(composed, "chain_id:tx_hash:log_index", "bad_event_id")
    swap = Swap(
        event_id=event_id,
        chain_id=chain_id,
        tx_hash=tx_hash,
        log_index=log_index,
        block_number=_integer(fields, "block_number"),
        block_hash=_label(fields, "block_hash"),
        inclusion=_integer(fields, "inclusion") or 0,
        token_address=(address := _identity(fields["token_address"], "token_address", "bad_token")),
        token_key=address if chain_id is None else f"{chain_id}:{address}",
        token_symbol=_label(fields, "token_symbol"),
        pool_address=_label(fields, "pool_address"),
        venue=_label(fields, "venue"),
        trader=_label(fields, "trader"),
        side=_side(fields["side"]),
        amount_token=_amount_token(fields["amount_token"]),
        amount_usd=_amount_usd(fields.get("amount_usd")),
        event_ms=_event_ms(fields["event_time"]),
        ingested_ms=_ingested_ms(fields.get("ingested_time")),
        removed=_removed(fields.get("removed")),
    )
    newest_ms = TIME_MS_LIMIT - 1
    if max_ahead_ms is not None:
        newest_ms = min(newest_ms, append_ms + max_ahead_ms)
    if swap.event_ms > newest_ms:
        raise _Refused(
            "too_far_ahead", f"Expected event_time at or before {newest_ms}, was {swap.event_ms}"
        )
    return swap


def _check_presence(fields: dict[str, object]) -> None:
    """Check the version, then that every required field is there and not null."""
    version = fields.get("schema_version")
    if version is not None and (
        type(version) is not _IntegerText or version != str(wire.SCHEMA_VERSION)
    ):
        raise _Refused(
            "bad_schema_version",
            f"Expected schema_version {wire.SCHEMA_VERSION}, was {_shown(version)}",
        )
    for name in _REQUIRED:
        if fields.get(name) is None:
            raise _Refused("missing_field", f"Expected the field {name}, was absent or null")
    if fields.get("event_id") is None:
        for name in _ID_PARTS:
            part = fields.get(name)
            if part is None or (name == "tx_hash" and part == ""):
                raise _Refused(
                    "missing_field",
                    f"Expected event_id or all of chain_id, tx_hash and log_index, "
                    f"was no event_id and no {name}",
                )


def _identity(value: object, name: str, reason: str) -> str:
    """Read a text of 1 to TEXT_BYTES_MAX bytes of UTF-8."""
    if type(value) is str and 0 < len(value.encode()) <= wire.TEXT_BYTES_MAX:
        return value
    raise _Refused(
        reason,
        f"Expected {name} as a text of 1 to {wire.TEXT_BYTES_MAX} bytes, was {_shown(value)}",
    )


def _integer(fields: dict[str, object], name: str) -> int | None:
    """Read an optional integer of 0 to INTEGER_MAX; `-0` is the integer 0."""
    value = fields.get(name)
    if value is None:
        return None
    if type(value) is _IntegerText and len(value) <= _INTEGER_DIGITS_MAX:
        number = int(value)
        if 0 <= number <= wire.INTEGER_MAX:
            return number
    raise _Refused(
        "bad_field",
        f"Expected {name} as an integer of 0 to {wire.INTEGER_MAX}, was {_shown(value)}",
    )


def _label(fields: dict[str, object], name: str) -> str | None:
    value = fields.get(name)
    if value is None or type(value) is str:
        return value
    raise _Refused("bad_field", f"Expected {name} as a text, was {_shown(value)}")


def _side(value: object) -> Side:
    if value == "buy":
        return "buy"
    if value == "sell":
        return "sell"
    raise _Refused("bad_side", f"Expected side buy or sell, was {_shown(value)}")


def _scaled(value: object, whole_max: int, places_max: int, scale: int) -> int | None:
    """Read a plain decimal, given as text or as a number, times 10^scale; None if it is none."""
    match = _decimal(value) if isinstance(value, str) else None
    if match is None or len(match[1]) > whole_max or len(match[2] or "") > places_max:
        return None
    return int(match[1] + (match[2] or "").ljust(scale, "0"))


def _amount_token(value: object) -> int:
    amount = _scaled(value, wire.TOKEN_WHOLE_DIGITS_MAX, wire.TOKEN_PLACES_MAX, TOKEN_SCALE_DIGITS)
    if amount is None:
        raise _Refused(
            "bad_amount_token",
            f"Expected amount_token as plain digits, {wire.TOKEN_WHOLE_DIGITS_MAX} before and "
            f"{wire.TOKEN_PLACES_MAX} after the point at most, was {_shown(value)}",
        )
    return amount


def _amount_usd(value: object) -> int | None:
    if value is None:
        return None
    amount = _scaled(value, USD_AS_WRITTEN_DIGITS_MAX, wire.USD_PLACES_MAX, USD_SCALE_DIGITS)
    if amount is None or amount >= _USD_MICROS_LIMIT:
        raise _Refused(
            "bad_amount_usd",
            f"Expected amount_usd as plain digits, below 10^{wire.USD_WHOLE_DIGITS_MAX}, "
            f"{wire.USD_PLACES_MAX} after the point at most, was {_shown(value)}",
        )
    return amount


def time_ms(value: object) -> int | None:
    """Read ms since epoch from a JSON integer's text or an RFC 3339 text with zone.

    Digits after the millisecond are cut off. Returns None for what is no time: a text of
    digits, a number with fraction or exponent, a time without zone, second 60, 30 February.

    >>> time_ms("2024-01-05T01:00:00.1239+01:00"), time_ms("1704412800123")
    (1704412800123, None)
    """
    if type(value) is _IntegerText:
        if len(value.lstrip("-")) > _INTEGER_DIGITS_MAX:
            return -TIME_MS_LIMIT if value[0] == "-" else TIME_MS_LIMIT
        return max(-TIME_MS_LIMIT, min(int(value), TIME_MS_LIMIT))
    match = _rfc3339(value) if type(value) is str else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(group) for group in match.group(*range(1, 7)))
    fraction, sign, zone_hour, zone_minute = match.group(7, 8, 9, 10)
    offset_hour, offset_minute = int(zone_hour or 0), int(zone_minute or 0)
    if hour > 23 or minute > 59 or second > 59 or offset_hour > 23 or offset_minute > 59:
        return None
    try:  # `date` lacks the year 0; the calendar repeats every 400 years
        days = date(2000 + year % 400, month, day).toordinal()
    except ValueError:
        return None
    days += (year // 400 - 5) * _DAYS_IN_400_YEARS - _DAYS_TO_EPOCH
    offset_minutes = (offset_hour * 60 + offset_minute) * (-1 if sign == "-" else 1)
    minutes = (days * 24 + hour) * 60 + minute - offset_minutes
    return (minutes * 60 + second) * 1_000 + int(((fraction or "") + "000")[:3])


def _event_ms(value: object) -> int:
    event_ms = time_ms(value)
    if event_ms is None or event_ms < wire.EVENT_MS_MIN:
        raise _Refused(
            "bad_event_time",
            f"Expected event_time as integer ms or RFC 3339 with zone, "
            f"at or after {wire.EVENT_MS_MIN} (2009-01-03), was {_shown(value)}",
        )
    return event_ms


def _ingested_ms(value: object) -> int | None:
    if value is None:
        return None
    ingested_ms = time_ms(value)
    if ingested_ms is None:
        raise _Refused(
            "bad_field",
            f"Expected ingested_time as integer ms or RFC 3339 with zone, was {_shown(value)}",
        )
    return ingested_ms


def _removed(value: object) -> bool:
    if value is None or value is False or value is True:
        return value is True
    raise _Refused("bad_field", f"Expected removed as true or false, was {_shown(value)}")


def _shown(value: object) -> str:
    """Show a JSON value in few characters, whatever it holds."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = repr(value[:_SHOWN_CHARS_MAX]) if type(value) is str else value[:_SHOWN_CHARS_MAX]
        cut = len(value) > _SHOWN_CHARS_MAX
        return f"{text}... of {len(value)} characters" if cut else text
    return "a list" if isinstance(value, list) else "an object"
