"""The kinds of values a key can hold: how each is read from text and written back.

A value comes in as raw text, a list of texts or a map of texts, whatever the place it was written
in. A kind reads it into what the program uses (spans become integer milliseconds, sizes integer
bytes) and writes it back so that reading it again gives the same value. Nothing here knows a key.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any

from swapstats.errors import SettingsError
from swapstats.model.window import format_span, parse_span

Raw = str | tuple[str, ...] | Mapping[str, str]
"""A value as it was written: text, a list of texts, or a map of texts."""

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")
_SIZE = re.compile(r"([0-9]{1,18})(?:e([0-9]{1,2}))?([kKMGT]?i?B?)", re.ASCII)
_SIZE_UNITS = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}
_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})


class Secret:
    """A text that is never printed: `str`, `repr` and formats show stars only."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __repr__(self) -> str:
        return "***" if self._text else ""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens.

    Attributes:
        host: name or IP address; empty means every interface.
        port: TCP port; 0 lets the system choose a free one.
    """

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value.

    Attributes:
        name: what the documentation calls it.
        expected: completes "Expected ..." in an error message.
        shape: `text`, `list` or `map`: what `read` takes and `write` returns.
        unit: unit of the value in the program, or empty.
        read: reads a raw value of the right shape; raises ValueError if it is not of this kind.
        write: the inverse of `read`.
    """

    name: str
    expected: str
    shape: str
    unit: str
    read: Callable[[Any], Any]
    write: Callable[[Any], Raw]


def _span(text: str) -> int:
    try:
        return parse_span(text)
    except SettingsError as error:
        raise ValueError(text) from error


def _integer(text: str) -> int:
    digits = text.replace("_", "") if re.fullmatch(r"-?[0-9]+(_[0-9]+)*", text) else text
    if not _INTEGER.fullmatch(digits):
        raise ValueError(text)
    return int(digits)


def _span_ms(text: str) -> int:
    try:
        return _integer(text)
    except ValueError:
        return _span(text)


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return float(text)


def _write_number(number: float) -> str:
    return f"{number:.9f}".rstrip("0").rstrip(".")


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text.replace(" ", "").replace("_", ""))
    if found is None or found[3] not in _SIZE_UNITS or int(found[2] or 0) > 15:
        raise ValueError(text)
    size_bytes: int = int(found[1]) * 10 ** int(found[2] or 0) * _SIZE_UNITS[found[3]]
    return size_bytes


def format_size(size_bytes: int) -> str:
    """Write a size in the largest binary unit that divides it.

    >>> format_size(512 * 1024 * 1024), format_size(1000)
    ('512MiB', '1000B')
    """
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size_bytes and size_bytes % _SIZE_UNITS[unit] == 0:
            return f"{size_bytes // _SIZE_UNITS[unit]}{unit}"
    return f"{size_bytes}B"


def _boolean(text: str) -> bool:
    word = text.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(text)
    return word in _TRUE


def _write_boolean(flag: bool) -> str:
    return "true" if flag else "false"


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = str(ip_address(host[1:-1]))
    elif not re.fullmatch(r"[A-Za-z0-9._-]*", host):
        raise ValueError(text)
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65_535:
        raise ValueError(text)
    return Address(host, int(port))


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError(text)
    return text


def _texts(items: tuple[str, ...]) -> tuple[str, ...]:
    for item in items:
        _filled(item)
    return items


def _pairs(pairs: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in pairs.items():
        _filled(name)
        _filled(value)
    return MappingProxyType(dict(pairs))


_HIDDEN_PROPERTY = re.compile(r".*(password|secret|\.pem|oauthbearer\.config)", re.IGNORECASE)


def _open_pairs(pairs: Mapping[str, str]) -> Mapping[str, str]:
    """Read a map whose values are shown; one that must not be seen is not quoted either."""
    hidden = sorted(name for name in pairs if _HIDDEN_PROPERTY.fullmatch(name))
    if hidden:
        raise SettingsError(
            f"Expected only properties that anyone may see, was {', '.join(hidden)} among them: "
            f"give secret ones as `ingest.secret_properties`, best by file"
        )
    return _pairs(pairs)


TEXT = Kind("text", "a text", "text", "", str, str)
SECRET = Kind("secret", "a text", "text", "", Secret, Secret.reveal)
INTEGER = Kind("int", "a whole number", "text", "", _integer, str)
NUMBER = Kind("number", "a number such as 50 or 0.5", "text", "", _number, _write_number)
BOOLEAN = Kind("bool", "true or false", "text", "", _boolean, _write_boolean)
SPAN = Kind("span", "a span such as 120s, 5m or 250ms", "text", "ms", _span, format_span)
SPAN_MS = Kind("ms", "milliseconds such as 100", "text", "ms", _span_ms, str)
SIZE = Kind("size", "a size such as 512MiB or 65536", "text", "bytes", _size, format_size)
ADDRESS = Kind("address", "an address such as 127.0.0.1:8080", "text", "", _address, str)
LIST = Kind("list", "a list such as a,b", "list", "", _texts, tuple)
SPANS = Kind(
    "spans",
    "a list of spans such as 5m,1h,24h",
    "list",
    "ms",
    lambda items: tuple(_span(item) for item in items),
    lambda spans: tuple(format_span(span_ms) for span_ms in spans),
)
MAP = Kind("map", "a map such as USDC=1:0xa0b8,WETH=1:0xc02a", "map", "", _pairs, dict)
PROPERTIES = Kind(
    "properties",
    "a map such as security.protocol=SASL_SSL,sasl.mechanism=PLAIN",
    "map",
    "",
    _open_pairs,
    dict,
)
"""A map whose names may have dots, and whose values are shown: names of secrets are refused."""


def choice(*words: str) -> Kind:
    """Make the kind of a key that takes one of a few words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return Kind("one of", f"one of {', '.join(words)}", "text", "", read, str)


def switchable(default: Address, *, host: str = "") -> Kind:
    """Make the kind of an address that may also be `false` (off, None) or `true` (the default).

    Args:
        default: what `true` stands for.
        host: what an address without a host gets; empty = every interface.
    """

    def read(text: str) -> Address | None:
        if text.lower() in _TRUE | _FALSE:
            return default if _boolean(text) else None
        address = _address(text)
        return Address(address.host or host, address.port)

    def write(address: Address | None) -> str:
        return "false" if address is None else str(address)

    return Kind("address", f"an address such as {default}, true or false", "text", "", read, write)
