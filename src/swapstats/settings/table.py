"""All keys in one place: `KEYS`, found by name, with the nearest name for a wrong one.

The declarations are in `stream.py`, `sources.py`, `preprocess.py`, `backfill.py`, `serving.py` and
`servers.py`; this file only walks them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from difflib import SequenceMatcher
from types import MappingProxyType
from typing import Any

from swapstats.settings.key import FILE_SUFFIX, Key, Row
from swapstats.settings.tree import Settings

RESERVED_ENV: Mapping[str, str] = MappingProxyType(
    {
        "SWAPSTATS_CONFIG": "path of the YAML file, if no flag names one",
        "SWAPSTATS_ARCHIVE_S3_KEY_ID": "key id of the archive's cold disk, read by its engine",
        "SWAPSTATS_ARCHIVE_S3_SECRET": "secret key of that disk",
        "SWAPSTATS_DATA": "directory of recorded data sets that the tests and benchmarks read",
    }
)
"""Variables that begin like settings and are none, with what they are for."""


def _walk(section: type, dotted: str, attributes: tuple[str, ...]) -> Iterator[Key]:
    for member in fields(section):
        path = (*attributes, member.name)
        row = member.metadata.get("row")
        if isinstance(row, Row):
            yield Key(f"{dotted}{row.name}", path, row)
        elif isinstance(member.type, type) and is_dataclass(member.type):
            yield from _walk(member.type, f"{dotted}{member.name}.", path)


KEYS: Mapping[str, Key] = MappingProxyType({key.dotted: key for key in _walk(Settings, "", ())})
"""Every key by dotted name, in the order of the documentation."""

SECTIONS = frozenset(
    dotted[:index] for dotted in KEYS for index in range(len(dotted)) if dotted[index] == "."
)
"""Dotted names of all sections."""


def secret_of(dotted: str) -> Key | None:
    """Return the secret key that `dotted` names a file for, if it does."""
    secret = KEYS.get(dotted.removesuffix(FILE_SUFFIX)) if dotted.endswith(FILE_SUFFIX) else None
    return secret if secret is not None and secret.is_secret else None


def nearest(unknown: str, known: Iterable[str]) -> str:
    """Return the known dotted name most like an unknown one, whatever section it was put in."""

    def likeness(candidate: str) -> float:
        last = candidate.rpartition(".")[2]
        return max(
            _ratio(unknown, candidate),
            0.95 * _ratio(unknown.rpartition(".")[2], last),
            0.95 * _ratio(unknown.replace(".", "_"), last),
        )

    return max(known, key=likeness)


def _ratio(left: str, right: str) -> float:
    return SequenceMatcher(None, left.lower(), right.lower(), autojunk=False).ratio()


def value_of(settings: Settings, key: Key) -> Any:
    """Return the effective value of a key."""
    value: Any = settings
    for name in key.attributes:
        value = getattr(value, name)
    return value


def build(values: Mapping[str, Any]) -> Settings:
    """Build the tree from values by dotted name; keys without one keep their default."""
    settings: Settings = _build(Settings, "", values)
    return settings


def _build(section: Any, dotted: str, values: Mapping[str, Any]) -> Any:
    given: dict[str, Any] = {}
    for member in fields(section):
        row = member.metadata.get("row")
        if isinstance(row, Row):
            if f"{dotted}{row.name}" in values:
                given[member.name] = values[f"{dotted}{row.name}"]
        elif is_dataclass(member.type):
            given[member.name] = _build(member.type, f"{dotted}{member.name}.", values)
    return section(**given)
