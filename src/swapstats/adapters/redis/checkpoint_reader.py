"""Checkpoints in Redis, the reading side: a manifest, and layers of rows under it.

All keys of a shard begin with the same hash tag, so that a Cluster keeps them in one place:

    {prefix:3}:epoch       who owns the shard, as a number
    {prefix:3}:manifest    hash: `generation` (changes with every write) and `body` (Manifest)
    {prefix:3}:layers      set: names of all layers, those of failed uploads too
    {prefix:3}:layer:NAME  hash: `b<bucket>` or `t<revision>` -> checksum + bytes

A revision is a list of layers; of two rows of a bucket the one in the later layer counts. Layers
are uploaded first, in parts; the manifest is what makes them a revision, so it is switched last.
Every row carries a checksum over its bytes and its place, and every revision a seal over the rows
it stands for: how many there are and the sum of their checksums.

Nothing here writes; `checkpoints.py` does.
"""

import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from swapstats.adapters.redis.connection import TIMEOUT_MS, RedisLine, tagged
from swapstats.errors import StoreCorrupt, StoreFormat, Transient
from swapstats.model.checkpoint import CHECKPOINT_FORMAT, Checkpoint, CheckpointHeader

LAYOUT: Final = 1
"""Version of keys and manifest; a newer one is refused."""

ALWAYS: Final = 1 << 62
"""In the place of a bucket number: above all of them."""

_CRC: Final = struct.Struct("<I")
_SHARD: Final = struct.Struct("<q")
_SCAN_COUNT: Final = 128
_READ_MS_MAX: Final = 30_000


class LayeredRevision(msgspec.Struct, frozen=True):
    """One revision.

    Attributes:
        header: its header as JSON.
        layers: names of its layers, the oldest first.
        row_count: rows it stands for.
        crc_sum: sum of their checksums.
    """

    header: bytes
    layers: tuple[str, ...]
    row_count: int
    crc_sum: int


class Manifest(msgspec.Struct, frozen=True):
    """What stands for a shard: the newest revision, and the one before it."""

    newest: LayeredRevision
    previous: LayeredRevision | None
    layout: int = LAYOUT


class _LayoutOnly(msgspec.Struct):
    layout: int


class _FormatOnly(msgspec.Struct):
    format: int


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of a row without its bytes.

    Attributes:
        crc: its checksum.
        size_bytes: size of its bytes.
        bucket: its bucket; ALWAYS for tokens, which no later bucket makes obsolete.
    """

    crc: int
    size_bytes: int
    bucket: int


@dataclass(frozen=True, slots=True)
class LoadedRevision:
    """A revision as read: its checkpoint, and the rows of each of its layers by field."""

    checkpoint: Checkpoint
    rows: dict[str, dict[bytes, Row]]


@dataclass(frozen=True, slots=True)
class ShardKeys:
    """Names of a shard's keys."""

    tag: str

    @property
    def epoch(self) -> str:
        """Key of the ownership number."""
        return f"{self.tag}:epoch"

    @property
    def manifest(self) -> str:
        """Key of the manifest."""
        return f"{self.tag}:manifest"

    @property
    def layers(self) -> str:
        """Key of the set of layers."""
        return f"{self.tag}:layers"

    def layer(self, name: str) -> str:
        """Key of a layer."""
        return f"{self.tag}:layer:{name}"


@dataclass(slots=True)
class _Content:
    """Rows of a revision while they are read."""

    buckets: dict[int, tuple[Row, bytes]] = field(default_factory=dict)
    tokens: dict[int, tuple[Row, bytes]] = field(default_factory=dict)
    rows: dict[str, dict[bytes, Row]] = field(default_factory=dict)

    def seal(self) -> tuple[int, int]:
        kept = [row for row, _ in (*self.buckets.values(), *self.tokens.values())]
        return len(kept), sum(row.crc for row in kept)


class RedisCheckpointReader:
    """Reads checkpoints; works beside a writer, from any thread and any machine.

    Args:
        url: of the Redis, see `RedisLine`.
        prefix: first part of every key, without braces.
        timeout_ms: bound on each answer.
    """

    def __init__(self, url: str, prefix: str, *, timeout_ms: int = TIMEOUT_MS) -> None:
        self.line = RedisLine(url, timeout_ms=timeout_ms)
        self._prefix = prefix

    def load(self, shard: int, *, previous: bool = False) -> Checkpoint | None:
        """Read the newest whole revision of a shard (or the one before it); None if none.

        Raises:
            StoreCorrupt: the bytes are not what was written.
            StoreFormat: written by a newer version.
            Transient: Redis cannot be reached, or the shard is written faster than it is read.
        """
        loaded = self.load_rows(shard, previous=previous)
        return None if loaded is None else loaded.checkpoint

    def load_rows(self, shard: int, *, previous: bool = False) -> LoadedRevision | None:
        """Like `load`, with the rows of each layer."""
        deadline = time.monotonic() + _READ_MS_MAX / 1_000
        while True:
            generation, manifest = self.manifest(shard)
            revision = None
            if manifest is not None:
                revision = manifest.previous if previous else manifest.newest
            if revision is None:
                return None
            try:
                return self._read(shard, revision)
            except StoreCorrupt:
                # A save in between takes layers away that it does not need any more.
                if self.line.call("HGET", self.keys(shard).manifest, "generation") == generation:
                    raise
            if time.monotonic() > deadline:
                raise Transient(
                    f"Expected to read shard {shard} in {self.line.name} between two of its "
                    "writes, was written meanwhile each time: try again"
                )

    def keys(self, shard: int) -> ShardKeys:
        """Names of a shard's keys."""
        return ShardKeys(tagged(self._prefix, shard))

    def manifest(self, shard: int) -> tuple[bytes | None, Manifest | None]:
        """Read a shard's manifest and its generation; None if there is none."""
        found = self.line.call("HMGET", self.keys(shard).manifest, "generation", "body")
        generation, body = found
        return generation, None if body is None else self.unpack_manifest(shard, body)

    def unpack_manifest(self, shard: int, body: bytes) -> Manifest:
        """Check and decode a manifest; see `load` for what is raised."""
        (crc,) = _CRC.unpack_from(body.ljust(_CRC.size, b"\0"))
        packed = body[_CRC.size :]
        if crc != row_crc(packed, shard, b"manifest"):
            raise self._corrupt(shard, "manifest", "its checksum does not fit")
        try:
            layout = msgspec.msgpack.decode(packed, type=_LayoutOnly).layout
            if layout > LAYOUT:
                raise StoreFormat(
                    f"Expected checkpoint layout {LAYOUT} of shard {shard} in {self.line.name}, "
                    f"was {layout}: run the newer version of swapstats that wrote it, or start "
                    "with --rebuild"
                )
            return msgspec.msgpack.decode(packed, type=Manifest)
        except msgspec.MsgspecError as error:
            raise self._corrupt(shard, "manifest", str(error)) from error

    def header(self, shard: int, revision: LayeredRevision) -> CheckpointHeader:
        """Decode a revision's header; see `load` for what is raised."""
        try:
            written = msgspec.json.decode(revision.header, type=_FormatOnly).format
            if written > CHECKPOINT_FORMAT:
                raise StoreFormat(
                    f"Expected checkpoint format {CHECKPOINT_FORMAT} of shard {shard} in "
                    f"{self.line.name}, was {written}: run the newer version of swapstats that "
                    "wrote it, or start with --rebuild"
                )
            return msgspec.json.decode(revision.header, type=CheckpointHeader)
        except msgspec.MsgspecError as error:
            raise self._corrupt(shard, "header", str(error)) from error

    def close(self) -> None:
        """Release connections."""
        self.line.close()

    def _read(self, shard: int, revision: LayeredRevision) -> LoadedRevision:
        header = self.header(shard, revision)
        content = _Content()
        for name in revision.layers:
            rows = content.rows.setdefault(name, {})
            for row_field, value in self._scan(shard, name):
                row, data = self._check(shard, row_field, value)
                rows[row_field] = row
                number = int(row_field[1:])
                if row_field[:1] == b"t":
                    content.tokens[number] = row, data
                elif number >= header.min_bucket:
                    content.buckets[number] = row, data
        sealed = (revision.row_count, revision.crc_sum)
        if content.seal() != sealed:
            raise self._corrupt(
                shard,
                f"revision {header.revision}",
                f"Expected rows and sum of checksums {sealed}, was {content.seal()}",
            )
        checkpoint = Checkpoint(
            header,
            {number: content.buckets[number][1] for number in sorted(content.buckets)},
            tuple(content.tokens[number][1] for number in sorted(content.tokens)),
        )
        return LoadedRevision(checkpoint, content.rows)

    def _scan(self, shard: int, name: str) -> Iterator[tuple[bytes, bytes]]:
        """Rows of a layer, some at a time; a row may come twice."""
        key = self.keys(shard).layer(name)
        cursor: Any = b"0"
        while True:
            cursor, found = self.line.call("HSCAN", key, cursor, "COUNT", _SCAN_COUNT)
            yield from found.items()
            if int(cursor) == 0:
                return

    def _check(self, shard: int, row_field: bytes, value: bytes) -> tuple[Row, bytes]:
        if len(value) < _CRC.size or not row_field[1:].lstrip(b"-").isdigit():
            raise self._corrupt(shard, f"row {row_field!r}", "it is too short or has no number")
        (crc,) = _CRC.unpack_from(value)
        data = value[_CRC.size :]
        found = row_crc(data, shard, row_field)
        if found != crc:
            raise self._corrupt(
                shard, f"row {row_field!r}", f"Expected checksum {crc}, was {found}"
            )
        bucket = ALWAYS if row_field[:1] == b"t" else int(row_field[1:])
        return Row(crc, len(data), bucket), data

    def _corrupt(self, shard: int, what: str, found: str) -> StoreCorrupt:
        return StoreCorrupt(
            f"Expected the checkpoint that was written for shard {shard} in {self.line.name}, was "
            f"a damaged {what} ({found}): start with --rebuild to rebuild the state from the log"
        )


def row_crc(data: bytes, shard: int, row_field: bytes) -> int:
    """Checksum of a row's bytes and of the place they belong to."""
    return zlib.crc32(data, zlib.crc32(row_field, zlib.crc32(_SHARD.pack(shard))))


def pack_row(data: bytes, crc: int) -> bytes:
    """Put a checksum before the bytes it is of."""
    return _CRC.pack(crc) + data
