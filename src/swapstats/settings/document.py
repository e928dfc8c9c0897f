"""The table as text for people: `docs/CONFIGURATION.md` and `config.example.yaml`.

`python -m swapstats.settings.document` writes both below the working directory; a test compares
them with the table, so they cannot go stale.
"""
# ruff: noqa: E501 - the rows of the page cannot be wrapped

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from swapstats.settings.key import Key, Status
from swapstats.settings.kinds import Raw
from swapstats.settings.table import KEYS, RESERVED_ENV

_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./-]*(:[A-Za-z0-9_./-]+)*")

_HEAD = """\
# Configuration

This page is made from the table of keys (`python -m swapstats.settings.document`).
`swapstats config show` prints the effective settings and where each is from.

## Where values come from

A later place wins over an earlier one:

1. the default,
2. the YAML file (`--config FILE` or `SWAPSTATS_CONFIG`),
3. environment variables: `SWAPSTATS_` and the key in capitals with `_` for each dot, such as `SWAPSTATS_APP_GRACE=120s`;
   `WINDOWS` and `BUCKET_STEP` work as well. An empty variable counts as not set,
4. flags of the command line.

A key, section, flag or `SWAPSTATS_` variable that is not known is refused with the nearest known name. A name that occurs
twice in the file is refused. Every problem is told with its file and line, all of them at once. A key without a value
(`grace:`) counts as not set.

## How values are written

| kind | written | in the program |
|---|---|---|
| span | `250ms` `5s` `120s` `5m` `1h30m` `7d` | integer milliseconds |
| ms | `100`, or a span | integer milliseconds |
| size | `65536` `64KiB` `512MiB` `10GiB` (powers of 1024) `10MB` (of 1000) `10e6` | integer bytes |
| bool | `true` `false` `yes` `no` `on` `off` | |
| address | `127.0.0.1:8080` `[::1]:8080` `:8080` (every interface) | host and port; port 0 = any free port |
| list, spans | `[a, b]` in the file; `a,b` anywhere | |
| map | `{USDC: 1:0xa0b8}` in the file; `USDC=1:0xa0b8,WETH=1:0xc02a` anywhere | |
| properties | a map whose names may have dots: `{security.protocol: SASL_SSL}` | those of the Kafka client |
| secret | text; or by file with `_file` after the key, `_FILE` after the variable | never printed |

Secrets are best given by file: `SWAPSTATS_SECURITY_JWT_SECRET_FILE=/run/secrets/jwt` or `security.jwt.secret_file` in the
file. A line end at the end of such a file does not count.
"""

_TAIL = """\
## Not built yet, or superseded

These keys load, so that an existing configuration works unchanged. Each one that is set is named at the start with what
happens instead.

| key | status | instead |
|---|---|---|
{rows}

## What `run` refuses

Some settings load, but nothing runs with them:

- `security.jwt.enabled: true`, since tokens are not checked yet and the server would be open;
- an address that other machines reach (`api.http.addr`, `metrics.prometheus`) without `security.allow_unauthenticated: true`;
- `metrics.pprof` on any address but loopback.

## Checks across keys

- Each of `app.windows` is a multiple of `app.bucket_step`, given once.
- `log.retention` is at least the widest window + `app.max_ahead` + 1h.
- `ingest.topic_cfg.retention_ms`, unless 0 or -1, is at least that too, and `ingest.topic_cfg.cleanup_policy` is `delete`:
  `swapstats topics` refuses others.
- `api.ws.heartbeat` and `api.ws.slow_client_ms` are at least `api.ws.coalesce_ms`.
- `stores.clickhouse.cold_after` is less than `stores.clickhouse.delete_after`.
- `api.http.addr`, `metrics.prometheus` and `metrics.pprof` differ.

## Variables that are no settings

| variable | what it is |
|---|---|
{reserved}
"""

_EXAMPLE_HEAD = """\
# Every key that is honoured, with its default. All of it can be left out.
# docs/CONFIGURATION.md explains the kinds of values; `swapstats config show` what is in effect.
"""


def yaml_text(raw: Raw) -> str:
    """Write a raw value as YAML on one line, so that reading gives the same raw value."""
    if isinstance(raw, Mapping):
        pairs = (f"{_quoted(name)}: {_quoted(value)}" for name, value in raw.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(raw, str):
        return _quoted(raw)
    return "[" + ", ".join(_quoted(item) for item in raw) + "]"


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() != "null":
        return text
    return yaml.safe_dump(text, default_style='"', width=1 << 20).strip()


def default_text(key: Key) -> str:
    """Write the default of a key as people write it; empty if it has none."""
    raw = key.row.default
    return "" if not raw else raw if isinstance(raw, str) else yaml_text(raw)


def _kind_text(key: Key) -> str:
    row = key.row
    text = row.kind.expected if row.kind.name == "one of" else row.kind.name
    if row.low is not None and row.high is not None:
        if row.kind.shape == "text":
            text += f", {row.kind.write(row.low)} to {row.kind.write(row.high)}"
        else:
            text += f", {row.low} to {row.high} entries"
    text += "".join(f", or {word}" for word in row.words)
    return f"{text} ({row.unit})" if row.unit and row.kind.name in ("int", "number") else text


def configuration_page() -> str:
    """Write `docs/CONFIGURATION.md`."""
    parts = [_HEAD]
    section = ""
    for dotted, key in KEYS.items():
        if key.row.status is not Status.HONOURED:
            continue
        if dotted.split(".")[0] != section:
            section = dotted.split(".")[0]
            parts.append(
                f"\n## {section}\n\n| key | default | kind | set by | what |\n|---|---|---|---|---|\n"
            )
        default = f"`{default_text(key)}`" if default_text(key) else ""
        names = " ".join(f"`{name}`" for name in (*reversed(key.env_names), key.flag))
        parts.append(f"| `{dotted}` | {default} | {_kind_text(key)} | {names} | {key.row.doc} |\n")
    rows = "\n".join(
        f"| `{dotted}` | {key.row.status.value} | {key.row.instead} |"
        for dotted, key in KEYS.items()
        if key.row.status is not Status.HONOURED
    )
    reserved = "\n".join(f"| `{name}` | {what} |" for name, what in RESERVED_ENV.items())
    return "".join(parts) + "\n" + _TAIL.format(rows=rows, reserved=reserved)


def nested_yaml(lines: Mapping[str, tuple[str, str]]) -> str:
    """Write keys as nested sections.

    Args:
        lines: by dotted key, the value's YAML text and a comment; a key whose text is empty is
            written as a comment.
    """
    written = []
    open_sections: list[str] = []
    for dotted, (text, comment) in lines.items():
        *sections, name = dotted.split(".")
        shared = 0
        while (
            shared < min(len(sections), len(open_sections))
            and sections[shared] == open_sections[shared]
        ):
            shared += 1
        written += [f"{'  ' * depth}{sections[depth]}:" for depth in range(shared, len(sections))]
        open_sections = sections
        indent = "  " * len(sections)
        value = f"{name}: {text}" if text else f"# {name}:"
        written.append(f"{indent}{value}  # {comment}" if comment else f"{indent}{value}")
    return "\n".join(written) + "\n"


def example_file() -> str:
    """Write `config.example.yaml`: every honoured key with its default."""
    return _EXAMPLE_HEAD + nested_yaml(
        {
            dotted: (yaml_text(key.row.default), key.row.doc)
            for dotted, key in KEYS.items()
            if key.row.status is Status.HONOURED
        }
    )


def write_documents(root: Path) -> None:
    """Write both files below the root of the repository."""
    (root / "docs" / "CONFIGURATION.md").write_text(configuration_page(), encoding="utf-8")
    (root / "config.example.yaml").write_text(example_file(), encoding="utf-8")


if __name__ == "__main__":
    write_documents(Path.cwd())
