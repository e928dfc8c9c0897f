"""A Postgres database, read in one snapshot by a cursor of the server.

The only place of a backfill that knows the driver, psycopg 3, which is imported when needed.
"""

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, Final

from swapstats.errors import Rejected, Transient, UsageError

if TYPE_CHECKING:
    import psycopg

SCHEMES: Final = ("postgresql://", "postgres://")
CURSOR: Final = "swapstats_backfill"
CONNECT_S: Final = 10


class PostgresDatabase:
    """A connection that only reads; see `Database`.

    Args:
        url: `postgresql://user@host:port/database`; what it lacks is taken from the usual variables
            (`PGPASSWORD`, ...) and files of Postgres.

    Raises:
        UsageError: the driver is not there, or the URL is none.
        Transient: the server cannot be reached, or refuses.
    """

    marker = "$1"

    def __init__(self, url: str) -> None:
        try:
            import psycopg
        except ImportError as error:
            raise UsageError(
                "Expected the package psycopg for Postgres, found none: pip install "
                "'psycopg[binary]'"
            ) from error
        try:
            asked = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            # its own words quote the URL, which may hold a password
            raise UsageError(
                "Expected a URL such as postgresql://user@host:5432/database, was another text "
                "(not shown)"
            ) from None
        try:
            self._connection: psycopg.Connection[Any] = psycopg.connect(
                url, connect_timeout=CONNECT_S, application_name="swapstats backfill"
            )
        except psycopg.Error as error:
            raise _told(error, None) from error
        self._connection.read_only = True
        self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._connection.cursor_factory = psycopg.RawCursor
        self._connection.server_cursor_factory = psycopg.RawServerCursor
        host, port = asked.get("host", ""), asked.get("port", "")
        self.identity = f"postgresql://{host}:{port}/{asked.get('dbname', '')}"

    def columns(self, sql: str) -> tuple[str, ...]:
        """Names of the columns of a statement."""
        import psycopg

        try:
            found = self._connection.execute(sql).description or []
        except psycopg.Error as error:
            raise _told(error, self._connection) from error
        return tuple(column.name for column in found)

    def stream(
        self, sql: str, parameters: Sequence[Any], rows: int
    ) -> Generator[list[Any], None, None]:
        """Rows of a statement; see `Database.stream`."""
        import psycopg

        try:
            with self._connection.cursor(name=CURSOR) as cursor:
                cursor.execute(sql, parameters)
                while found := cursor.fetchmany(rows):
                    yield found
        except psycopg.Error as error:
            raise _told(error, self._connection) from error

    def close(self) -> None:
        """Release the connection."""
        self._connection.close()


def _told(error: "psycopg.Error", connection: "psycopg.Connection[Any] | None") -> Exception:
    """Tell a server that is away from a statement that is wrong."""
    said = " ".join(str(error).split())
    if connection is None or connection.broken or connection.closed:
        return Transient(f"Expected Postgres to answer, was {said}: start again when it does")
    return Rejected(f"Expected Postgres to answer, was {said}: check table, query and columns")
