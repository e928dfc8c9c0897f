"""A ClickHouse server as the archive's engine, over HTTP with clickhouse-connect.

Used from one thread; a connection is opened with the engine and again by the library when it broke.
"""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from swapstats.adapters.clickhouse.engine import ROWS_FORMAT, brief, engine_error, parse_rows
from swapstats.adapters.clickhouse.server_address import server_address
from swapstats.errors import SwapstatsError

_CHUNK_BYTES: Final = 1 << 20
_CONNECT_S: Final = 5
_ANSWER_S: Final = 60


class ServerEngine:
    """An engine behind an address.

    Args:
        dsn: `clickhouse://user:password@host:8123` (`clickhouses://` for TLS); a database in it
            is not the connection's: it may have to be made first.

    Raises:
        SettingsError: the DSN is none.
        Transient: it cannot be reached.
        StoreError: it refuses the connection.
    """

    def __init__(self, dsn: str) -> None:
        address = server_address(dsn)
        try:
            self._client: Any = clickhouse_connect.get_client(
                host=address.host,
                port=address.port,
                username=address.user,
                password=address.password,
                interface="https" if address.is_tls else "http",
                connect_timeout=_CONNECT_S,
                send_receive_timeout=_ANSWER_S,
                autogenerate_session_id=False,
                # Archiving is idempotent by itself; a hidden second try would hide a failure.
                query_retries=0,
            )
        except (ClickHouseError, OSError) as error:
            raise _translated(error, "answer") from error

    def run(self, sql: str) -> None:
        """Carry out a statement without a result; see `Engine.run`."""
        try:
            self._client.command(sql, use_database=False)
        except (ClickHouseError, OSError) as error:
            raise _translated(error, brief(sql)) from error

    def rows(self, sql: str) -> list[list[str]]:
        """Read a query's rows; see `Engine.rows`."""
        try:
            content: bytes = self._client.raw_query(sql, fmt=ROWS_FORMAT, use_database=False)
        except (ClickHouseError, OSError) as error:
            raise _translated(error, brief(sql)) from error
        return parse_rows(content)

    def insert(
        self, table: str, columns: Sequence[str], arrow: bytes, settings: Mapping[str, str | int]
    ) -> None:
        """Insert one block; see `Engine.insert`."""
        try:
            self._client.raw_insert(
                table,
                column_names=columns,
                insert_block=arrow,
                settings=dict(settings),
                fmt="ArrowStream",
            )
        except (ClickHouseError, OSError) as error:
            raise _translated(error, f"insert into {table}") from error

    def save(self, sql: str, path: Path) -> None:
        """Write a query's rows into a Parquet file; see `Engine.save`."""
        try:
            stream = self._client.raw_stream(sql, fmt="Parquet", use_database=False)
            with path.open("wb") as file, contextlib.closing(stream):
                for chunk in iter(lambda: stream.read(_CHUNK_BYTES), b""):
                    file.write(chunk)
        except (ClickHouseError, OSError) as error:
            raise _translated(error, brief(sql)) from error

    def close(self) -> None:
        """Release the connection."""
        self._client.close()


def _translated(error: Exception, doing: str) -> SwapstatsError:
    # What the server itself refused carries its code; the rest happened on the way.
    on_the_way = isinstance(error, (OSError, OperationalError))
    return engine_error(error, doing, broken_link=on_the_way)
