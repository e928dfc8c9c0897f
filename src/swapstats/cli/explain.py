"""`swapstats explain`: the life of a swap, step by step."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from swapstats.errors import UsageError
from swapstats.roles.explain import MESSAGES_MAX, explain
from swapstats.settings import load

_BYTES_MAX = 16 << 20


def explain_command(
    file: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    windows: str | None = None,
    bucket_step: str | None = None,
) -> None:
    """Show what becomes of a swap at each step, by the functions production uses.

    Parameters
    ----------
    file
        One JSON object, or one a line (a swap, its duplicate, its removal ...); `-` is the
        standard input.
    config
        YAML file with settings.
    windows
        Window widths, such as `5m,1h,24h`.
    bucket_step
        Bucket width, such as `5s`.
    """
    settings = load(config, flags={"app.windows": windows, "app.bucket_step": bucket_step})
    messages = _messages(file)
    out = Console(highlight=False, soft_wrap=True)
    steps = explain(
        messages,
        settings.windows,
        settings.ingest.topic_cfg.partitions,
        None,
    )
    for step in steps:
        if step.name.startswith("message "):
            out.print(f"\n[bold]{step.name}[/bold]")
        else:
            out.print(f"\n[bold]{step.name}[/bold]  [dim]{step.where}[/dim]")
        out.print(f"  {step.value}", markup=False)


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _messages(file: str) -> list[bytes]:
    """Read messages: a whole file that is one object (over several lines), or one a line.

    Raises:
        UsageError: no such file, nothing in it, or too much.
    """
    try:
        if file == "-":
            text = sys.stdin.buffer.read(_BYTES_MAX + 1)
        else:
            with Path(file).open("rb") as source:
                text = source.read(_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"Expected a file with a swap, was {error}") from error
    lines = [line for line in text.splitlines() if line.strip()]
    joined = b" ".join(line.strip() for line in lines)
    if not any(map(_is_json, lines)) and _is_json(joined):
        lines = [joined]
    if not 0 < len(lines) <= MESSAGES_MAX or len(text) > _BYTES_MAX:
        raise UsageError(f"Expected 1 to {MESSAGES_MAX} swaps in {file}, was {len(lines)} lines")
    return lines
