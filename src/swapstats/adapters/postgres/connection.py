"""One connection to Postgres, made again after it broke; its errors are those of swapstats."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import psycopg
from psycopg import errors

from swapstats.errors import SettingsError, StoreError, StoreFull, Transient

CONNECT_S = 5
STATEMENT_MS = 10_000
_RETRY_MS = 500

Result = TypeVar("Result")


class PostgresLine:
    """Runs transactions; from any thread, one at a time.

    Args:
        dsn: where the database is; holds the password, so it is never shown.
        prepare: called with each new connection, in a transaction of its own.
    """

    def __init__(self, dsn: str, prepare: Callable[[psycopg.Connection], None]) -> None:
        self._dsn = dsn
        self._prepare = prepare
        self._lock = threading.Lock()
        self._connection: psycopg.Connection | None = None

    def run(self, work: Callable[[psycopg.Connection], Result]) -> Result:
        """Run something as one transaction: all of it is there afterwards, or nothing.

        Raises:
            Transient: Postgres cannot be reached or asks to try again.
            StoreFull: no space.
            SettingsError: it refuses the user or the database.
            StoreError: anything else it refused.
        """
        with self._lock, self._our_errors():
            connection = self._open()
            with connection.transaction():
                return work(connection)

    def close(self) -> None:
        """Release the connection."""
        with self._lock:
            self._drop()

    def _open(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            connection = psycopg.connect(
                self._dsn,
                autocommit=True,
                connect_timeout=CONNECT_S,
                application_name="swapstats",
                options=f"-c statement_timeout={STATEMENT_MS} -c lock_timeout={STATEMENT_MS}",
            )
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.close()

    @contextlib.contextmanager
    def _our_errors(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            self._drop()
            raise _translated(error) from error


def _translated(error: psycopg.Error) -> Exception:
    # The first line alone: further ones may quote what was written.
    said = (str(error).splitlines() or ["no reason given"])[0]
    if isinstance(error, errors.DiskFull):
        return StoreFull(f"Expected room in Postgres, was {said}: free space on its disk")
    if isinstance(
        error,
        errors.InvalidPassword
        | errors.InvalidAuthorizationSpecification
        | errors.InvalidCatalogName,
    ):
        return SettingsError(
            f"Expected Postgres to accept stores.postgres.dsn, was {said}: check user, password "
            f"and database"
        )
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Transient(
            f"Expected an answer of Postgres, was {said}: start it or check its address; trying "
            f"again goes on",
            _RETRY_MS,
        )
    return StoreError(
        f"Expected Postgres to take candles, was {said}: check the rights of its user, and that "
        f"the schema swapstats is its own"
    )
