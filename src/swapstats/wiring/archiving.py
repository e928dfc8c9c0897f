"""The archiver of a process: the archive, its journal, and the log it may read again."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec

from swapstats.adapters.embedded.database import Durability
from swapstats.adapters.embedded.journal import EmbeddedArchiveJournal
from swapstats.adapters.kafka.log import KafkaSwapLogReader
from swapstats.adapters.kafka.migrate import COPY_ENDS
from swapstats.adapters.redis.journal import RedisArchiveJournal
from swapstats.errors import Transient
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
from swapstats.wiring.brokers import kafka_address, redis_url
from swapstats.wiring.embedded import EmbeddedStores
from swapstats.wiring.guards import Guards

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger


def embedded_archiver(
    opened: ExitStack,
    settings: Settings,
    stores: EmbeddedStores,
    clock: Clock,
    metrics: Metrics,
    log: "BoundLogger",
) -> tuple[Archiver | None, OpenedArchive | None]:
    """Open the archive of `swapstats run`, if there is one, and make what writes it.

    Args:
        opened: releases all of it.
        settings: the effective settings.
        stores: of the data directory.
        clock: both clocks.
        metrics: what is measured.
        log: told where raw swaps go.

    Raises:
        StoreError: the archive cannot be opened.
        Transient: a server is configured and cannot be reached.
    """
    directory = stores.directory.path
    log.info("archive", told=archive_choice(settings, directory).sentence)
    archive = open_archive(settings, data_dir=directory, log_name=EMBEDDED_LOG)
    if archive is None:
        return None, None
    opened.callback(archive.close)
    sync: Durability = "full" if settings.data.durability == "full" else "process"
    journal = EmbeddedArchiveJournal(stores.directory.journal_path, durability=sync)
    opened.callback(journal.close)
    archiver = Archiver(
        archive.archive,
        journal,
        clock,
        batch_limits(settings),
        ArchiveFigures(metrics),
        log=stores.log,
    )
    archiver.start()
    opened.callback(archiver.stop)
    return archiver, archive


def group_archiver(
    opened: ExitStack,
    settings: Settings,
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

    def open_now() -> Archive:
        archive = open_archive(settings, data_dir=None, log_name=topic)
        if archive is None:
            raise Transient("Expected an archive, was none")
        return archive.archive

    archive = PatientArchive(open_now)
    opened.callback(archive.close)
    journal = RedisArchiveJournal(redis_url(settings), settings.stores.redis.prefix)
    opened.callback(journal.close)
    reader = KafkaSwapLogReader(kafka_address(settings), topic)
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


def _copied_floor(log: SwapLogReader) -> Callable[[int], int]:
    """Where the records end that were copied from another log: they are archived from there."""

    def floor(partition: int) -> int:
        said = log.position(COPY_ENDS)
        ends = msgspec.json.decode(said, type=list[int]) if said else []
        return ends[partition] if partition < len(ends) else 0

    return floor
