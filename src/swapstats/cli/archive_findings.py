"""What an audit found in the archive, and how it is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from swapstats.adapters.clickhouse.schema import SUMS
from swapstats.cli.differences import SHOWN_MAX, difference_table
from swapstats.cli.printable import printable
from swapstats.roles.audit_archive import ArchiveAudit
from swapstats.settings import Settings
from swapstats.wiring.archive import archive_choice
from swapstats.wiring.archive_auditing import ArchiveAuditor
from swapstats.wiring.auditing import Auditor

Groups = Mapping[str, Sequence[Sequence[str]]]
"""By view, the groups that differ: see `adapters.clickhouse.verify.view_differences`."""


@dataclass(frozen=True, slots=True)
class ArchiveFindings:
    """What was compared; empty if nothing was.

    Attributes:
        audits: by shard, its windows and the rows.
        views: see `Groups`.
    """

    audits: Sequence[ArchiveAudit] = ()
    views: Groups = field(default_factory=dict)

    def tell(self, out: Console) -> int:
        """Print what was found; returns the exit status."""
        if not self.audits and not self.views:
            return 0
        for audit in self.audits:
            out.print(_sentence(audit))
        differences = [one for audit in self.audits for one in audit.differences]
        if differences:
            out.print(difference_table(differences[:SHOWN_MAX], "the archive"), markup=False)
        wrong = tell_views(out, self.views)
        return 1 if differences or wrong else 0


def wants_archive(settings: Settings, asked: bool | None, *, on_servers: bool) -> bool:
    """Decide whether the archive is compared: as asked, else where a server is configured."""
    if asked is not None:
        return asked
    return on_servers and archive_choice(settings, None).engine == "server"


def look_at_archive(settings: Settings, data_dir: Path | None, auditor: Auditor) -> ArchiveFindings:
    """Compare checkpoints, rows and views.

    Args:
        settings: the effective settings.
        data_dir: of the embedded log; None = the log is on brokers.
        auditor: of the log and the checkpoints.

    Raises:
        UsageError: there is no archive.
        StoreLocked: a running process owns it.
        Transient: its server cannot be reached.
    """
    archive = ArchiveAuditor.open(settings, data_dir=data_dir)
    try:
        return ArchiveFindings(tuple(archive.audit(auditor)), archive.views())
    finally:
        archive.close()


def tell_views(out: Console, views: Groups) -> int:
    """Print in which groups views are not the sums of the rows; returns how many."""
    count = 0
    for name, groups in views.items():
        count += len(groups)
        if not groups:
            out.print(f"archive: {name} is the sum of raw_swaps")
            continue
        out.print(f"archive: {name} is not the sum of raw_swaps in {len(groups)} groups")
        out.print(_group_table(groups[:SHOWN_MAX]), markup=False)
    return count


def _sentence(audit: ArchiveAudit) -> str:
    told = f"archive: partition {audit.partition} as of {audit.t_ms}, offset {audit.offset:,}: "
    if audit.verdict == "behind":
        return f"{told}not compared, the archive has come to offset {audit.end_offset:,}"
    if audit.verdict == "begins later":
        return (
            f"{told}not compared, the archive begins at offset {audit.first_offset:,} and the "
            f"windows hold swaps from before it"
        )
    if audit.differences:
        return f"{told}{len(audit.differences)} differences"
    return f"{told}{audit.tokens:,} tokens equal"


def _group_table(groups: Sequence[Sequence[str]]) -> Table:
    table = Table("chain", "token", "from", "log", "partition", "rows minus view")
    for group in groups:
        key, sums = group[:5], group[5:]
        wrong = [
            f"{name} {value}"
            for (name, _, _), value in zip(SUMS, sums, strict=True)
            if value.strip("0.-")
        ]
        table.add_row(*map(printable, key), ", ".join(wrong))
    return table
