"""`swapstats audit`: recount the log and compare, bit by bit."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from swapstats.model.stats import format_scaled, scale_digits
from swapstats.roles.audit import Difference, ShardAudit
from swapstats.settings import load
from swapstats.wiring.reading import EmbeddedReaders

_SHOWN_MAX = 50


def audit_command(
    *,
    data_dir: Path | None = None,
    plain: Annotated[bool, Parameter(negative="")] = False,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
) -> int:
    """Recount the log and compare it with the windows, bit by bit.

    For each shard the newest checkpoint is taken (of a running service: a few seconds old), the
    log is recounted up to its position for its moment by a method that shares nothing with the
    windows, and every number of every token is compared. It only reads: run it beside the
    service, or on a copy of its data directory. Exit status 1 if anything differs.

    Parameters
    ----------
    data_dir
        Data directory of the service or replay.
    plain
        Recount with the plain decoder and plain dictionaries: some ten times slower, and
        independent of the engine to the last line.
    config
        YAML file with the settings of the service.
    """
    settings = load(config, flags={"data.dir": data_dir})
    readers = EmbeddedReaders.open(Path(settings.data.dir))
    out = Console(highlight=False)
    try:
        manifest = readers.directory.manifest() or {}
        is_replay = manifest.get("purpose") == "replay"
        audits: list[ShardAudit] = []
        console = Console(stderr=True)
        with Progress(console=console, disable=not console.is_terminal, transient=True) as bars:
            tasks = {}

            def show(partition: int, offset: int, end: int) -> None:
                if partition not in tasks:
                    tasks[partition] = bars.add_task(f"partition {partition}", total=end)
                bars.update(tasks[partition], completed=offset, total=end)

            audits.extend(
                readers.audit(
                    grace_ms=manifest.get("grace_ms", settings.app.grace_ms),
                    late=manifest.get("late", settings.app.late),
                    max_ahead_ms=None if is_replay else settings.app.max_ahead_ms,
                    plain=plain,
                    on_progress=show,
                )
            )
    finally:
        readers.close()
    return _tell(out, audits)


def _tell(out: Console, audits: list[ShardAudit]) -> int:
    """Print what was found; returns the exit status."""
    differences = [difference for audit in audits for difference in audit.differences]
    damaged = [sentence for audit in audits for sentence in audit.damaged]
    table = Table("partition", "as of", "position", "messages", "tokens", "differences")
    for audit in audits:
        table.add_row(
            str(audit.partition),
            str(audit.t_ms),
            f"{audit.offset:,}",
            f"{audit.messages:,}",
            f"{audit.tokens:,}",
            str(len(audit.differences)),
        )
    if not audits:
        sys.stderr.write("swapstats: no checkpoint yet, nothing to audit\n")
        return 1
    out.print(table)
    for sentence in damaged[:_SHOWN_MAX]:
        out.print(f"damaged: {sentence}")
    if differences:
        out.print(_difference_table(differences[:_SHOWN_MAX]), markup=False)
        if len(differences) > _SHOWN_MAX:
            out.print(f"... and {len(differences) - _SHOWN_MAX} more")
    tokens = len({(difference.partition, difference.token) for difference in differences})
    out.print(
        f"{len(differences)} differences in {tokens} tokens, {len(damaged)} damaged places"
        if differences or damaged
        else "no difference"
    )
    return 1 if differences or damaged else 0


def _difference_table(differences: list[Difference]) -> Table:
    table = Table("partition", "token", "window", "field", "held", "the log says", "off by")
    for found in differences:
        digits = scale_digits(found.field)
        table.add_row(
            str(found.partition),
            found.token,
            found.window,
            found.field,
            *(
                format_scaled(value, digits) if digits else str(value)
                for value in (found.held, found.recounted, found.held - found.recounted)
            ),
        )
    return table
