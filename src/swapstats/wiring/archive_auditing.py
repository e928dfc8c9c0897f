"""What audits the archive: its rows against the checkpoints, its views against its rows."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from swapstats.adapters.clickhouse.doubled import Doubled, doubled_rows
from swapstats.adapters.clickhouse.verify import settled_differences
from swapstats.adapters.clickhouse.window_sums import ClickHouseSums
from swapstats.roles.audit_archive import ArchiveAudit, audit_archive
from swapstats.settings import Settings
from swapstats.wiring.archive import EMBEDDED_LOG, ArchiveReader, open_archive_reader
from swapstats.wiring.auditing import Auditor

_PAUSE_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class ArchiveAuditor:
    """An archive, open for an audit.

    Attributes:
        reader: the archive.
        log_name: the log whose rows are held against checkpoints.
    """

    reader: ArchiveReader
    log_name: str

    @classmethod
    def open(cls, settings: Settings, *, data_dir: Path | None) -> Self:
        """Open the archive of a configuration; see `open_archive_reader` for what is raised.

        Args:
            settings: the effective settings.
            data_dir: of the embedded log; None = the log is on brokers.
        """
        log_name = settings.ingest.topic if data_dir is None else EMBEDDED_LOG
        return cls(open_archive_reader(settings, data_dir=data_dir), log_name)

    def audit(self, auditor: Auditor) -> Iterator[ArchiveAudit]:
        """Compare every shard that has a checkpoint with the rows of its log."""
        sums = ClickHouseSums(self.reader.engine, self.reader.schema, self.log_name)
        for partition in range(auditor.partition_count):
            checkpoint = auditor.checkpoints.load(partition)
            if checkpoint is not None:
                config = auditor.config_of(checkpoint.header)
                yield audit_archive(config, checkpoint, sums, auditor.log)

    def views(self) -> dict[str, list[list[str]]]:
        """Groups in which a view is not the sum of its rows; see `settled_differences`."""
        reader = self.reader
        return settled_differences(reader.engine, reader.schema, lambda: time.sleep(_PAUSE_S))

    def doubled(self) -> Iterator[Doubled]:
        """Rows that are there more than once, day by day."""
        return doubled_rows(self.reader.engine, self.reader.schema)

    def close(self) -> None:
        """Release the engine."""
        self.reader.close()
