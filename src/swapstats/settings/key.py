"""One key of the configuration: its name, kind, default, bounds, status and documentation.

A key is declared once, as the default of a dataclass field in `stream.py` or `serving.py`;
`table.py` collects the declarations. A key reads raw values and refuses wrong ones; it does not
know where they are from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from swapstats.errors import SettingsError
from swapstats.settings.kinds import SECRET, Kind, Raw

ENV_PREFIX = "SWAPSTATS_"
FILE_SUFFIX = "_file"
"""`<secret key>_file` names a file that holds the secret."""

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30

_SHOWN_MAX = 80
_SHAPES = {"text": "one value", "list": "a list", "map": "a map"}


class Status(Enum):
    """What becomes of a key that somebody sets."""

    HONOURED = "honoured"
    NOT_YET = "not yet"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Row:
    """What a field of a section declares about its key.

    Attributes:
        name: the key's name inside its section.
        kind: how values are read and written.
        default: the default as people write it.
        doc: one line of documentation.
        status: whether the key is honoured.
        instead: what happens instead (not yet), or what took its place (superseded).
        low: lowest value in the unit of the kind, or lowest count of a list or map.
        high: highest value, likewise.
        words: special words with the value each stands for.
        env: a second, short name of the environment variable, or empty.
        flag: name of the command line flag, if another than the dotted name with dashes.
        unit: unit of the value in the program, or empty.
    """

    name: str
    kind: Kind
    default: Raw
    doc: str
    status: Status
    instead: str
    low: int | None
    high: int | None
    words: Mapping[str, Any]
    env: str
    flag: str
    unit: str


@dataclass(frozen=True, slots=True)
class Key:
    """A row with its place in the tree.

    Attributes:
        dotted: full name, such as `app.grace`.
        attributes: names of the fields that lead to its value, such as `("app", "grace_ms")`.
        row: the declaration.
    """

    dotted: str
    attributes: tuple[str, ...]
    row: Row

    @property
    def env_names(self) -> tuple[str, ...]:
        """Environment variables that set it; the short one, if any, last."""
        full = ENV_PREFIX + self.dotted.replace(".", "_").upper()
        return (full, self.row.env) if self.row.env else (full,)

    @property
    def flag(self) -> str:
        """The command line flag, such as `--app-grace`."""
        return self.row.flag or "--" + self.dotted.replace(".", "-").replace("_", "-")

    @property
    def is_secret(self) -> bool:
        """Whether its value must never be shown."""
        return self.row.kind is SECRET

    def read(self, raw: Raw) -> Any:
        """Read a raw value.

        Raises:
            SettingsError: it is not of the key's kind or out of bounds; says "Expected X, was Y".
        """
        row = self.row
        shape = "text" if isinstance(raw, str) else "map" if isinstance(raw, Mapping) else "list"
        if shape != row.kind.shape:
            raise SettingsError(f"Expected {self.expected}, was {_SHAPES[shape]}")
        if isinstance(raw, str) and raw in row.words:
            return row.words[raw]
        try:
            value = row.kind.read(raw)
        except ValueError as error:
            raise SettingsError(f"Expected {self.expected}, was {_shown(raw)}") from error
        measure = value if isinstance(value, int | float) else None
        if shape != "text":
            measure = len(value)
        if measure is not None and (
            (row.low is not None and measure < row.low)
            or (row.high is not None and measure > row.high)
        ):
            raise SettingsError(f"Expected {self.expected}, was {_shown(raw)}")
        return value

    def write(self, value: Any) -> Raw:
        """Write a value so that `read` gives it back: the inverse of `read`."""
        for word, meaning in self.row.words.items():
            if value == meaning:
                return word
        return self.row.kind.write(value)

    @property
    def expected(self) -> str:
        """What a value of this key looks like, with its bounds."""
        row = self.row
        said = row.kind.expected
        if row.low is not None and row.high is not None:
            if row.kind.shape == "text":
                said += f" from {row.kind.write(row.low)} to {row.kind.write(row.high)}"
            else:
                said += f" with {row.low} to {row.high} entries"
        return said + "".join(f", or {word}" for word in row.words)


def _shown(raw: Raw) -> str:
    if isinstance(raw, str):
        shown = repr(raw)
    elif isinstance(raw, Mapping):
        shown = repr(dict(raw))
    else:
        shown = repr(",".join(raw))
    return shown if len(shown) <= _SHOWN_MAX else f"{shown[:_SHOWN_MAX]}..."


def key(
    name: str,
    kind: Kind,
    default: Raw,
    doc: str,
    *,
    bounds: tuple[int, int] | None = None,
    words: Mapping[str, Any] | None = None,
    not_yet: str = "",
    superseded: str = "",
    env: str = "",
    flag: str = "",
    unit: str = "",
) -> Any:
    """Declare a key as the default of a dataclass field.

    Args:
        name: the key's name inside its section.
        kind: how values are read and written.
        default: the default as people write it.
        doc: one line of documentation.
        bounds: lowest and highest value in the unit of the kind, or count of a list or map.
        words: special words with the value each stands for.
        not_yet: what happens instead, if the key is not built yet.
        superseded: what took the key's place, if it has no effect any more.
        env: a second, short environment variable.
        flag: the flag, if another than the dotted name with dashes.
        unit: what a plain number counts.

    Returns:
        A dataclass field; typed Any so that it can stand as the default of a field of any type.
    """
    status = Status.NOT_YET if not_yet else Status.SUPERSEDED if superseded else Status.HONOURED
    low, high = bounds or (None, None)
    row = Row(
        name=name,
        kind=kind,
        default=default,
        doc=doc,
        status=status,
        instead=not_yet or superseded,
        low=low,
        high=high,
        words=words or {},
        env=env,
        flag=flag,
        unit=unit or kind.unit,
    )
    value = Key(name, (name,), row).read(default)
    return field(default_factory=lambda: value, metadata={"row": row})
