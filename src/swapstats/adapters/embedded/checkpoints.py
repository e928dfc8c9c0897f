"""Checkpoints in one SQLite file: atomic, incremental, fenced.

Each revision of a shard is one transaction that adds its header, the buckets that changed and the
new tokens, and drops what neither it nor the revision before it needs. A bucket lies there at most
twice: as the newest revision needs it and as the one before does.

    revision       57        58        59 (newest)
    bucket 100     row                          both 58 and 59 read this row
    bucket 101     row       row                56's row went when 58 was saved
    bucket 102               row       row

`base` of a revision is the newest full revision at or below it: nothing older belongs to it.
The store never looks into a bucket or a token blob; every row carries a checksum over its bytes
and its place, and every header the number of buckets it stands for.
"""

import sqlite3
import struct
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from swapstats.adapters.embedded.database import (
    Durability,
    Faults,
    ReadPool,
    StoreKind,
    no_faults,
    open_writer,
    reclaim,
    write_transaction,
)
from swapstats.errors import Fenced, InvariantBroken, StoreCorrupt, StoreFormat
from swapstats.model.checkpoint import (
    CHECKPOINT_FORMAT,
    Checkpoint,
    CheckpointDelta,
    CheckpointHeader,
)

FAULT_POINTS: Final = (
    "checkpoint.begin",
    "checkpoint.bucket",
    "checkpoint.tokens",
    "checkpoint.header",
    "checkpoint.prune",
    "checkpoint.commit",
    "checkpoint.done",
)
"""Steps at which a fault plan may stop a save, in the order they come."""

CHECKPOINT_KIND: Final = StoreKind(
    name="checkpoint store",
    application_id=0x53574350,
    version=1,
    schema=(
        "CREATE TABLE epochs (shard INTEGER PRIMARY KEY, epoch INTEGER NOT NULL)",
        """CREATE TABLE headers (
            shard INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            base INTEGER NOT NULL,
            min_bucket INTEGER NOT NULL,
            bucket_count INTEGER NOT NULL,
            crc INTEGER NOT NULL,
            header BLOB NOT NULL,
            PRIMARY KEY (shard, revision))""",
        """CREATE TABLE buckets (
            shard INTEGER NOT NULL,
            bucket INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            crc INTEGER NOT NULL,
            data BLOB NOT NULL)""",
        "CREATE UNIQUE INDEX buckets_by_number ON buckets (shard, bucket, revision)",
        "CREATE INDEX buckets_by_revision ON buckets (shard, revision, bucket)",
        """CREATE TABLE tokens (
            shard INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            crc INTEGER NOT NULL,
            data BLOB NOT NULL,
            PRIMARY KEY (shard, revision))""",
    ),
)

_PLACE: Final = struct.Struct("<4q")


class _FormatOnly(msgspec.Struct):
    """The one member of a header that every version has."""

    format: int


@dataclass(frozen=True, slots=True)
class _KeptHeader:
    """A header as it lies in the file, its place in the chain of revisions checked."""

    header: CheckpointHeader
    base: int
    bucket_count: int


def _crc(data: bytes, shard: int, first: int, second: int, third: int) -> int:
    return zlib.crc32(data, zlib.crc32(_PLACE.pack(shard, first, second, third)))


class EmbeddedCheckpointReader:
    """Reads checkpoints; works beside a writer in another process and from any thread.

    Args:
        path: the store's file.

    Raises:
        StoreCorrupt: not a checkpoint store, or damaged.
        StoreFormat: written by a newer version.
        StoreError: there is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pool = ReadPool(path, CHECKPOINT_KIND)

    def load(self, shard: int, *, previous: bool = False) -> Checkpoint | None:
        """Read the newest whole revision of a shard (or the one before it); None if none.

        Raises:
            StoreCorrupt: the bytes are not what was written.
            StoreFormat: written by a newer version.
        """
        with self._pool.snapshot() as connection:
            row = connection.execute(
                "SELECT revision, base, bucket_count, crc, header FROM headers "
                "WHERE shard = ? ORDER BY revision DESC LIMIT 1 OFFSET ?",
                (shard, int(previous)),
            ).fetchone()
            if row is None:
                return None
            kept = self._check_header(shard, row)
            return Checkpoint(
                header=kept.header,
                buckets=self._load_buckets(connection, kept),
                tokens=self._load_tokens(connection, kept),
            )

    def close(self) -> None:
        """Release files and connections."""
        self._pool.close()

    def _check_header(self, shard: int, row: tuple[Any, ...]) -> _KeptHeader:
        revision, base, bucket_count, crc, data = row
        what = f"header of revision {revision}"
        self._check(shard, what, crc, data, (revision, base, bucket_count))
        try:
            written = msgspec.json.decode(data, type=_FormatOnly).format
            if written > CHECKPOINT_FORMAT:
                raise StoreFormat(
                    f"Expected checkpoint format {CHECKPOINT_FORMAT} of shard {shard} in "
                    f"{self._path}, was {written}: run the newer version of swapstats that wrote "
                    "it, or start with --rebuild"
                )
            header = msgspec.json.decode(data, type=CheckpointHeader)
        except msgspec.MsgspecError as error:
            raise self._corrupt(shard, what, str(error)) from error
        return _KeptHeader(header, base, bucket_count)

    def _load_buckets(self, connection: sqlite3.Connection, kept: _KeptHeader) -> dict[int, bytes]:
        header = kept.header
        rows = connection.execute(
            "SELECT bucket, revision, crc, data FROM buckets "
            "WHERE shard = ? AND bucket >= ? AND revision BETWEEN ? AND ? "
            "ORDER BY bucket, revision",
            (header.shard, header.min_bucket, kept.base, header.revision),
        )
        buckets: dict[int, bytes] = {}
        for bucket, revision, crc, data in rows:
            self._check(header.shard, f"bucket {bucket}", crc, data, (bucket, revision, 0))
            # Of two rows the later one wins: it comes second.
            buckets[bucket] = data
        if len(buckets) != kept.bucket_count:
            raise self._corrupt(
                header.shard,
                f"revision {header.revision}",
                f"Expected {kept.bucket_count} buckets, was {len(buckets)}",
            )
        return buckets

    def _load_tokens(self, connection: sqlite3.Connection, kept: _KeptHeader) -> tuple[bytes, ...]:
        header = kept.header
        rows = connection.execute(
            "SELECT revision, crc, data FROM tokens "
            "WHERE shard = ? AND revision BETWEEN ? AND ? ORDER BY revision",
            (header.shard, kept.base, header.revision),
        )
        tokens = []
        for revision, crc, data in rows:
            self._check(header.shard, f"tokens of revision {revision}", crc, data, (revision, 0, 0))
            tokens.append(data)
        return tuple(tokens)

    def _check(
        self, shard: int, what: str, crc: int, data: bytes, place: tuple[int, int, int]
    ) -> None:
        try:
            found = _crc(data, shard, *place)
        except (TypeError, struct.error) as error:
            raise self._corrupt(shard, what, str(error)) from error
        if found != crc:
            raise self._corrupt(shard, what, f"Expected checksum {crc}, was {found}")

    def _corrupt(self, shard: int, what: str, found: str) -> StoreCorrupt:
        return StoreCorrupt(
            f"Expected the checkpoint that was written for shard {shard} in {self._path}, was a "
            f"damaged {what} ({found}): start with --rebuild to rebuild the state from the log"
        )


class EmbeddedCheckpointStore:
    """The writer of checkpoints, and their reader for the same process; from any thread.

    Args:
        path: the store's file; created if there is none.
        durability: `process` or `full`.
        faults: called between any two steps, see FAULT_POINTS.

    Raises:
        StoreFull: no space to create the file.
        StoreCorrupt: not a checkpoint store, or damaged.
        StoreFormat: written by a newer version.
    """

    def __init__(
        self, path: Path, *, durability: Durability = "process", faults: Faults | None = None
    ) -> None:
        self._path = path
        self._faults = faults or no_faults
        self._lock = threading.Lock()
        self._connection = open_writer(path, CHECKPOINT_KIND, durability)
        try:
            self._reader = EmbeddedCheckpointReader(path)
        except BaseException:
            self._connection.close()
            raise

    def load(self, shard: int, *, previous: bool = False) -> Checkpoint | None:
        """Read the newest whole revision of a shard (or the one before it); None if none.

        Raises:
            StoreCorrupt: the bytes are not what was written.
            StoreFormat: written by a newer version.
        """
        return self._reader.load(shard, previous=previous)

    def has_revisions(self) -> bool:
        """Whether any shard has a checkpoint here."""
        with self._lock, translated(self._path, CHECKPOINT_KIND):
            return bool(
                self._connection.execute("SELECT EXISTS (SELECT 1 FROM revisions)").fetchone()[0]
            )

    def acquire(self, shard: int) -> int:
        """Become the shard's owner: raise its epoch and return it (1 at first).

        Raises:
            StoreFull: no space; the epoch stands.
            StoreCorrupt: a damaged file.
        """
        with self._lock, write_transaction(self._connection, self._path, CHECKPOINT_KIND):
            (epoch,) = self._connection.execute(
                "INSERT INTO epochs VALUES (?, 1) "
                "ON CONFLICT (shard) DO UPDATE SET epoch = epoch + 1 RETURNING epoch",
                (shard,),
            ).fetchone()
        return int(epoch)

    def save(self, delta: CheckpointDelta) -> None:
        """Write one revision: all of it or nothing.

        A delta builds on the revision right before it. One that is not the newest in the store
        (its owner restored the previous revision) replaces those from its number on.

        Raises:
            Fenced: the shard's epoch in the store is higher than the delta's.
            StoreFull: no space; the previous revision stands.
            StoreCorrupt: a damaged file; the previous revision stands.
            InvariantBroken: the epoch was not acquired, or the revision builds on none.
        """
        with self._lock:
            with write_transaction(self._connection, self._path, CHECKPOINT_KIND):
                self._faults("checkpoint.begin")
                self._check_epoch(delta.header)
                self._write(delta)
                self._faults("checkpoint.commit")
            self._faults("checkpoint.done")
            reclaim(self._connection)

    def close(self) -> None:
        """Release files and connections."""
        with self._lock:
            self._reader.close()
            self._connection.close()

    def _check_epoch(self, header: CheckpointHeader) -> None:
        row = self._connection.execute(
            "SELECT epoch FROM epochs WHERE shard = ?", (header.shard,)
        ).fetchone()
        epoch = 0 if row is None else row[0]
        if epoch > header.epoch:
            raise Fenced(
                f"Expected to own shard {header.shard} under epoch {header.epoch}, was taken over "
                f"under epoch {epoch}: this instance must stop writing"
            )
        if epoch < header.epoch:
            raise InvariantBroken(
                f"Expected an acquired epoch of shard {header.shard} (at most {epoch}), was "
                f"{header.epoch}: acquire the shard before saving"
            )

    def _write(self, delta: CheckpointDelta) -> None:
        shard, revision = delta.header.shard, delta.header.revision
        for table in ("headers", "buckets", "tokens"):
            self._connection.execute(
                f"DELETE FROM {table} WHERE shard = ? AND revision >= ?",  # noqa: S608 - constants
                (shard, revision),
            )
        before = self._connection.execute(
            "SELECT revision, base, min_bucket FROM headers WHERE shard = ? "
            "ORDER BY revision DESC LIMIT 1",
            (shard,),
        ).fetchone()
        base = revision if delta.full else self._base_of(delta.header, before)
        for bucket, data in delta.buckets.items():
            crc = _crc(data, shard, bucket, revision, 0)
            self._connection.execute(
                "INSERT INTO buckets VALUES (?, ?, ?, ?, ?)", (shard, bucket, revision, crc, data)
            )
            self._faults("checkpoint.bucket")
        if delta.tokens:
            crc = _crc(delta.tokens, shard, revision, 0, 0)
            self._connection.execute(
                "INSERT INTO tokens VALUES (?, ?, ?, ?)", (shard, revision, crc, delta.tokens)
            )
        self._faults("checkpoint.tokens")
        self._write_header(delta.header, base)
        self._faults("checkpoint.header")
        self._prune(delta.header, *(before or (revision, revision, delta.header.min_bucket)))
        self._faults("checkpoint.prune")

    @staticmethod
    def _base_of(header: CheckpointHeader, before: tuple[int, int, int] | None) -> int:
        """The full revision a delta builds on, through the one right before it."""
        if before is None and header.revision == 1:
            return 1
        if before is None or before[0] != header.revision - 1:
            newest = "none" if before is None else before[0]
            raise InvariantBroken(
                f"Expected revision {header.revision - 1} of shard {header.shard} to build "
                f"{header.revision} on, was {newest}: save a full revision instead"
            )
        return before[1]

    def _write_header(self, header: CheckpointHeader, base: int) -> None:
        shard, revision, min_bucket = header.shard, header.revision, header.min_bucket
        (count,) = self._connection.execute(
            "SELECT COUNT(DISTINCT bucket) FROM buckets "
            "WHERE shard = ? AND bucket >= ? AND revision BETWEEN ? AND ?",
            (shard, min_bucket, base, revision),
        ).fetchone()
        data = msgspec.json.encode(header)
        crc = _crc(data, shard, revision, base, count)
        self._connection.execute(
            "INSERT INTO headers VALUES (?, ?, ?, ?, ?, ?, ?)",
            (shard, revision, base, min_bucket, count, crc, data),
        )

    def _prune(self, header: CheckpointHeader, before: int, base: int, min_bucket: int) -> None:
        """Drop what neither this revision nor the one before it needs.

        Args:
            header: of this revision.
            before: the revision before it; its own number if there is none.
            base: the full revision `before` builds on; nothing older is needed.
            min_bucket: lowest bucket `before` holds.
        """
        shard = header.shard
        execute = self._connection.execute
        execute("DELETE FROM headers WHERE shard = ? AND revision < ?", (shard, before))
        execute("DELETE FROM tokens WHERE shard = ? AND revision < ?", (shard, base))
        execute("DELETE FROM buckets WHERE shard = ? AND revision < ?", (shard, base))
        execute(
            "DELETE FROM buckets WHERE shard = ? AND bucket < ?",
            (shard, min(header.min_bucket, min_bucket)),
        )
        # Rows older than those `before` wrote: this revision reads those too, or its own.
        execute(
            "DELETE FROM buckets WHERE rowid IN ("
            "SELECT older.rowid FROM buckets AS kept CROSS JOIN buckets AS older "
            "ON older.shard = kept.shard AND older.bucket = kept.bucket "
            "AND older.revision < kept.revision "
            "WHERE kept.shard = ? AND kept.revision = ?)",
            (shard, before),
        )
