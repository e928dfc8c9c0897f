"""The checkpoint store's reading side: one SQLite file, read beside its writer.

`headers` holds the two newest revisions of each shard, `buckets` and `tokens` what they stand for.
Every row carries a checksum over its bytes and its place, and every header a seal over the rows it
stands for: how many there are and the sum of their checksums, so that a row that went missing, with
an older one in its stead or none, is found as well as a damaged one.

Nothing here writes; `checkpoints.py` does, and tells which rows a revision reads.
"""

import sqlite3
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from swapstats.adapters.embedded.database import ReadPool, StoreKind
from swapstats.errors import StoreCorrupt, StoreFormat
from swapstats.model.checkpoint import CHECKPOINT_FORMAT, Checkpoint, CheckpointHeader

CHECKPOINT_KIND: Final = StoreKind(
    name="checkpoint store",
    application_id=0x53574350,
    version=1,
    page_bytes=16_384,
    schema=(
        "CREATE TABLE epochs (shard INTEGER PRIMARY KEY, epoch INTEGER NOT NULL)",
        """CREATE TABLE headers (
            shard INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            base INTEGER NOT NULL,
            min_bucket INTEGER NOT NULL,
            row_count INTEGER NOT NULL,
            crc_sum INTEGER NOT NULL,
            crc INTEGER NOT NULL,
            header BLOB NOT NULL,
            PRIMARY KEY (shard, revision))""",
        """CREATE TABLE buckets (
            shard INTEGER NOT NULL,
            bucket INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            crc INTEGER NOT NULL,
            data BLOB NOT NULL)""",
        # The checksum is in it so that a header's seal is made from the index alone.
        "CREATE INDEX buckets_by_number ON buckets (shard, bucket, revision, crc)",
        "CREATE INDEX buckets_by_revision ON buckets (shard, revision, bucket)",
        """CREATE TABLE tokens (
            shard INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            crc INTEGER NOT NULL,
            data BLOB NOT NULL,
            PRIMARY KEY (shard, revision))""",
    ),
)

_PLACE: Final = struct.Struct("<5q")


class _FormatOnly(msgspec.Struct):
    """The one member of a header that every version has."""

    format: int


@dataclass(frozen=True, slots=True)
class _KeptHeader:
    """A header as it lies in the file, its place in the chain of revisions checked."""

    header: CheckpointHeader
    base: int


def row_crc(data: bytes, *place: int) -> int:
    """Checksum of a row's bytes and of its place.

    Args:
        data: the bytes.
        place: (shard, bucket, revision) of a bucket, (shard, revision) of tokens, (shard, revision,
            base, row_count, crc_sum) of a header.

    Raises:
        struct.error: a number is not an integer of 64 bits.
        TypeError: `data` is not bytes.
    """
    return zlib.crc32(data, zlib.crc32(_PLACE.pack(*place, *[0] * (5 - len(place)))))


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
                "SELECT revision, base, row_count, crc_sum, crc, header FROM headers "
                "WHERE shard = ? ORDER BY revision DESC LIMIT 1 OFFSET ?",
                (shard, int(previous)),
            ).fetchone()
            if row is None:
                return None
            kept = self._check_header(shard, row)
            buckets, bucket_crcs = self._load_buckets(connection, kept)
            tokens, token_crcs = self._load_tokens(connection, kept)
            sealed = (row[2], row[3])
            found = (len(buckets) + len(tokens), sum(bucket_crcs) + sum(token_crcs))
            if found != sealed:
                raise self._corrupt(
                    shard,
                    f"revision {kept.header.revision}",
                    f"Expected rows and sum of checksums {sealed}, was {found}",
                )
            return Checkpoint(kept.header, buckets, tokens)

    def has_revisions(self) -> bool:
        """Whether any shard has a checkpoint here."""
        with self._pool.snapshot() as connection:
            return connection.execute("SELECT 1 FROM headers LIMIT 1").fetchone() is not None

    def close(self) -> None:
        """Release files and connections."""
        self._pool.close()

    def _check_header(self, shard: int, row: tuple[Any, ...]) -> _KeptHeader:
        revision, base, row_count, crc_sum, crc, data = row
        what = f"header of revision {revision}"
        self._check(shard, what, crc, data, (revision, base, row_count, crc_sum))
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
        return _KeptHeader(header, base)

    def _load_buckets(
        self, connection: sqlite3.Connection, kept: _KeptHeader
    ) -> tuple[dict[int, bytes], list[int]]:
        """The buckets of a revision by number, and their checksums."""
        header = kept.header
        rows = connection.execute(
            "SELECT bucket, revision, crc, data FROM buckets "
            "WHERE shard = ? AND bucket >= ? AND revision BETWEEN ? AND ? "
            "ORDER BY bucket, revision",
            (header.shard, header.min_bucket, kept.base, header.revision),
        )
        buckets: dict[int, bytes] = {}
        crcs: dict[int, int] = {}
        for bucket, revision, crc, data in rows:
            self._check(header.shard, f"bucket {bucket}", crc, data, (bucket, revision))
            # Of two rows the later one wins: it comes second.
            buckets[bucket] = data
            crcs[bucket] = crc
        return buckets, list(crcs.values())

    def _load_tokens(
        self, connection: sqlite3.Connection, kept: _KeptHeader
    ) -> tuple[tuple[bytes, ...], list[int]]:
        """The token blobs of a revision in the order they were written, and their checksums."""
        header = kept.header
        rows = connection.execute(
            "SELECT revision, crc, data FROM tokens "
            "WHERE shard = ? AND revision BETWEEN ? AND ? ORDER BY revision",
            (header.shard, kept.base, header.revision),
        ).fetchall()
        for revision, crc, data in rows:
            self._check(header.shard, f"tokens of revision {revision}", crc, data, (revision,))
        return tuple(data for _, _, data in rows), [crc for _, crc, _ in rows]

    def _check(self, shard: int, what: str, crc: int, data: bytes, place: tuple[int, ...]) -> None:
        try:
            found = row_crc(data, shard, *place)
        except (TypeError, struct.error) as error:
            raise self._corrupt(shard, what, str(error)) from error
        if found != crc:
            raise self._corrupt(shard, what, f"Expected checksum {crc}, was {found}")

    def _corrupt(self, shard: int, what: str, found: str) -> StoreCorrupt:
        return StoreCorrupt(
            f"Expected the checkpoint that was written for shard {shard} in {self._path}, was a "
            f"damaged {what} ({found}): start with --rebuild to rebuild the state from the log"
        )
