"""Rows of a foreign table to messages of wire v1, as a configuration says.

A rule names what a field is made of: `COLUMN`, or `= text` with `{COLUMN}` in it, and conversions
behind bars: `amount0 | abs | scale 6`, `= binance:BTCUSDT:{trade_id}`, `= 1`. A field without a
rule takes the column of its own name, if there is one.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec

from swapstats.core.backfill_conversions import (
    PLACES,
    SIDES,
    UNIX_DIGITS,
    Conversion,
    Unconvertible,
    as_amount,
    as_boolean,
    as_integer,
    as_side,
    as_text,
    as_time,
    conversion,
)
from swapstats.errors import SettingsError, UsageError
from swapstats.model import wire

INTEGERS: Final = ("schema_version", "chain_id", "log_index", "block_number", "inclusion")
TEXTS: Final = (
    "event_id", "tx_hash", "block_hash", "token_address", "token_symbol", "pool_address", "venue",
    "trader",
)  # fmt: skip
TIMES: Final = ("event_time", "ingested_time")
FIELDS: Final = (*INTEGERS, *TEXTS, "side", "amount_token", "amount_usd", *TIMES, "removed")
"""Every field of wire v1."""
REQUIRED: Final = ("token_address", "side", "amount_token", "event_time")
ID_PARTS: Final = ("chain_id", "tx_hash", "log_index")
COLUMNS_TOLD_MAX: Final = 40

_REASONS: Final = {
    "event_id": "bad_event_id",
    "token_address": "bad_token",
    "side": "bad_side",
    "amount_token": "bad_amount_token",
    "amount_usd": "bad_amount_usd",
    "event_time": "bad_event_time",
    "schema_version": "bad_schema_version",
}
_piece = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]").finditer


class RefusedRow(Exception):
    """A row that cannot become a message.

    Args:
        reason: the reason wire v1 has for it.
        detail: what was expected and what it was.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What a field is made of.

    Attributes:
        field: the field of wire v1.
        column: the column it is; None for a text.
        text: pieces of a text; at odd places, names of columns.
        steps: conversions, in order.
        names: their names.
    """

    field: str
    column: str | None
    text: tuple[str, ...] = ()
    steps: tuple[Conversion, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns it needs."""
        return self.text[1::2] if self.column is None else (self.column,)


@dataclass(frozen=True, slots=True)
class BackfillMapping:
    """Which field is made of what.

    Attributes:
        rules: by field.
        sides: words for the two sides, in lower case.
        allow_float: whether amounts may come as floats.
    """

    rules: Mapping[str, FieldRule]
    sides: Mapping[str, str]
    allow_float: bool

    @classmethod
    def parse(
        cls, columns: Mapping[str, str], sides: Mapping[str, str], *, allow_float: bool
    ) -> "BackfillMapping":
        """Read a mapping.

        Raises:
            SettingsError: an unknown field, conversion or side.
        """
        rules = {}
        for field, text in columns.items():
            if field not in FIELDS:
                raise SettingsError(
                    f"backfill.columns: Expected fields of wire v1, was {field!r}: they are "
                    f"{', '.join(FIELDS)}"
                )
            try:
                rules[field] = _rule(field, text, allow_float=allow_float)
            except SettingsError as error:
                raise SettingsError(f"backfill.columns.{field}: {error}") from error
        for word, side in sides.items():
            if side not in {"buy", "sell"}:
                raise SettingsError(f"backfill.sides.{word}: Expected buy or sell, was {side!r}")
        own = {word.strip().lower(): side for word, side in sides.items()}
        return cls(rules, {**SIDES, **own}, allow_float)

    @property
    def time_rule(self) -> FieldRule:
        """What event_time is made of."""
        return self.rules.get("event_time", FieldRule("event_time", "event_time"))

    @property
    def time_digits(self) -> int | None:
        """A number in the column of event_time counts units of 10^-digits seconds; None: unsure."""
        names = self.time_rule.names
        if len(names) > 1:
            return None
        return UNIX_DIGITS.get(names[0]) if names else UNIX_DIGITS["unix_ms"]

    def bind(self, columns: Sequence[str]) -> "RowWriter":
        """Fit the mapping to a table.

        Raises:
            UsageError: the table lacks a column, or nothing makes a required field.
        """
        rules = dict(self.rules)
        for field in FIELDS:
            if field not in rules and field in columns:
                rules[field] = FieldRule(field, field)
        told = ", ".join(columns[:COLUMNS_TOLD_MAX])
        for field, rule in rules.items():
            for name in rule.columns:
                if name not in columns:
                    raise UsageError(
                        f"backfill.columns.{field}: Expected a column of the table, was {name!r}: "
                        f"it has {told}"
                    )
        missing = [field for field in REQUIRED if field not in rules]
        if "event_id" not in rules and not all(part in rules for part in ID_PARTS):
            missing.append(f"event_id (or all of {', '.join(ID_PARTS)})")
        if missing:
            raise UsageError(
                f"Expected something to make {', '.join(missing)} of, was nothing: name columns "
                f"under backfill.columns; the table has {told}"
            )
        wanted = list(dict.fromkeys(name for rule in rules.values() for name in rule.columns))
        return RowWriter(self, [rules[field] for field in FIELDS if field in rules], wanted)


class RowWriter:
    """Writes rows of one table as messages.

    Args:
        mapping: sides and floats.
        rules: one a field that has something.
        columns: the columns rows come with, in this order.
    """

    def __init__(
        self, mapping: BackfillMapping, rules: Sequence[FieldRule], columns: Sequence[str]
    ) -> None:
        self.columns: tuple[str, ...] = tuple(columns)
        place = {name: index for index, name in enumerate(columns)}
        last = _last_steps(mapping)
        self._fields = [
            (rule.field, _getter(rule, place), (*rule.steps, last[rule.field])) for rule in rules
        ]
        self._has_version = any(rule.field == "schema_version" for rule in rules)
        self._encode = msgspec.json.Encoder().encode

    def write(self, row: Sequence[Any]) -> bytes:
        """Make a message of a row.

        Raises:
            RefusedRow: a value cannot be converted.
        """
        found: dict[str, Any] = {} if self._has_version else {"schema_version": wire.SCHEMA_VERSION}
        for field, get, steps in self._fields:
            try:
                value = get(row)
                for step in steps:
                    if value is None:
                        break
                    value = step(value)
            except Unconvertible as error:
                reason = _REASONS.get(field, "bad_field")
                raise RefusedRow(reason, f"{field}: {error}") from error
            if value is not None:
                found[field] = value
        try:
            return self._encode(found)
        except UnicodeEncodeError as error:
            raise RefusedRow("not_utf8", "Expected UTF-8, was other bytes") from error


def _rule(field: str, text: str, *, allow_float: bool) -> FieldRule:
    head, *names = [part.strip() for part in text.split("|")]
    steps = tuple(conversion(name, field, allow_float=allow_float) for name in names)
    if head.startswith("="):
        return FieldRule(field, None, _pieces(head[1:].strip()), steps, tuple(names))
    if not head:
        raise SettingsError(f"Expected a column, or = and a text, was {text!r}")
    return FieldRule(field, head, (), steps, tuple(names))


def _pieces(text: str) -> tuple[str, ...]:
    """Cut a text at its columns: text, column, text, column, ..., text."""
    pieces, plain, at = [], "", 0
    for found in _piece(text):
        plain += text[at : found.start()]
        at = found.end()
        if found[1] is not None:
            pieces += [plain, found[1].strip()]
            plain = ""
        elif found[0] in {"{{", "}}"}:
            plain += found[0][0]
        else:
            raise SettingsError(
                f"Expected braces around a column (doubled for themselves), was {text!r}"
            )
    return (*pieces, plain + text[at:])


def _getter(rule: FieldRule, place: Mapping[str, int]) -> Callable[[Sequence[Any]], Any]:
    if rule.column is not None:
        index = place[rule.column]
        return lambda row: row[index]
    texts = rule.text[0::2]
    indexes = [place[name] for name in rule.columns]

    def compose(row: Sequence[Any]) -> str | None:
        parts = [texts[0]]
        for index, text in zip(indexes, texts[1:], strict=True):
            value = row[index]
            if value is None:
                return None
            parts += [value if isinstance(value, str) else as_text(value), text]
        return "".join(parts)

    return compose


def _last_steps(mapping: BackfillMapping) -> dict[str, Conversion]:
    """By field, what makes its value of what the conversions left."""
    steps: dict[str, Conversion] = dict.fromkeys(INTEGERS, as_integer)
    steps.update(dict.fromkeys(TEXTS, as_text))
    steps.update(dict.fromkeys(TIMES, as_time))
    for field, places in PLACES.items():
        steps[field] = partial(as_amount, allow_float=mapping.allow_float, places=places)
    steps["side"] = partial(as_side, sides=mapping.sides)
    steps["removed"] = as_boolean
    return steps
