"""How a shard's checkpoints lie in object storage: segments, their indexes, and one head.

    <prefix>/00003/head                  replaced under a condition; the only object that changes
    <prefix>/00003/7-00000041-<id>       a segment: what revision 41 of epoch 7 added, and its index
    <prefix>/00003/7-00000041-<id>.moved blobs copied out of old segments (`compaction.py`)

A segment is blobs end to end, then the packed index of its revision: for every live bucket and
every token blob, the segment, the place within it and the checksum. The head names the two newest
revisions by where their indexes are, the shard's epoch, and the objects nothing needs any more.

Nothing here reads or writes an object.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from swapstats.errors import StoreCorrupt, StoreFormat

LAYOUT: Final = 1
"""Layout version of heads and indexes; a newer one is refused."""
HEAD: Final = "head"
TOKENS_PLACE: Final = -1
_PLACE: Final = struct.Struct("<2q")


class RevisionPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where a revision's index is.

    Attributes:
        revision: its number.
        segment: name of the segment the index ends.
        start: first byte of the packed index.
        size_bytes: length of the packed index.
        crc: checksum of the packed index.
    """

    revision: int
    segment: str
    start: int
    size_bytes: int
    crc: int


class Garbage(msgspec.Struct, frozen=True):
    """An object nothing needs any more.

    Attributes:
        segment: its name.
        since: number of saves when it became garbage.
    """

    segment: str
    since: int


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The one object of a shard that changes.

    Attributes:
        layout: see LAYOUT.
        epoch: ownership number.
        saves: saves ever made; unlike revisions it never goes back.
        newest: the newest revision; None before the first save.
        previous: the one before it.
        garbage: objects to be deleted when their time has come.
    """

    layout: int
    epoch: int
    saves: int = 0
    newest: RevisionPlace | None = None
    previous: RevisionPlace | None = None
    garbage: tuple[Garbage, ...] = ()


@dataclass(frozen=True, slots=True)
class Blobs:
    """Where blobs are, as columns of equal length.

    Attributes:
        number: int64[n], bucket numbers, ascending; for token blobs 0, 1, 2 ...
        segment: int32[n], position in `RevisionIndex.segments`.
        start: int64[n], first byte within the segment.
        size: int64[n], bytes.
        crc: uint32[n], checksum of bytes and place.
    """

    number: NDArray[np.int64]
    segment: NDArray[np.int32]
    start: NDArray[np.int64]
    size: NDArray[np.int64]
    crc: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.number)

    def chosen(self, mask: NDArray[np.bool_]) -> "Blobs":
        """Those where the mask is true."""
        return Blobs(
            self.number[mask],
            self.segment[mask],
            self.start[mask],
            self.size[mask],
            self.crc[mask],
        )


@dataclass(frozen=True, slots=True)
class RevisionIndex:
    """What one revision stands for.

    Attributes:
        header: the encoded header.
        segments: names of the segments that hold its blobs.
        sizes: int64[...], bytes of all blobs ever put into each segment, its index apart.
        buckets: live buckets.
        tokens: token blobs, in the order they were written.
    """

    header: bytes
    segments: tuple[str, ...]
    sizes: NDArray[np.int64]
    buckets: Blobs
    tokens: Blobs


def no_blobs() -> Blobs:
    """No blob at all."""
    return Blobs(
        np.zeros(0, dtype=np.int64),
        np.zeros(0, dtype=np.int32),
        np.zeros(0, dtype=np.int64),
        np.zeros(0, dtype=np.int64),
        np.zeros(0, dtype=np.uint32),
    )


def joined(first: Blobs, second: Blobs) -> Blobs:
    """Both lists end to end."""
    return Blobs(
        np.concatenate((first.number, second.number)),
        np.concatenate((first.segment, second.segment)),
        np.concatenate((first.start, second.start)),
        np.concatenate((first.size, second.size)),
        np.concatenate((first.crc, second.crc)),
    )


def replaced(older: Blobs, newer: Blobs) -> Blobs:
    """Both lists as one, ascending by number; of two with one number the newer one stands.

    Each list by itself holds a number at most once.
    """
    both = joined(older.chosen(~np.isin(older.number, newer.number)), newer)
    order = np.argsort(both.number, kind="stable")
    return Blobs(
        both.number[order],
        both.segment[order],
        both.start[order],
        both.size[order],
        both.crc[order],
    )


def without_unused(index: RevisionIndex) -> RevisionIndex:
    """The same, with only those segments that hold a blob."""
    used = np.union1d(index.buckets.segment, index.tokens.segment)
    position = np.zeros(len(index.segments), dtype=np.int32)
    position[used] = np.arange(len(used), dtype=np.int32)
    return RevisionIndex(
        index.header,
        tuple(index.segments[at] for at in used.tolist()),
        index.sizes[used],
        _moved_to(index.buckets, position),
        _moved_to(index.tokens, position),
    )


def _moved_to(blobs: Blobs, position: NDArray[np.int32]) -> Blobs:
    return Blobs(blobs.number, position[blobs.segment], blobs.start, blobs.size, blobs.crc)


def blob_crc(data: bytes | memoryview, shard: int, number: int) -> int:
    """Checksum of a blob's bytes and of whose they are; TOKENS_PLACE for token blobs."""
    return zlib.crc32(data, zlib.crc32(_PLACE.pack(shard, number)))


def shard_folder(shard: int) -> str:
    """Folder of a shard's objects."""
    return f"{shard:05d}"


def encode_head(head: Head) -> bytes:
    """Write a head: its checksum on the first line, JSON on the second."""
    body = msgspec.json.encode(head)
    return b"%08x\n%s\n" % (zlib.crc32(body), body)


def decode_head(content: bytes, place: str) -> Head:
    """Read a head back; the inverse of `encode_head`.

    Raises:
        StoreCorrupt: the bytes are not what was written.
        StoreFormat: written by a newer version.
    """
    crc, _, body = content.rstrip(b"\n").partition(b"\n")
    if crc != b"%08x" % zlib.crc32(body):
        raise corrupt(place, f"Expected checksum {zlib.crc32(body):08x}, was {crc[:8]!r}")
    try:
        layout = msgspec.json.decode(body, type=dict[str, Any]).get("layout")
        if not isinstance(layout, int) or layout > LAYOUT:
            raise StoreFormat(
                f"Expected checkpoint layout {LAYOUT} in {place}, was {layout}: run the newer "
                "version of swapstats that wrote it, or start with --rebuild"
            )
        return msgspec.json.decode(body, type=Head)
    except msgspec.MsgspecError as error:
        raise corrupt(place, str(error)) from error


def encode_index(index: RevisionIndex) -> bytes:
    """Write an index: compressed msgpack of columns."""
    columns = [
        index.header,
        index.segments,
        index.sizes.tobytes(),
        _encode_blobs(index.buckets),
        _encode_blobs(index.tokens),
    ]
    return zlib.compress(msgspec.msgpack.encode(columns), level=1)


def decode_index(content: bytes, place: RevisionPlace, where: str) -> RevisionIndex:
    """Read an index back; the inverse of `encode_index`.

    Raises:
        StoreCorrupt: the bytes are not what was written.
    """
    crc = zlib.crc32(content)
    if (len(content), crc) != (place.size_bytes, place.crc):
        raise corrupt(where, f"Expected an index with checksum {place.crc}, was {crc}")
    try:
        header, segments, sizes, buckets, tokens = msgspec.msgpack.decode(
            zlib.decompress(content),
            type=tuple[bytes, tuple[str, ...], bytes, _Columns, _Columns],
        )
        return RevisionIndex(
            header,
            segments,
            np.frombuffer(sizes, dtype=np.int64),
            _decode_blobs(buckets),
            _decode_blobs(tokens),
        )
    except (msgspec.MsgspecError, zlib.error, ValueError) as error:
        raise corrupt(where, str(error)) from error


def corrupt(where: str, found: str) -> StoreCorrupt:
    """Say that bytes are not what was written."""
    return StoreCorrupt(
        f"Expected the checkpoint that was written in {where}, was a damaged one ({found}): start "
        "with --rebuild to rebuild the state from the log"
    )


_Columns = tuple[bytes, bytes, bytes, bytes, bytes]


def _encode_blobs(blobs: Blobs) -> _Columns:
    # Numbers and places of neighbours are close: their differences are what compresses.
    return (
        np.diff(blobs.number, prepend=0).tobytes(),
        blobs.segment.astype(np.int32).tobytes(),
        np.diff(blobs.start, prepend=0).tobytes(),
        blobs.size.astype(np.int64).tobytes(),
        blobs.crc.astype(np.uint32).tobytes(),
    )


def _decode_blobs(columns: _Columns) -> Blobs:
    number, segment, start, size, crc = columns
    return Blobs(
        np.cumsum(np.frombuffer(number, dtype=np.int64)),
        np.frombuffer(segment, dtype=np.int32),
        np.cumsum(np.frombuffer(start, dtype=np.int64)),
        np.frombuffer(size, dtype=np.int64),
        np.frombuffer(crc, dtype=np.uint32),
    )
