"""`swapstats audit`: recount the log and compare, bit by bit."""

import sys
from pathlib import Path
from typing import Annotated, TypedDict

from cyclopts import Parameter
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from swapstats.cli.answers import ask, read_answer
from swapstats.cli.archive_findings import ArchiveFindings, look_at_archive, wants_archive
from swapstats.cli.differences import SHOWN_MAX, difference_table
from swapstats.cli.printable import printable
from swapstats.roles.audit import Answer, ShardAudit
from swapstats.settings import load
from swapstats.wiring.auditing import Auditor
from swapstats.wiring.reading import EmbeddedReaders
from swapstats.wiring.server_reading import ServerReaders

PLAIN_COLUMNS = 180


def audit_command(
    *,
    data_dir: Path | None = None,
    answer: Path | None = None,
    url: str | None = None,
    sample: int = 8,
    plain: Annotated[bool, Parameter(negative="")] = False,
    archive: bool | None = None,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
) -> int:
    """Recount the log and compare it with the windows, bit by bit.

    For each shard the newest checkpoint is taken (of a running service: a few seconds old), the
    log is recounted up to its position for its moment by a method that shares nothing with the
    windows, and every number of every token is compared. It only reads: run it beside the
    service, or on a copy of its data directory. Exit status 1 if anything differs.

    Every answer of the API names its moment and its position in the log, so any answer can be
    proved: with `--answer` one that was saved, with `--url` a sample asked from the service now.

    Parameters
    ----------
    data_dir
        Data directory of the service or replay.
    answer
        Prove this answer of `/api/tokens/{id}/stats` (a file with its JSON) instead.
    url
        Ask the running service for some tokens and prove its answers as well.
    sample
        How many tokens to ask for.
    plain
        Recount with the plain decoder and plain dictionaries: several times slower, and
        independent of the engine to the last line.
    archive
        Compare the archive as well: its rows, summed anew, with the windows of each checkpoint,
        and its hourly and daily sums with its rows. Done by itself where `--config` names brokers
        and a ClickHouse; an embedded archive can be looked at while no process owns it.
    config
        YAML file with the settings of the service; if it names a broker, the log and the
        checkpoints on those servers are audited.
    """
    settings = load(config, flags={"data.dir": data_dir})
    on_servers = settings.ingest.broker_type != "embedded" and data_dir is None
    readers = (
        ServerReaders.open(settings)
        if on_servers
        else EmbeddedReaders.open(Path(settings.data.dir))
    )
    found = ArchiveFindings()
    try:
        manifest = {} if isinstance(readers, ServerReaders) else readers.directory.manifest() or {}
        rules: _Rules = {
            "grace_ms": manifest.get("grace_ms", settings.app.grace_ms),
            "late": manifest.get("late", settings.app.late),
            "max_ahead_ms": (
                None if manifest.get("purpose") == "replay" else settings.app.max_ahead_ms
            ),
            "plain": plain,
        }
        auditor = readers.auditor
        answers = [read_answer(answer)] if answer is not None else []
        audits = [] if answer is not None else _audit_checkpoints(auditor, rules)
        if url is not None:
            answers += ask(url, sample)
        told = [(each, auditor.audit_answer(each, **rules)) for each in answers]
        if wants_archive(settings, archive, on_servers=on_servers and answer is None):
            place = None if on_servers else Path(settings.data.dir)
            found = look_at_archive(settings, place, auditor)
    finally:
        readers.close()
    out = Console(highlight=False)
    if not out.is_terminal:
        out = Console(highlight=False, width=PLAIN_COLUMNS)
    status = _tell(out, audits, told)
    return max(status, found.tell(out))


class _Rules(TypedDict):
    """What a checkpoint does not say of its shard."""

    grace_ms: int
    late: str
    max_ahead_ms: int | None
    plain: bool


def _audit_checkpoints(auditor: Auditor, rules: _Rules) -> list[ShardAudit]:
    """Audit every shard, with a bar each on a terminal."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bars:
        tasks: dict[int, TaskID] = {}

        def show(partition: int, offset: int, end: int) -> None:
            if partition not in tasks:
                tasks[partition] = bars.add_task(f"partition {partition}", total=end)
            bars.update(tasks[partition], completed=offset, total=end)

        return list(auditor.audit(**rules, on_progress=show))


def _tell(out: Console, audits: list[ShardAudit], told: list[tuple[Answer, ShardAudit]]) -> int:
    """Print what was found; returns the exit status."""
    if not audits and not told:
        sys.stderr.write("swapstats: no checkpoint yet, nothing to audit\n")
        return 1
    if audits:
        out.print(_audit_table(audits))
    for answer, audit in told:
        verdict = f"{len(audit.differences)} differences" if audit.differences else "proved"
        out.print(
            f"answer for {printable(answer.token)} as of {answer.t_ms}, partition "
            f"{answer.partition} offset {answer.offset:,}: {verdict}",
            markup=False,
        )
    audits = [*audits, *(audit for _, audit in told)]
    differences = [difference for audit in audits for difference in audit.differences]
    damaged = [sentence for audit in audits for sentence in audit.damaged]
    for sentence in damaged[:SHOWN_MAX]:
        out.print(f"damaged: {sentence}")
    if differences:
        out.print(difference_table(differences[:SHOWN_MAX]), markup=False)
        if len(differences) > SHOWN_MAX:
            out.print(f"... and {len(differences) - SHOWN_MAX} more")
    tokens = len({(difference.partition, difference.token) for difference in differences})
    out.print(
        f"{len(differences)} differences in {tokens} tokens, {len(damaged)} damaged places"
        if differences or damaged
        else "no difference"
    )
    return 1 if differences or damaged else 0


def _audit_table(audits: list[ShardAudit]) -> Table:
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
    return table
