"""The archive as it is configured: which engine, which tables, which limits.

`run` gives its data directory and may keep the archive in it; roles on real servers give none.
Passwords go into what clients are given and nowhere else.
"""

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from swapstats.adapters.clickhouse.archive import ClickHouseArchive
from swapstats.adapters.clickhouse.embedded import EmbeddedEngine
from swapstats.adapters.clickhouse.engine import Engine
from swapstats.adapters.clickhouse.extra import is_installed, needed
from swapstats.adapters.clickhouse.schema import STORAGE_POLICY, ArchiveSchema
from swapstats.adapters.clickhouse.server import ServerEngine
from swapstats.adapters.clickhouse.server_address import ServerAddress, server_address
from swapstats.adapters.clickhouse.storage import ColdStorage
from swapstats.adapters.clickhouse.tables import has_cold_volume, has_tables
from swapstats.core.archive_batcher import BatchLimits
from swapstats.errors import SettingsError, UsageError
from swapstats.settings import Settings

ARCHIVE_DIR: Final = "archive"
"""Where the embedded archive is, below the data directory."""
EMBEDDED_LOG: Final = "embedded"
"""Name of the log in a data directory; a log on brokers goes by its topic."""
DATABASE: Final = "swapstats"
_KEY: Final = "stores.archive"
_DSN_KEY: Final = "stores.clickhouse.dsn"


@dataclass(frozen=True, slots=True)
class ArchiveChoice:
    """Where raw swaps go.

    Attributes:
        engine: which one; `none` = they are not archived.
        sentence: for people, begins in lower case.
    """

    engine: Literal["none", "embedded", "server"]
    sentence: str


@dataclass(frozen=True, slots=True)
class OpenedArchive:
    """An archive to write to.

    Attributes:
        engine: behind it, for questions; embedded from any thread, a server from one at a time.
        schema: its tables.
        archive: what takes batches.
        sentence: for people, where it is and what to know of it.
    """

    engine: Engine
    schema: ArchiveSchema
    archive: ClickHouseArchive
    sentence: str

    def close(self) -> None:
        """Release the engine."""
        self.archive.close()


@dataclass(frozen=True, slots=True)
class ArchiveReader:
    """An archive to ask; nothing in it is made or changed.

    Attributes:
        engine: behind it.
        schema: its tables.
        choice: where it is.
    """

    engine: Engine
    schema: ArchiveSchema
    choice: ArchiveChoice

    def close(self) -> None:
        """Release the engine."""
        self.engine.close()


def archive_choice(settings: Settings, data_dir: Path | None) -> ArchiveChoice:
    """Decide where raw swaps go.

    Args:
        settings: the effective settings.
        data_dir: of a process that may keep them itself; None for roles on real servers.

    Raises:
        SettingsError: it cannot be where it is asked for.
        UsageError: it is asked for and its packages are missing.
    """
    wanted, origin = settings.stores.archive, settings.origin_of(_KEY)
    is_named = bool(settings.stores.clickhouse.dsn)
    if wanted == "off":
        return ArchiveChoice("none", f"raw swaps are not archived ({_KEY} is off)")
    if wanted == "server" and not is_named:
        raise SettingsError(
            f"{_DSN_KEY} ({settings.origin_of(_DSN_KEY)}): Expected where ClickHouse is, was "
            f"none although {_KEY} is server: name it, or set {_KEY} to auto or off"
        )
    if wanted == "embedded" and data_dir is None:
        raise SettingsError(
            f"{_KEY} ({origin}): Expected server, auto or off for a role on real servers, was "
            f"embedded: only `swapstats run` keeps an archive in its data directory"
        )
    if is_named and wanted != "embedded":
        return ArchiveChoice("server", _on_server(settings))
    if data_dir is None:
        return ArchiveChoice("none", f"raw swaps are not archived: {_DSN_KEY} names no ClickHouse")
    if wanted == "auto" and not is_installed():
        return ArchiveChoice(
            "none",
            f"raw swaps are not archived: install chdb (pip install 'swapstats[archive]') or name "
            f"a ClickHouse ({_DSN_KEY})",
        )
    needed("chdb")
    return ArchiveChoice("embedded", f"raw swaps are archived in {data_dir / ARCHIVE_DIR}")


def open_archive(
    settings: Settings, *, data_dir: Path | None, log_name: str
) -> OpenedArchive | None:
    """Open the archive for writing and make its tables; None if there is none.

    Args:
        settings: the effective settings.
        data_dir: see `archive_choice`.
        log_name: which log the rows are from: the topic, or EMBEDDED_LOG.

    Raises:
        SettingsError: it cannot be where it is asked for.
        UsageError: a package is missing.
        StoreLocked: another process owns the embedded archive.
        StoreError: the engine refuses.
        Transient: the server cannot be reached.
    """
    choice = archive_choice(settings, data_dir)
    if choice.engine == "none":
        return None
    needed("pyarrow")
    with contextlib.ExitStack() as opened:
        engine = _open_engine(settings, choice, data_dir)
        opened.callback(engine.close)
        schema = archive_schema(settings, choice, engine)
        sentence = choice.sentence
        if choice.engine == "server" and not schema.cold:
            sentence += (
                f"; its server has no storage policy {STORAGE_POLICY}, so old parts stay on its "
                f"disk (deploy/clickhouse/storage.xml)"
            )
        archive = ClickHouseArchive(engine, schema, log_name)
        opened.pop_all()
        return OpenedArchive(engine, schema, archive, sentence)


def open_archive_reader(settings: Settings, *, data_dir: Path | None) -> ArchiveReader:
    """Open the archive for questions.

    Args:
        settings: the effective settings.
        data_dir: see `archive_choice`.

    Raises:
        UsageError: there is none, or nothing was archived yet.
        StoreLocked: a running process owns the embedded archive.
        Transient: the server cannot be reached.
    """
    choice = archive_choice(settings, data_dir)
    if choice.engine == "none":
        raise UsageError(f"Expected an archive, was none: {choice.sentence}")
    where = choice.sentence.removeprefix("raw swaps are archived ")
    absent = f"Expected raw swaps archived {where}, was no archive there yet"
    directory = (data_dir or Path()) / ARCHIVE_DIR / "engine"
    if choice.engine == "embedded" and not directory.exists():
        raise UsageError(f"{absent}: name another directory with --data-dir")
    with contextlib.ExitStack() as opened:
        engine = _open_engine(settings, choice, data_dir)
        opened.callback(engine.close)
        schema = archive_schema(settings, choice, engine)
        if not has_tables(engine, schema):
            raise UsageError(f"{absent}: the role that aggregates makes it")
        opened.pop_all()
        return ArchiveReader(engine, schema, choice)


def archive_schema(settings: Settings, choice: ArchiveChoice, engine: Engine) -> ArchiveSchema:
    """Say what shapes the tables; asks a server whether it has cold storage.

    Raises:
        SettingsError: the database's name is none.
        Transient: the server cannot be reached.
    """
    archive = settings.stores.clickhouse
    is_embedded = choice.engine == "embedded"
    database = archive.database
    if not database and not is_embedded:
        database = server_address(archive.dsn.reveal()).database
    return ArchiveSchema(
        database=database or DATABASE,
        cold=bool(archive.cold.endpoint) if is_embedded else has_cold_volume(engine),
        cold_after_s=archive.cold_after_ms // 1_000,
        delete_after_s=archive.delete_after_ms // 1_000,
        fsync=is_embedded and settings.data.durability == "full",
    )


def batch_limits(settings: Settings) -> BatchLimits:
    """Say when a batch of the archive is due."""
    archive = settings.stores.clickhouse
    return BatchLimits(delay_ms=archive.batch_ms, rows_due=archive.batch_rows)


def cold_storage(settings: Settings) -> ColdStorage | None:
    """Say where old parts and exports go; None if nothing is named."""
    cold = settings.stores.clickhouse.cold
    if not cold.endpoint:
        return None
    return ColdStorage(cold.endpoint.rstrip("/") + "/", cold.key_id, cold.secret.reveal())


def export_store(settings: Settings) -> ColdStorage | None:
    """Say where exports go on S3; None if nothing is named."""
    cold = cold_storage(settings)
    return None if cold is None else replace(cold, endpoint=f"{cold.endpoint}exports/")


def _open_engine(settings: Settings, choice: ArchiveChoice, data_dir: Path | None) -> Engine:
    if choice.engine == "embedded" and data_dir is not None:
        return EmbeddedEngine(data_dir / ARCHIVE_DIR, cold_storage(settings))
    return ServerEngine(settings.stores.clickhouse.dsn.reveal())


def _on_server(settings: Settings) -> str:
    address = _address(settings)
    told = f"raw swaps are archived on the ClickHouse at {address.host}:{address.port}"
    where = f"{_DSN_KEY} ({settings.origin_of(_DSN_KEY)})"
    return f"{told}; {where}: {address.note}" if address.note else told


def _address(settings: Settings) -> ServerAddress:
    try:
        return server_address(settings.stores.clickhouse.dsn.reveal())
    except SettingsError as error:
        raise SettingsError(f"{_DSN_KEY} ({settings.origin_of(_DSN_KEY)}): {error}") from error
