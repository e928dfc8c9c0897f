"""A SQLite file, opened for reading only; its owner may write meanwhile."""

import sqlite3
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from swapstats.errors import Rejected, Transient

SCHEME: Final = "sqlite:///"
BUSY_MS: Final = 10_000


class SqliteDatabase:
    """A SQLite file; see `Database`.

    Args:
        url: `sqlite:///FILE`, `sqlite:////absolute/FILE`.

    Raises:
        Rejected: there is no such file, or it is none of SQLite.
    """

    marker = "?"

    def __init__(self, url: str) -> None:
        path = Path(url.removeprefix(SCHEME)).resolve()
        if not path.is_file():
            raise Rejected(f"Expected a SQLite file {path}, found none: check the path")
        self.identity = f"{SCHEME}{path}"
        self._connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro",
            uri=True,
            timeout=BUSY_MS / 1_000,
            check_same_thread=False,
            isolation_level=None,
        )
        self._connection.text_factory = _text

    def columns(self, sql: str) -> tuple[str, ...]:
        """Names of the columns of a statement."""
        try:
            found = self._connection.execute(sql).description
        except sqlite3.Error as error:
            raise _refused(error) from error
        return tuple(column[0] for column in found)

    def stream(
        self, sql: str, parameters: Sequence[Any], rows: int
    ) -> Generator[list[Any], None, None]:
        """Rows of a statement; see `Database.stream`."""
        try:
            cursor = self._connection.execute(sql, parameters)
            try:
                while found := cursor.fetchmany(rows):
                    yield found
            finally:
                cursor.close()
        except sqlite3.Error as error:
            raise _refused(error) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _text(data: bytes) -> str:
    """Keep what is no UTF-8 as it is: its row is refused, not all others."""
    return data.decode("utf-8", "surrogateescape")


def _refused(error: sqlite3.Error) -> Rejected | Transient:
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return Transient(f"Expected to read the SQLite file, was {error}: start again later")
    return Rejected(f"Expected the SQLite file to answer, was {error}: check table and query")
