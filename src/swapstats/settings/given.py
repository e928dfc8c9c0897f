"""What people set in environment variables and flags, as raw values with their origin.

It turns names into keys and texts into the raw shape a key takes, and refuses names it does not
know. What the values mean is `key.py`; the YAML file is `yaml_file.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import yaml

from swapstats.errors import SettingsError
from swapstats.settings.key import ENV_PREFIX, FILE_SUFFIX, Key
from swapstats.settings.kinds import SPAN, Raw
from swapstats.settings.table import KEYS, RESERVED_ENV, nearest, secret_of

FlagValue = str | int | float | bool | Path | Sequence[str] | Mapping[str, str] | None
"""What a flag may hold; None = not given. Integers of a span are milliseconds, of a size bytes."""

SECRET_BYTES_MAX = 64 << 10
_STANDARD_TAGS = "tag:yaml.org,2002:"
_NULL_TAG = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class Given:
    """One key that somebody set.

    Attributes:
        key: the key.
        raw: its value as it was written.
        where: where it was written: `config.yaml:12`, `env WINDOWS` or `flag --windows`.
    """

    key: Key
    raw: Raw
    where: str


def raw_of_node(key: Key, node: yaml.Node) -> Raw | None:
    """Take a raw value out of a YAML node; None if it is empty (null).

    Raises:
        SettingsError: nested too deep, a map with one name twice, or an unknown tag.
    """
    if isinstance(node, yaml.ScalarNode):
        text = _scalar(key, node)
        return None if text is None else raw_of_text(key, text, flow=False)
    if isinstance(node, yaml.SequenceNode):
        return tuple(_scalar(key, item) or "" for item in node.value)
    pairs: dict[str, str] = {}
    for name_node, value_node in node.value:
        name = _scalar(key, name_node) or ""
        if name in pairs:
            raise SettingsError(f"Expected each name of the map once, was {name!r} twice")
        pairs[name] = _scalar(key, value_node) or ""
    return pairs


def _scalar(key: Key, node: yaml.Node) -> str | None:
    if not isinstance(node, yaml.ScalarNode):
        raise SettingsError(f"Expected {key.expected}, was a nested list or map")
    if not node.tag.startswith(_STANDARD_TAGS):
        raise SettingsError(f"Expected {key.expected}, was a value with the tag {node.tag}")
    return None if node.tag == _NULL_TAG else str(node.value)


def raw_of_text(key: Key, text: str, *, flow: bool = True) -> Raw:
    """Split a text into the shape its key takes: `a,b` for a list, `a=1,b=2` for a map.

    Args:
        key: the key.
        text: the text.
        flow: whether `[a, b]` and `{a: 1}` are read as YAML.

    Raises:
        SettingsError: the text cannot be split so.
    """
    shape = key.row.kind.shape
    if shape == "text":
        return text
    if flow and text.lstrip()[:1] in ("[", "{"):
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except (yaml.YAMLError, RecursionError) as error:
            raise SettingsError(f"Expected {key.expected}, was broken YAML") from error
        raw = None if node is None else raw_of_node(key, node)
        return text if raw is None else raw
    items = tuple(item.strip() for item in text.split(",")) if text.strip() else ()
    if shape == "list":
        return items
    pairs: dict[str, str] = {}
    for item in items:
        name, equals, value = (part.strip() for part in item.partition("="))
        if not equals or name in pairs:
            raise SettingsError(f"Expected {key.expected}, was {item!r} in it")
        pairs[name] = value
    return pairs


def read_secret_file(path: str) -> str:
    """Read a secret from a file, without the line end at its end.

    Raises:
        SettingsError: the file cannot be read or is too large.
    """
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(SECRET_BYTES_MAX + 1)
        if len(content) > SECRET_BYTES_MAX:
            raise SettingsError(
                f"Expected a secret of at most {SECRET_BYTES_MAX} bytes, was a larger file"
            )
        return content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        # the error would carry the bytes of the secret along
        raise SettingsError("Expected a secret in UTF-8, was other bytes") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise SettingsError(f"Expected a readable file, was {path!r}: {reason}") from error


def read_environment(environ: Mapping[str, str], problems: list[str]) -> list[Given]:
    """Read every environment variable that sets a key; an empty one counts as not set."""
    by_name = {name: key for key in KEYS.values() for name in key.env_names}
    secrets = {
        name + FILE_SUFFIX.upper(): key
        for key in KEYS.values()
        if key.is_secret
        for name in key.env_names
    }
    found = []
    for name in sorted(environ):
        text, where = environ[name], f"env {name}"
        if not text or name in RESERVED_ENV:
            continue
        try:
            if name in by_name:
                found.append(Given(by_name[name], raw_of_text(by_name[name], text), where))
            elif name in secrets:
                found.append(Given(secrets[name], read_secret_file(text), where))
            elif name.startswith(ENV_PREFIX):
                known = [*by_name, *secrets, *RESERVED_ENV]
                near = get_close_matches(name, known, n=1, cutoff=0.0)[0]
                problems.append(f"{where}: Expected a known variable, was {name}. Nearest: {near}.")
        except SettingsError as error:
            key = by_name.get(name) or secrets[name]
            problems.append(f"{key.dotted} ({where}): {error}.")
    return found


def read_flags(flags: Mapping[str, FlagValue], problems: list[str]) -> list[Given]:
    """Read flags, given by dotted key; None counts as not given."""
    found = []
    for dotted, value in flags.items():
        key = KEYS.get(dotted)
        secret = secret_of(dotted)
        if key is None and secret is None:
            near = nearest(dotted, KEYS)
            problems.append(f"flag: Expected a known key, was {dotted}. Nearest: {near}.")
            continue
        if value is None:
            continue
        target = key or secret
        assert target is not None
        where = f"flag {target.flag}{'' if key else FILE_SUFFIX.replace('_', '-')}"
        try:
            raw = _raw_of_value(target, value) if key else read_secret_file(str(value))
            found.append(Given(target, raw, where))
        except SettingsError as error:
            problems.append(f"{target.dotted} ({where}): {error}.")
    return found


def _raw_of_value(key: Key, value: FlagValue) -> Raw:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and key.row.kind is SPAN:
        return f"{value}ms"
    if isinstance(value, str):
        return raw_of_text(key, value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return tuple(value)
    return str(value)
