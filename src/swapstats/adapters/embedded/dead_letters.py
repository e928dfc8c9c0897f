"""Refused messages in one SQLite file, with their original bytes.

A letter is known by where it stands in the log: a message that is read again after a crash is kept
once. "Newest" is by append time, then partition and offset. This store never judges a message;
`core` does.
"""

import sqlite3
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from swapstats.adapters.embedded.database import (
    Durability,
    ReadPool,
    StoreKind,
    open_writer,
    reclaim,
    write_transaction,
)
from swapstats.errors import StoreCorrupt
from swapstats.model.effects import DeadLetter

SCAN_ROWS: Final = 256
"""Letters read at a time, so that a long listing holds no snapshot while it is written out."""

DEAD_LETTER_KIND: Final = StoreKind(
    name="dead-letter store",
    application_id=0x5357444C,
    version=1,
    schema=(
        """CREATE TABLE letters (
            partition INTEGER NOT NULL,
            "offset" INTEGER NOT NULL,
            append_ms INTEGER NOT NULL,
            reason TEXT NOT NULL,
            detail TEXT NOT NULL,
            crc INTEGER NOT NULL,
            message BLOB NOT NULL,
            PRIMARY KEY (partition, "offset"))""",
        'CREATE INDEX letters_by_age ON letters (append_ms, partition, "offset")',
        'CREATE INDEX letters_by_reason ON letters (reason, append_ms, partition, "offset")',
    ),
)

_PLACE: Final = struct.Struct("<3q")
_COLUMNS = 'partition, "offset", append_ms, reason, detail, crc, message'
_AFTER_ALL = ((1 << 63) - 1, 0, 0)


def _crc(partition: int, offset: int, append_ms: int, message: bytes) -> int:
    return zlib.crc32(message, zlib.crc32(_PLACE.pack(partition, offset, append_ms)))


class EmbeddedDeadLetterReader:
    """Lists refused messages; works beside a writer in another process and from any thread.

    Args:
        path: the store's file.

    Raises:
        StoreCorrupt: not a dead-letter store, or damaged.
        StoreFormat: written by a newer version.
        StoreError: there is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pool = ReadPool(path, DEAD_LETTER_KIND)

    def counts(self) -> dict[str, int]:
        """Number kept, by reason; O(letters kept)."""
        with self._pool.snapshot() as connection:
            return dict(
                connection.execute(
                    "SELECT reason, COUNT(*) FROM letters GROUP BY reason ORDER BY reason"
                )
            )

    def scan(self, *, reason: str | None = None, limit: int = 100) -> Iterator[DeadLetter]:
        """Newest first, at most `limit`; letters put meanwhile do not disturb it.

        Raises:
            StoreCorrupt: the bytes are not what was written.
        """
        chosen = "" if reason is None else "reason = :reason AND "
        select = (
            f"SELECT {_COLUMNS} FROM letters WHERE {chosen}"  # noqa: S608 - constants only
            '(append_ms, partition, "offset") < (:append_ms, :partition, :offset) '
            'ORDER BY append_ms DESC, partition DESC, "offset" DESC LIMIT :rows'
        )
        append_ms, partition, offset = _AFTER_ALL
        while limit > 0:
            rows = min(limit, SCAN_ROWS)
            with self._pool.snapshot() as connection:
                found = connection.execute(
                    select,
                    {
                        "reason": reason,
                        "append_ms": append_ms,
                        "partition": partition,
                        "offset": offset,
                        "rows": rows,
                    },
                ).fetchall()
            for row in found:
                letter = self._letter(row)
                append_ms, partition, offset = letter.append_ms, letter.partition, letter.offset
                yield letter
            if len(found) < rows:
                return
            limit -= rows

    def close(self) -> None:
        """Release files and connections."""
        self._pool.close()

    def _letter(self, row: tuple[Any, ...]) -> DeadLetter:
        partition, offset, append_ms, reason, detail, crc, message = row
        try:
            intact = _crc(partition, offset, append_ms, message) == crc
        except (TypeError, struct.error):
            intact = False
        if not intact:
            raise StoreCorrupt(
                f"Expected the dead letter that was written in {self._path} for partition "
                f"{partition}, offset {offset}, was damaged: remove the file; the messages are "
                "in the log"
            )
        return DeadLetter(partition, offset, append_ms, reason, detail, message)


class EmbeddedDeadLetterStore:
    """The writer of dead letters, and their reader for the same process; from any thread.

    Args:
        path: the store's file; created if there is none.
        durability: `process` or `full`.

    Raises:
        StoreFull: no space to create the file.
        StoreCorrupt: not a dead-letter store, or damaged.
        StoreFormat: written by a newer version.
    """

    def __init__(self, path: Path, *, durability: Durability = "process") -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection = open_writer(path, DEAD_LETTER_KIND, durability)
        try:
            self._reader = EmbeddedDeadLetterReader(path)
            self._count = sum(self._reader.counts().values())
        except BaseException:
            self._connection.close()
            raise

    def counts(self) -> dict[str, int]:
        """Number kept, by reason; O(letters kept)."""
        return self._reader.counts()

    def scan(self, *, reason: str | None = None, limit: int = 100) -> Iterator[DeadLetter]:
        """Newest first, at most `limit`; letters put meanwhile do not disturb it.

        Raises:
            StoreCorrupt: the bytes are not what was written.
        """
        return self._reader.scan(reason=reason, limit=limit)

    def put(self, letters: Sequence[DeadLetter]) -> None:
        """Keep letters, all or none; one whose place is already kept is left as it is.

        Raises:
            StoreFull: no space; none was kept.
            StoreCorrupt: a damaged file.
        """
        if not letters:
            return
        rows = [
            (
                letter.partition,
                letter.offset,
                letter.append_ms,
                letter.reason,
                letter.detail,
                _crc(letter.partition, letter.offset, letter.append_ms, letter.message),
                letter.message,
            )
            for letter in letters
        ]
        with self._lock:
            with write_transaction(self._connection, self._path, DEAD_LETTER_KIND) as connection:
                kept = connection.executemany(
                    "INSERT OR IGNORE INTO letters VALUES (?, ?, ?, ?, ?, ?, ?)", rows
                ).rowcount
            self._count += kept

    def trim(self, count_max: int) -> int:
        """Drop the oldest beyond `count_max`; returns how many were dropped.

        Raises:
            StoreFull: no space to note it.
            StoreCorrupt: a damaged file.
        """
        with self._lock:
            surplus = self._count - count_max
            if surplus <= 0:
                return 0
            with write_transaction(self._connection, self._path, DEAD_LETTER_KIND) as connection:
                self._drop_oldest(connection, surplus)
            self._count -= surplus
            reclaim(self._connection)
        return surplus

    def close(self) -> None:
        """Release files and connections."""
        with self._lock:
            self._reader.close()
            self._connection.close()

    @staticmethod
    def _drop_oldest(connection: sqlite3.Connection, count: int) -> None:
        connection.execute(
            "DELETE FROM letters WHERE rowid IN (SELECT rowid FROM letters "
            'ORDER BY append_ms, partition, "offset" LIMIT ?)',
            (count,),
        )
