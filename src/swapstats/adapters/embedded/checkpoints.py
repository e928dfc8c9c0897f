"""Checkpoints in one SQLite file: atomic, incremental, fenced.

Each revision of a shard is one transaction that adds its header, the buckets that changed and the
new tokens, and drops what neither it nor the revision before it needs. A bucket lies there at most
twice: as the newest revision needs it and as the one before does.

    revision       57        58        59 (newest)
    bucket 100     row                          both 58 and 59 read this row
    bucket 101     row       row                56's row went when 58 was saved
    bucket 102               row       row

`base` of a revision is the newest full revision at or below it: nothing older belongs to it.
The store never looks into a bucket or a token blob. Loading, here and in other processes, goes
through `checkpoint_reader.py` and never waits for a save.
"""

import threading
from pathlib import Path
from typing import Final

import msgspec

from swapstats.adapters.embedded.checkpoint_reader import (
    CHECKPOINT_KIND,
    EmbeddedCheckpointReader,
    row_crc,
)
from swapstats.adapters.embedded.database import (
    Durability,
    Faults,
    no_faults,
    open_writer,
    reclaim,
    write_transaction,
)
from swapstats.errors import Fenced, InvariantBroken
from swapstats.model.checkpoint import Checkpoint, CheckpointDelta, CheckpointHeader

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
        return self._reader.has_revisions()

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
            crc = row_crc(data, shard, bucket, revision)
            self._connection.execute(
                "INSERT INTO buckets VALUES (?, ?, ?, ?, ?)", (shard, bucket, revision, crc, data)
            )
            self._faults("checkpoint.bucket")
        if delta.tokens:
            crc = row_crc(delta.tokens, shard, revision)
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
        # MAX picks the row whose checksum counts: of a bucket's rows, the one that is read.
        row_count, crc_sum = self._connection.execute(
            "SELECT COUNT(*), COALESCE(SUM(crc), 0) FROM ("
            "SELECT crc, MAX(revision) FROM buckets "
            "WHERE shard = :shard AND bucket >= :min_bucket "
            "AND revision BETWEEN :base AND :revision "
            "GROUP BY bucket UNION ALL SELECT crc, revision FROM tokens "
            "WHERE shard = :shard AND revision BETWEEN :base AND :revision)",
            {"shard": shard, "min_bucket": min_bucket, "base": base, "revision": revision},
        ).fetchone()
        data = msgspec.json.encode(header)
        crc = row_crc(data, shard, revision, base, row_count, crc_sum)
        self._connection.execute(
            "INSERT INTO headers VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (shard, revision, base, min_bucket, row_count, crc_sum, crc, data),
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
