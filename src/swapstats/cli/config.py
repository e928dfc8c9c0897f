"""`swapstats config show`: the effective settings, their units, and where each is from.

Secrets are never shown, in any format; credentials inside an address are masked.
"""

import json
import re
import sys
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from swapstats.errors import UsageError
from swapstats.settings import KEYS, Key, Settings, Status, load, value_of
from swapstats.settings.document import nested_yaml, yaml_text
from swapstats.settings.kinds import Raw

FORMATS = ("table", "yaml", "json")
PLAIN_COLUMNS = 160
"""Width of the table where there is no terminal, in characters."""

_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")


def _masked(text: str) -> str:
    return _CREDENTIALS.sub("***@", text)


def _shown(settings: Settings, key: Key) -> Raw:
    """Return a key's effective value as people write it, masked."""
    value = value_of(settings, key)
    if key.is_secret:
        return str(value)
    # not `Key.write`: a computed value is shown, not the word that asked for it
    raw = key.row.kind.write(value) if value or not key.row.words else key.write(value)
    if isinstance(raw, str):
        return _masked(raw)
    return raw if not isinstance(raw, tuple) else tuple(_masked(item) for item in raw)


def _plain_text(raw: Raw) -> str:
    if isinstance(raw, str):
        return raw
    return ",".join(raw) if isinstance(raw, tuple) else yaml_text(raw) if raw else ""


def _unit(key: Key, value: Any, text: str) -> str:
    unit = key.row.unit
    if unit in ("ms", "bytes") and isinstance(value, int) and text != str(value):
        return f"= {value} {unit}"
    return "" if isinstance(value, tuple) else unit


def _status(key: Key) -> str:
    status = key.row.status
    return "" if status is Status.HONOURED else f"{status.value}: {key.row.instead}"


def _table(settings: Settings) -> Group:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("key", no_wrap=True)
    for heading in ("value", "unit", "from", "status"):
        table.add_column(heading, overflow="fold")
    for dotted, key in KEYS.items():
        text = _plain_text(_shown(settings, key))
        origin = settings.origin_of(dotted)
        style = "dim" if origin == "default" else ""
        unit = _unit(key, value_of(settings, key), text)
        status = key.row.status
        cells = (dotted, text, unit, origin, "" if status is Status.HONOURED else status.value)
        table.add_row(*(Text(cell, style=style) for cell in cells))
    lines = [Text(f"note: {notice}", style="yellow") for notice in settings.notices]
    lines += [Text(f"run refuses: {blocker}", style="red") for blocker in settings.blockers()]
    return Group(table, *([Text("")] if lines else []), *lines)


def _yaml(settings: Settings) -> str:
    head = [f"# note: {notice}\n" for notice in settings.notices]
    head += [f"# run refuses: {blocker}\n" for blocker in settings.blockers()]
    lines = {}
    for dotted, key in KEYS.items():
        origin = settings.origin_of(dotted)
        if key.row.status is not Status.HONOURED and origin == "default":
            continue
        raw = _shown(settings, key)
        comment = f"{origin}; {_status(key)}" if _status(key) else origin
        if key.is_secret or "***@" in _plain_text(raw):
            # a masked value must not be read back as if it were the value
            lines[dotted] = ("", f"{_plain_text(raw)}  {comment}")
        else:
            lines[dotted] = (yaml_text(raw), comment)
    return "".join(head) + nested_yaml(lines)


def _json(settings: Settings) -> str:
    listed = {}
    for dotted, key in KEYS.items():
        raw = _shown(settings, key)
        value = value_of(settings, key)
        is_plain = isinstance(value, bool | int | float) or value is None
        is_spans = isinstance(value, tuple) and key.row.unit == "ms"
        entry = {
            "value": value if is_plain or is_spans else raw,
            "unit": key.row.unit,
            "text": _plain_text(raw),
            "from": settings.origin_of(dotted),
            "status": key.row.status.value,
        }
        if key.row.instead:
            entry["instead"] = key.row.instead
        listed[dotted] = entry
    document = {
        "settings": listed,
        "notices": list(settings.notices),
        "blockers": settings.blockers(),
    }
    return json.dumps(document, indent=2, ensure_ascii=False, default=dict) + "\n"


def config_show(settings: Settings, style: str = "table") -> str:
    """Write the effective settings as text, without colours.

    Args:
        settings: the settings.
        style: `table` for people; `yaml`, a file that can be loaded again; `json` for programs.

    Raises:
        UsageError: another style.
    """
    if style == "yaml":
        return _yaml(settings)
    if style == "json":
        return _json(settings)
    if style != "table":
        raise UsageError(f"Expected one of {', '.join(FORMATS)}, was {style!r}")
    stream = StringIO()
    Console(file=stream, width=PLAIN_COLUMNS, color_system=None).print(_table(settings))
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def show(settings: Settings, format: str = "table") -> None:  # noqa: A002 - named after its flag
    """Print the effective settings; with colours and the terminal's width on a terminal.

    Raises:
        UsageError: an unknown format.
    """
    if format == "table" and sys.stdout.isatty():
        Console().print(_table(settings))
    else:
        sys.stdout.write(config_show(settings, format))


app = App(name="config", help="Look at the configuration.")


@app.command(name="show")
def show_command(
    *,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    output: Annotated[str, Parameter(name=["--format"])] = "table",
) -> None:
    """Show the effective settings with their units, and where each came from.

    Parameters
    ----------
    config
        YAML file with settings.
    output
        `table`, `yaml` (a file that loads again) or `json`.
    """
    show(load(config), output)
