"""The YAML file: raw values with their lines.

It reads the nodes of the file, not the values YAML would make of them, so that every value is the
text its author wrote, has a line, and a name that occurs twice is seen. No tag makes an object.
"""

from collections.abc import Iterator
from pathlib import Path

import yaml

from swapstats.errors import SettingsError
from swapstats.settings.given import Given, raw_of_node, read_secret_file
from swapstats.settings.table import KEYS, SECTIONS, nearest, secret_of

FILE_BYTES_MAX = 1 << 20
_MAPS = sorted(
    {*SECTIONS, *(dotted for dotted, key in KEYS.items() if key.row.kind.shape == "map")}
)


def read_yaml(path: Path, problems: list[str]) -> list[Given]:
    """Read the file; what is wrong with single keys is added to `problems`.

    Raises:
        SettingsError: the file cannot be read or is not YAML.
    """
    root = _compose(path, _text_of(path))
    if root is None or (isinstance(root, yaml.ScalarNode) and root.tag.endswith(":null")):
        return []
    if not isinstance(root, yaml.MappingNode):
        raise SettingsError(
            f"{path}:1: Expected sections such as `app:`, was another YAML value. "
            f"See config.example.yaml."
        )
    return list(_Reading(path, problems).section(root, ""))


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise SettingsError(
            f"Expected a readable configuration file, was {str(path)!r}: {error.strerror}. "
            f"Correct the path or its permissions."
        ) from error
    if len(content) > FILE_BYTES_MAX:
        raise SettingsError(f"{path}: Expected at most {FILE_BYTES_MAX} bytes, was a larger file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SettingsError(f"{path}:{line}: Expected UTF-8, was another encoding") from None


def _compose(path: Path, text: str) -> yaml.Node | None:
    # Only the place and the sort of the problem are told: PyYAML's own text quotes the line, and
    # the line may hold a secret.
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise SettingsError(
            f"{place}: Expected YAML, was a line that cannot be read ({error.problem})"
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SettingsError(f"{path}:{line}: Expected YAML, was an unprintable character") from None
    except RecursionError:
        raise SettingsError(f"{path}: Expected sections and keys, was deeper nesting") from None
    return node


class _Reading:
    """One pass over one file; remembers which names it saw and on which line."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        self._path = path
        self._problems = problems
        self._lines: dict[str, int] = {}

    def section(self, section: yaml.MappingNode, prefix: str) -> Iterator[Given]:
        """Read the keys of one section and of those inside it."""
        for name_node, node in section.value:
            line = name_node.start_mark.line + 1
            where = f"{self._path}:{line}"
            if not isinstance(name_node, yaml.ScalarNode):
                self._problems.append(f"{where}: Expected a name before the colon, was a structure")
                continue
            dotted = f"{prefix}{name_node.value}"
            if dotted in self._lines:
                self._problems.append(
                    f"{where}: Expected {dotted} once, was set on line {self._lines[dotted]} too"
                )
                continue
            self._lines[dotted] = line
            yield from self._entry(dotted, node, where)

    def _entry(self, dotted: str, node: yaml.Node, where: str) -> Iterator[Given]:
        key, secret = KEYS.get(dotted), secret_of(dotted)
        empty = isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")
        if dotted in SECTIONS:
            if isinstance(node, yaml.MappingNode):
                yield from self.section(node, f"{dotted}.")
            elif not empty:
                self._problems.append(
                    f"{where}: Expected a section {dotted} with keys in it, was one value or a list"
                )
            return
        if key is None and secret is None:
            is_map = isinstance(node, yaml.MappingNode)
            near = nearest(dotted, _MAPS if is_map else KEYS)
            self._problems.append(
                f"{where}: Expected a known {'section' if is_map else 'key'}, was {dotted}. "
                f"Nearest: {near}."
            )
            return
        target = key or secret
        assert target is not None
        try:
            raw = raw_of_node(target, node)
            if raw is not None and secret is not None:
                raw = read_secret_file(str(raw))
            if raw is not None:
                yield Given(target, raw, where)
        except SettingsError as error:
            self._problems.append(f"{target.dotted} ({where}): {error}.")
