"""ClickHouse in this process (chdb): the archive without a server.

One process owns a path; another that opens it gets an error at once. A process that has connected
must not fork. The configuration, with the storage policy, is a file this module writes. Every
thread has a connection of its own, all to the same engine.
"""

import fcntl
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from swapstats.adapters.clickhouse.engine import ROWS_FORMAT, brief, engine_error, parse_rows, text
from swapstats.adapters.clickhouse.extra import needed
from swapstats.adapters.clickhouse.storage import (
    COLD_METADATA,
    KEY_ID_VARIABLE,
    SECRET_VARIABLE,
    ColdStorage,
    storage_xml,
)
from swapstats.errors import StoreError, StoreLocked, UsageError


class EmbeddedEngine:
    """An engine over a directory; from any thread.

    Args:
        directory: where it keeps everything; created if there is none.
        cold: where old parts go; None = they stay.
        settings: further server settings by name, such as `background_pool_size`.
        merge_tree_settings: further defaults of tables by name.

    Raises:
        UsageError: chdb is not installed.
        StoreLocked: another process owns the directory.
        StoreError: the engine cannot start there.
    """

    def __init__(
        self,
        directory: Path,
        cold: ColdStorage | None = None,
        *,
        settings: Mapping[str, str | int] | None = None,
        merge_tree_settings: Mapping[str, str | int] | None = None,
    ) -> None:
        self._chdb = needed("chdb")
        self._directory = directory
        self._cold = cold
        directory.mkdir(parents=True, exist_ok=True)
        config = directory / "config.xml"
        config.write_text(
            storage_xml(directory, cold, settings or {}, merge_tree_settings or {}),
            encoding="utf-8",
        )
        if cold is not None:
            os.environ[KEY_ID_VARIABLE] = cold.key_id
            os.environ[SECRET_VARIABLE] = cold.secret
        self._target = f"{directory.absolute() / 'engine'}?config-file={config.absolute()}"
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[Any] = []
        self._closed = False
        self._connection()

    def run(self, sql: str) -> None:
        """Carry out a statement without a result; see `Engine.run`."""
        try:
            self._connection().query(sql, "TSV")
        except RuntimeError as error:
            raise engine_error(error, brief(sql)) from error

    def rows(self, sql: str) -> list[list[str]]:
        """Read a query's rows; see `Engine.rows`."""
        try:
            result = self._connection().query(sql, ROWS_FORMAT)
        except RuntimeError as error:
            raise engine_error(error, brief(sql)) from error
        return parse_rows(result.bytes() or b"")

    def insert(
        self, table: str, columns: Sequence[str], arrow: bytes, settings: Mapping[str, str | int]
    ) -> None:
        """Insert one block; see `Engine.insert`."""
        names = ", ".join(f"`{column}`" for column in columns)
        given = ", ".join(f"{name} = {_literal(value)}" for name, value in settings.items())
        try:
            inserter = self._connection().send_insert(
                f"INSERT INTO {table} ({names}) SETTINGS {given}",
                "ArrowStream",
            )
            inserter.append(arrow)
            inserter.finish()
        except RuntimeError as error:
            raise engine_error(error, f"insert into {table}") from error

    def save(self, sql: str, path: Path) -> None:
        """Write a query's rows into a Parquet file; see `Engine.save`."""
        self.run(f"INSERT INTO FUNCTION file({text(str(path.absolute()))}, 'Parquet') {sql}")

    def close(self) -> None:
        """Release every connection; the engine ends with the last."""
        with self._lock:
            self._closed = True
            connections, self._connections = self._connections, []
        for connection in connections:
            connection.close()

    def _connection(self) -> Any:
        connection = getattr(self._local, "connection", None)
        if connection is not None and not self._closed:
            return connection
        with self._lock:
            if self._closed:
                raise UsageError("Expected an open archive, was closed")
            if not self._connections:
                self._expect_free()  # the engine itself would complain to the terminal
            try:
                connection = self._chdb.connect(self._target)
            except RuntimeError as error:
                self._expect_free()
                if self._cold is None and (self._directory / COLD_METADATA).exists():
                    raise StoreError(
                        f"Expected the cold storage of the archive in {self._directory}, was none: "
                        "old parts lie there, so name it as before (stores.clickhouse.cold)"
                    ) from error
                raise engine_error(error, "open the archive") from error
            self._connections.append(connection)
        self._local.connection = connection
        return connection

    def _expect_free(self) -> None:
        if _is_locked(self._directory / "engine" / "status"):
            raise StoreLocked(
                f"Expected no other process on the archive in {self._directory}, was one: stop it "
                "or use another directory"
            )


def _is_locked(status: Path) -> bool:
    """True if another process holds the engine's status file; the engine's error does not say."""
    try:
        with status.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _literal(value: str | int) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "") + "'"
