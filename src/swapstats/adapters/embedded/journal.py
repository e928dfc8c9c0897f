"""Notes of archive batches in one SQLite file: durable, fenced by epoch.

A note is one row. Forgetting raises the partition's floor: what lies below it was archived. It
never looks at the archive itself.
"""

import sqlite3
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import msgspec

from swapstats.adapters.embedded.database import (
    Durability,
    StoreKind,
    open_writer,
    reclaim,
    translated,
    write_transaction,
)
from swapstats.errors import (
    Fenced,
    InvariantBroken,
    NotAcquired,
    StoreCorrupt,
    Transient,
)
from swapstats.ports.archive import BatchNote, JournalState, expect_same_rows

NOTES_MAX: Final = 100_000
"""Notes of one partition; some hours without a checkpoint."""

JOURNAL_KIND: Final = StoreKind(
    name="archive journal",
    application_id=0x53574A4C,
    version=1,
    schema=(
        """CREATE TABLE owners (
            partition INTEGER PRIMARY KEY,
            epoch INTEGER NOT NULL,
            floor INTEGER NOT NULL)""",
        """CREATE TABLE notes (
            partition INTEGER NOT NULL,
            first_offset INTEGER NOT NULL,
            next_offset INTEGER NOT NULL,
            inserted INTEGER NOT NULL,
            data BLOB NOT NULL,
            PRIMARY KEY (partition, first_offset)) WITHOUT ROWID""",
    ),
)


class EmbeddedArchiveJournal:
    """Notes of archive batches; from any thread.

    Args:
        path: the store's file; created if there is none.
        durability: `process` or `full`.
        notes_max: notes of one partition.

    Raises:
        StoreFull: no space to create the file.
        StoreCorrupt: not an archive journal, or damaged.
        StoreFormat: written by a newer version.
    """

    def __init__(
        self, path: Path, *, durability: Durability = "process", notes_max: int = NOTES_MAX
    ) -> None:
        self._path = path
        self._notes_max = notes_max
        self._lock = threading.Lock()
        self._connection = open_writer(path, JOURNAL_KIND, durability)

    def acquire(self, partition: int, epoch: int) -> JournalState:
        """Become the partition's owner; see `ArchiveJournal.acquire`."""
        with self._lock, self._transaction() as connection:
            held = self._owner(partition)
            if held is not None and held[0] > epoch:
                raise _fenced(partition, epoch, held[0])
            connection.execute(
                "INSERT INTO owners VALUES (?, ?, 0) "
                "ON CONFLICT (partition) DO UPDATE SET epoch = excluded.epoch",
                (partition, epoch),
            )
            return JournalState(0 if held is None else held[1], tuple(self._notes(partition)))

    def note(self, note: BatchNote) -> None:
        """Write a batch down; see `ArchiveJournal.note`."""
        with self._lock, self._transaction() as connection:
            self._check_owner(note)
            self._check_range(note)
            connection.execute(
                "INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?, ?)",
                (
                    note.partition,
                    note.first_offset,
                    note.next_offset,
                    note.inserted,
                    msgspec.msgpack.encode(note),
                ),
            )

    def notes(self, partition: int) -> list[BatchNote]:
        """Notes held, by offset."""
        with self._lock, translated(self._path, JOURNAL_KIND):
            return self._notes(partition)

    def forget(self, partition: int, before_offset: int) -> None:
        """Drop notes of inserted ranges that end at or before an offset, and raise the floor."""
        with self._lock:
            with self._transaction() as connection:
                # One that is not inserted keeps itself and all that follow: no holes.
                (bound,) = connection.execute(
                    "SELECT MIN(first_offset) FROM notes WHERE partition = ? AND NOT inserted",
                    (partition,),
                ).fetchone()
                bound = before_offset if bound is None else min(bound, before_offset)
                (floor,) = connection.execute(
                    "SELECT MAX(next_offset) FROM notes WHERE partition = ? AND next_offset <= ?",
                    (partition, bound),
                ).fetchone()
                if floor is None:
                    return
                connection.execute(
                    "DELETE FROM notes WHERE partition = ? AND next_offset <= ?", (partition, bound)
                )
                connection.execute(
                    "UPDATE owners SET floor = MAX(floor, ?) WHERE partition = ?",
                    (floor, partition),
                )
            reclaim(self._connection)

    def close(self) -> None:
        """Release files and connections."""
        with self._lock:
            self._connection.close()

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        return write_transaction(self._connection, self._path, JOURNAL_KIND)

    def _owner(self, partition: int) -> tuple[int, int] | None:
        row = self._connection.execute(
            "SELECT epoch, floor FROM owners WHERE partition = ?", (partition,)
        ).fetchone()
        return None if row is None else (int(row[0]), int(row[1]))

    def _check_owner(self, note: BatchNote) -> None:
        held = self._owner(note.partition)
        epoch = 0 if held is None else held[0]
        if epoch > note.epoch:
            raise _fenced(note.partition, note.epoch, epoch)
        if epoch < note.epoch:
            raise NotAcquired(
                f"Expected an acquired epoch of partition {note.partition} (at most {epoch}), was "
                f"{note.epoch}: acquire the partition before noting"
            )

    def _check_range(self, note: BatchNote) -> None:
        found = self._connection.execute(
            "SELECT data FROM notes WHERE partition = ? AND first_offset < ? AND next_offset > ?",
            (note.partition, note.next_offset, note.first_offset),
        ).fetchall()
        for (data,) in found:
            held = self._decoded(data)
            bounds = (held.first_offset, held.next_offset)
            if bounds != (note.first_offset, note.next_offset):
                raise InvariantBroken(
                    f"Expected the range {bounds[0]} to {bounds[1]} of partition "
                    f"{note.partition} as it was noted, was {note.first_offset} to "
                    f"{note.next_offset}"
                )
            expect_same_rows(held, note)
        if not found:
            (count,) = self._connection.execute(
                "SELECT COUNT(*) FROM notes WHERE partition = ?", (note.partition,)
            ).fetchone()
            if count >= self._notes_max:
                raise Transient(
                    f"Expected fewer than {self._notes_max} notes of partition {note.partition}, "
                    f"was {count}: no checkpoint has been written for long"
                )

    def _notes(self, partition: int) -> list[BatchNote]:
        rows = self._connection.execute(
            "SELECT data FROM notes WHERE partition = ? ORDER BY first_offset", (partition,)
        )
        return [self._decoded(data) for (data,) in rows]

    def _decoded(self, data: bytes) -> BatchNote:
        try:
            return msgspec.msgpack.decode(data, type=BatchNote)
        except (msgspec.DecodeError, TypeError) as error:
            raise StoreCorrupt(
                f"Expected the note that was written in {self._path}, was damaged ({error}): "
                "restore the file from a copy"
            ) from error


def _fenced(partition: int, epoch: int, newer: int) -> Fenced:
    return Fenced(
        f"Expected to own partition {partition} under epoch {epoch}, was taken over under epoch "
        f"{newer}: this instance must stop archiving"
    )
