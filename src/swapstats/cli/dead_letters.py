"""`swapstats dead-letters`: messages that broke the contract, with reasons."""

import base64
import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from swapstats.cli.printable import printable
from swapstats.errors import UsageError
from swapstats.model.effects import DeadLetter
from swapstats.model.wire import REASONS
from swapstats.settings import load
from swapstats.wiring.reading import EmbeddedReaders, raw_letters

_SHOWN_BYTES = 200


def dead_letters_command(
    *,
    data_dir: Path | None = None,
    reason: str | None = None,
    limit: int = 20,
    raw: Annotated[bool, Parameter(negative="")] = False,
    json_lines: Annotated[bool, Parameter(name="--json", negative="")] = False,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
) -> None:
    """List refused messages, newest first, with their counts by reason.

    Nothing is lost: each is kept with its original bytes and its place in the log. It only reads:
    run it beside the service.

    Parameters
    ----------
    data_dir
        Data directory of the service or replay.
    reason
        Only this reason.
    limit
        How many messages at most.
    raw
        Raw events of chains and exchanges that became no swap, instead of refused swaps.
    json_lines
        One JSON object a line; `message` is the text, or `message_base64` where it is none.
    config
        YAML file with the settings of the service.
    """
    if not raw and reason is not None and reason not in REASONS[1:]:
        raise UsageError(f"Expected a reason of {', '.join(REASONS[1:])}, was {reason!r}")
    settings = load(config, flags={"data.dir": data_dir})
    letters, counts = _read(Path(settings.data.dir), reason, limit, is_raw=raw)
    out = Console(highlight=False)
    if json_lines:
        for letter in letters:
            out.file.write(json.dumps(_as_json(letter), ensure_ascii=False) + "\n")
        return
    if not counts:
        out.print("no dead letters")
        return
    table = Table("partition", "offset", "reason")
    for name in ("detail", "message"):
        table.add_column(name, overflow="fold")
    for letter in letters:
        shown = letter.message[:_SHOWN_BYTES].decode(errors="backslashreplace")
        more = "..." if len(letter.message) > _SHOWN_BYTES else ""
        table.add_row(
            str(letter.partition),
            str(letter.offset),
            letter.reason,
            printable(letter.detail),
            printable(shown) + more,
        )
    out.print(table, markup=False)
    for name in sorted(counts):
        out.print(f"{counts[name]:>10,} {name}")


def _read(
    path: Path, reason: str | None, limit: int, *, is_raw: bool
) -> tuple[list[DeadLetter], dict[str, int]]:
    """Letters of a data directory, newest first, and how many it holds by reason."""
    if is_raw:
        return raw_letters(path, reason, limit)
    readers = EmbeddedReaders.open(path)
    try:
        return list(readers.dead_letters.scan(reason=reason, limit=limit)), (
            readers.dead_letters.counts()
        )
    finally:
        readers.close()


def _as_json(letter: DeadLetter) -> dict[str, str | int]:
    found: dict[str, str | int] = {
        "partition": letter.partition,
        "offset": letter.offset,
        "append_ms": letter.append_ms,
        "reason": letter.reason,
        "detail": letter.detail,
    }
    try:
        found["message"] = letter.message.decode()
    except UnicodeDecodeError:
        found["message_base64"] = base64.b64encode(letter.message).decode()
    return found
