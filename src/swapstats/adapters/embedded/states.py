"""States of the preprocessor in one SQLite file: whole values, atomic, fenced."""

import struct
import threading
import time
import zlib
from pathlib import Path
from typing import Final

from swapstats.adapters.embedded.database import (
    Durability,
    StoreKind,
    open_writer,
    reclaim,
    translated,
    write_transaction,
)
from swapstats.errors import Fenced, StoreCorrupt
from swapstats.model.saved_state import SavedState
from swapstats.model.writer import EPOCH_ZERO_S

STATE_KIND: Final = StoreKind(
    name="state store",
    application_id=0x53575354,
    version=1,
    schema=(
        """CREATE TABLE epochs (
            partition INTEGER PRIMARY KEY,
            epoch INTEGER NOT NULL)""",
        """CREATE TABLE states (
            partition INTEGER PRIMARY KEY,
            epoch INTEGER NOT NULL,
            next_offset INTEGER NOT NULL,
            crc INTEGER NOT NULL,
            blob BLOB NOT NULL)""",
    ),
)

EPOCH_UNIT_S: Final = 1
"""The first epoch counts units since EPOCH_ZERO_S, so that a store that was emptied gives no epoch
again: nobody takes a partition over more often than that, all in all."""

_PLACE: Final = struct.Struct("<3q")


def state_crc(partition: int, state: SavedState) -> int:
    """Checksum of a state where it stands."""
    return zlib.crc32(
        state.blob, zlib.crc32(_PLACE.pack(partition, state.epoch, state.next_offset))
    )


class EmbeddedStateStore:
    """States in a file; from any thread.

    Args:
        path: the store's file; created if there is none.
        durability: `process` or `full`.
        epoch_unit_s: the first epoch counts so many seconds since 2024; 0 = it is 1.

    Raises:
        StoreFull: no space to create the file.
        StoreCorrupt: not a state store, or damaged.
        StoreFormat: written by a newer version.
    """

    def __init__(
        self,
        path: Path,
        *,
        durability: Durability = "process",
        epoch_unit_s: int = EPOCH_UNIT_S,
    ) -> None:
        self._epoch_unit_s = epoch_unit_s
        self._path = path
        self._lock = threading.Lock()
        self._connection = open_writer(path, STATE_KIND, durability)

    def acquire(self, partition: int) -> int:
        """Become the partition's owner: raise its epoch and return it."""
        first = 1
        if self._epoch_unit_s:
            first = max(1, (int(time.time()) - EPOCH_ZERO_S) // self._epoch_unit_s)
        with self._lock, write_transaction(self._connection, self._path, STATE_KIND):
            (epoch,) = self._connection.execute(
                "INSERT INTO epochs VALUES (?, ?) "
                "ON CONFLICT (partition) DO UPDATE SET epoch = epoch + 1 RETURNING epoch",
                (partition, first),
            ).fetchone()
        return int(epoch)

    def load(self, partition: int) -> SavedState | None:
        """Read the newest state; None if none.

        Raises:
            StoreCorrupt: the bytes are not what was written.
        """
        with self._lock, translated(self._path, STATE_KIND):
            row = self._connection.execute(
                "SELECT epoch, next_offset, blob, crc FROM states WHERE partition = ?",
                (partition,),
            ).fetchone()
        if row is None:
            return None
        state = SavedState(*row[:3])
        if state_crc(partition, state) != row[3]:
            raise StoreCorrupt(
                f"Expected the state of partition {partition} that was written in {self._path}, "
                f"was damaged: start with --rebuild to make it from the raw log again"
            )
        return state

    def save(self, partition: int, state: SavedState) -> None:
        """Put a state in place of the one before: all of it or nothing.

        Raises:
            Fenced: the partition's epoch in the store is another than the state's.
            StoreFull: no space; the state before stands.
        """
        with self._lock:
            with write_transaction(self._connection, self._path, STATE_KIND):
                row = self._connection.execute(
                    "SELECT epoch FROM epochs WHERE partition = ?", (partition,)
                ).fetchone()
                expect_owner(partition, state.epoch, 0 if row is None else row[0])
                self._connection.execute(
                    "INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?, ?)",
                    (
                        partition,
                        state.epoch,
                        state.next_offset,
                        state_crc(partition, state),
                        state.blob,
                    ),
                )
            reclaim(self._connection)

    def close(self) -> None:
        """Release files and connections."""
        with self._lock:
            self._connection.close()


def expect_owner(partition: int, epoch: int, stored: int) -> None:
    """Refuse a state of who does not own its partition.

    Raises:
        Fenced: the store has another epoch.
    """
    if stored != epoch:
        raise Fenced(
            f"Expected to own partition {partition} of the raw log under epoch {epoch}, was "
            f"epoch {stored} in the store: another process took it over; this one must stop writing"
        )
