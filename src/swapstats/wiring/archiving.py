"""The archiver of a process: the archive, its journal, and the log it may read again."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from swapstats.adapters.clickhouse.status import archive_status
from swapstats.adapters.embedded.database import Durability
from swapstats.adapters.embedded.journal import EmbeddedArchiveJournal
from swapstats.adapters.kafka.migrate import COPY_ENDS
from swapstats.adapters.redis.journal import RedisArchiveJournal
from swapstats.errors import InvariantBroken
from swapstats.model.archive_status import ArchiveStatus
from swapstats.observability.archive_figures import ArchiveFigures
from swapstats.observability.metrics import Metrics
from swapstats.ports.archive import Archive
from swapstats.ports.clock import Clock
from swapstats.ports.swap_log import SwapLogReader
from swapstats.roles.archiver import Archiver
from swapstats.roles.guarded import GuardedArchive, GuardedJournal
from swapstats.roles.patient_archive import PatientArchive
from swapstats.settings import Settings
from swapstats.wiring.archive import (
    EMBEDDED_LOG,
    OpenedArchive,
    archive_choice,
    batch_limits,
    open_archive,
)
from swapstats.wiring.brokers import redis_url
from swapstats.wiring.embedded import EmbeddedStores
from swapstats.wiring.guards import Guards

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

ReadStatus = Callable[[], ArchiveStatus]
"""Tells how the archive lies; from any thread."""


def embedded_archiver(
    opened: ExitStack,
    settings: Settings,
    stores: EmbeddedStores,
    clock: Clock,
    metrics: Metrics,
    log: "BoundLogger",
) -> tuple[Archiver | None, ReadStatus | None]:
    """Make what writes the archive of `swapstats run`, if there is one.

    Args:
        opened: releases all of it.
        settings: the effective settings.
        stores: of the data directory.
        clock: both clocks.
        metrics: what is measured.
        log: told where raw swaps go.

    Returns:
        The archiver, at work, and what tells how an archive in the data directory lies.

    Raises:
        StoreError: the archive in the data directory cannot be opened.
    """
    directory = stores.directory.path
    choice = archive_choice(settings, directory)
    log.info("archive", told=choice.sentence)
    if choice.engine == "none":
        return None, None
    read_status: ReadStatus | None = None
    archive: Archive
    if choice.engine == "embedded":
        found = _opened(settings, directory, EMBEDDED_LOG)
        archive, read_status = found.archive, partial(archive_status, found.engine, found.schema)
    else:
        archive = PatientArchive(lambda: _opened(settings, directory, EMBEDDED_LOG).archive)
    opened.callback(archive.close)
    sync: Durability = "full" if settings.data.durability == "full" else "process"
    journal = EmbeddedArchiveJournal(stores.directory.journal_path, durability=sync)
    opened.callback(journal.close)
    archiver = Archiver(
        archive, journal, clock, batch_limits(settings), ArchiveFigures(metrics), log=stores.log
    )
    archiver.start()
    opened.callback(archiver.stop)
    return archiver, read_status


def group_archiver(
    opened: ExitStack,
    settings: Settings,
    open_reader: Callable[[], SwapLogReader],
    clock: Clock,
    metrics: Metrics,
    guards: Guards,
    log: "BoundLogger",
) -> Archiver | None:
    """Make what writes the archive of a group's member, if there is one.

    The archive may be away, now and later: only its own work waits for it.

    Args:
        opened: releases all of it.
        settings: the effective settings.
        open_reader: opens the log.
        clock: both clocks.
        metrics: what is measured.
        guards: makes the breakers.
        log: told where raw swaps go.
    """
    choice = archive_choice(settings, None)
    log.info("archive", told=choice.sentence)
    if choice.engine == "none":
        return None
    topic = settings.ingest.topic
    archive = PatientArchive(lambda: _opened(settings, None, topic).archive)
    opened.callback(archive.close)
    journal = RedisArchiveJournal(redis_url(settings), settings.stores.redis.prefix)
    opened.callback(journal.close)
    reader = open_reader()
    opened.callback(reader.close)
    archiver = Archiver(
        GuardedArchive(archive, guards.breaker("archive")),
        GuardedJournal(journal, guards.breaker("archive journal")),
        clock,
        batch_limits(settings),
        ArchiveFigures(metrics),
        log=reader,
        floor_of=_copied_floor(reader),
    )
    archiver.start()
    opened.callback(archiver.stop)
    return archiver


def _opened(settings: Settings, data_dir: Path | None, log_name: str) -> OpenedArchive:
    archive = open_archive(settings, data_dir=data_dir, log_name=log_name)
    if archive is None:
        raise InvariantBroken("Expected an archive where one was chosen, was none")
    return archive


def _copied_floor(log: SwapLogReader) -> Callable[[int], int]:
    """Where the records end that were copied from another log: they are archived from there."""

    def floor(partition: int) -> int:
        said = log.position(COPY_ENDS)
        ends = msgspec.json.decode(said, type=list[int]) if said else []
        return ends[partition] if partition < len(ends) else 0

    return floor
