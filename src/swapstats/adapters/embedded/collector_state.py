"""Where collectors of a program stand, in one SQLite file: position and notes of each source.

A batch's position and notes are one transaction. Of two that collect under one name, the one that
opened it last goes on; the other is refused at its next write.
"""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from swapstats.adapters.embedded.database import (
    Durability,
    StoreKind,
    open_writer,
    reclaim,
    write_transaction,
)
from swapstats.errors import Fenced

COLLECTOR_KIND: Final = StoreKind(
    name="collector state",
    application_id=0x5357434F,
    version=1,
    schema=(
        """CREATE TABLE sources (
            source TEXT PRIMARY KEY,
            epoch INTEGER NOT NULL,
            position TEXT)""",
        """CREATE TABLE notes (
            source TEXT NOT NULL,
            key TEXT NOT NULL,
            text TEXT NOT NULL,
            PRIMARY KEY (source, key)) WITHOUT ROWID""",
    ),
)


class CollectorState:
    """Position and notes of one source in a file; from any thread.

    Args:
        path: the file; created if there is none. It may hold any number of sources.
        source: under which name.
        durability: `process` or `full`.

    Raises:
        StoreFull: no space to create the file.
        StoreCorrupt: another kind of file, or damaged.
        StoreFormat: written by a newer version.
        StoreError: the file cannot be opened or written.
    """

    def __init__(self, path: Path, source: str, *, durability: Durability = "process") -> None:
        self._path = path
        self._source = source
        self._lock = threading.Lock()
        self._connection = open_writer(path, COLLECTOR_KIND, durability)
        try:
            self._epoch = self._take_over()
        except BaseException:
            self._connection.close()
            raise

    def load(self) -> tuple[str | None, dict[str, str]]:
        """Read position and notes; None and nothing if it has not begun."""
        with self._lock, write_transaction(self._connection, self._path, COLLECTOR_KIND):
            (position,) = self._connection.execute(
                "SELECT position FROM sources WHERE source = ?", (self._source,)
            ).fetchone()
            notes = self._connection.execute(
                "SELECT key, text FROM notes WHERE source = ?", (self._source,)
            ).fetchall()
        return position, dict(notes)

    def save(self, position: str, notes: Mapping[str, str | None]) -> None:
        """Note where the source stands after a batch: all of it or nothing.

        Args:
            position: after the batch.
            notes: by key, to be kept beside it; None forgets a key.

        Raises:
            Fenced: another collector took the name over; nothing was written.
            StoreFull: no space; what was noted before stands.
        """
        kept = [(self._source, key, text) for key, text in notes.items() if text is not None]
        gone = [(self._source, key) for key, text in notes.items() if text is None]
        with self._lock:
            with write_transaction(self._connection, self._path, COLLECTOR_KIND):
                changed = self._connection.execute(
                    "UPDATE sources SET position = ? WHERE source = ? AND epoch = ?",
                    (position, self._source, self._epoch),
                )
                if not changed.rowcount:
                    raise Fenced(
                        f"Expected to be the only collector of {self._source} in {self._path}, "
                        f"was one that another took over from: stop one of them, or give each a "
                        f"name of its own"
                    )
                self._connection.executemany("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", kept)
                self._connection.executemany("DELETE FROM notes WHERE source = ? AND key = ?", gone)
            if gone:
                reclaim(self._connection)

    def close(self) -> None:
        """Release files and connections."""
        with self._lock:
            self._connection.close()

    def _take_over(self) -> int:
        with write_transaction(self._connection, self._path, COLLECTOR_KIND):
            (epoch,) = self._connection.execute(
                "INSERT INTO sources VALUES (?, 1, NULL) "
                "ON CONFLICT (source) DO UPDATE SET epoch = epoch + 1 RETURNING epoch",
                (self._source,),
            ).fetchone()
        return int(epoch)
