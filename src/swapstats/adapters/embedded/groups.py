"""How messages lie in the log's file: groups of records of one partition, compressed as one.

A group's raw bytes are the lengths of its messages (uint32, little endian) followed by the messages
end to end; the file keeps them compressed with zstandard. The checksum covers the stored bytes and
the place they belong to, so that a damaged column is found as well as a damaged payload.

Pure functions of bytes and arrays: nothing here knows SQLite. `log.py` stores what they make.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import zstandard
from numpy.typing import NDArray

from swapstats.model.record import MessageBlock, RecordBatch

GROUP_BYTES_MAX: Final = 1 << 20
"""Messages of one group, uncompressed; a larger message is a group by itself."""
COMPRESSION_LEVEL: Final = 1

_PLACE: Final = struct.Struct("<5q")
_LENGTH_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """A group on its way into the file, not placed yet.

    Attributes:
        partition: where it belongs.
        count: number of messages.
        raw_bytes: size before compression, lengths included.
        payload: the compressed bytes.
    """

    partition: int
    count: int
    raw_bytes: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class RecordGroup:
    """A group as read back.

    Attributes:
        base_offset: offset of its first record; the others follow without a gap.
        append_ms: when the log took it, ms since epoch.
        bounds: int64[n + 1], where each message begins and ends in `buffer`.
        buffer: uint8[...], the messages end to end; not writable.
    """

    base_offset: int
    append_ms: int
    bounds: NDArray[np.int64]
    buffer: NDArray[np.uint8]

    @property
    def next_offset(self) -> int:
        """Offset after the last record."""
        return self.base_offset + len(self.bounds) - 1


@dataclass(frozen=True, slots=True)
class Piece:
    """Records `first` to `end` (exclusive) of a group, counted from the group's first."""

    group: RecordGroup
    first: int
    end: int


def split_block(
    block: MessageBlock, partitions: NDArray[np.int32], compressor: zstandard.ZstdCompressor
) -> Iterator[StoredGroup]:
    """Cut a block into compressed groups, partitions ascending, order within each kept.

    Args:
        block: the messages.
        partitions: int32[n], the partition of each message, none negative.
        compressor: used by one thread at a time.
    """
    if not len(block):
        return
    order = np.argsort(partitions, kind="stable")
    lengths = np.diff(block.bounds)[order]
    starts = block.bounds[:-1][order]
    sums = np.concatenate(([0], np.cumsum(lengths)))
    partition_of = partitions[order]
    message_bytes = block.buffer.tobytes()
    for first, end in _cuts(partition_of, sums):
        # slice and join run in C: faster than a gather, which needs an index for every byte.
        slices = map(
            slice, starts[first:end].tolist(), (starts[first:end] + lengths[first:end]).tolist()
        )
        raw = b"".join(
            (
                lengths[first:end].astype("<u4").tobytes(),
                *map(message_bytes.__getitem__, slices),
            )
        )
        yield StoredGroup(int(partition_of[first]), end - first, len(raw), compressor.compress(raw))


def _cuts(partition_of: NDArray[np.int32], sums: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Ranges of sorted messages that share a partition and fit a group."""
    changes = (np.flatnonzero(np.diff(partition_of)) + 1).tolist()
    for first, end in zip([0, *changes], [*changes, len(partition_of)], strict=True):
        at = first
        while at < end:
            fitting = int(np.searchsorted(sums, sums[at] + GROUP_BYTES_MAX, side="right")) - 1
            cut = min(end, max(at + 1, fitting))
            yield at, cut
            at = cut


def group_crc(
    partition: int, base_offset: int, append_ms: int, count: int, raw_bytes: int, payload: bytes
) -> int:
    """Checksum of a group's stored bytes and of the place they belong to.

    Raises:
        struct.error: a number is not an integer of 64 bits.
        TypeError: the payload is not bytes.
    """
    place = _PLACE.pack(partition, base_offset, append_ms, count, raw_bytes)
    return zlib.crc32(payload, zlib.crc32(place))


def unpack_group(
    base_offset: int, append_ms: int, count: int, raw_bytes: int, payload: bytes
) -> RecordGroup:
    """Decompress a group.

    Raises:
        ValueError: the payload does not hold `count` messages in `raw_bytes` bytes.
        zstandard.ZstdError: the payload cannot be decompressed.
    """
    # A damaged frame may claim any size: it must not be believed before memory is taken for it.
    if zstandard.frame_content_size(payload) != raw_bytes or count < 1:
        raise ValueError(f"Expected a frame of {raw_bytes} bytes and some messages, was another")
    raw = zstandard.ZstdDecompressor().decompress(payload)
    head_bytes = count * _LENGTH_BYTES
    if len(raw) != raw_bytes or head_bytes > raw_bytes:
        raise ValueError(f"Expected {raw_bytes} bytes of {count} messages, was {len(raw)} bytes")
    bounds = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.frombuffer(raw, dtype="<u4", count=count), out=bounds[1:])
    if int(bounds[-1]) != raw_bytes - head_bytes:
        raise ValueError(f"Expected messages of {raw_bytes - head_bytes} bytes, was {bounds[-1]}")
    return RecordGroup(
        base_offset, append_ms, bounds, np.frombuffer(raw, dtype=np.uint8, offset=head_bytes)
    )


def fit_piece(group: RecordGroup, first: int, bytes_max: int) -> Piece:
    """Take messages of a group from `first` on, as many whole ones as fit; may be none."""
    limit = int(group.bounds[first]) + bytes_max
    end = int(np.searchsorted(group.bounds, limit, side="right")) - 1
    return Piece(group, first, max(first, end))


def join_pieces(partition: int, pieces: list[Piece]) -> RecordBatch | None:
    """Lay pieces end to end as one batch with arrays of its own; None if there are none."""
    if not pieces:
        return None
    bounds = [np.zeros(1, dtype=np.int64)]
    filled = 0
    for piece in pieces:
        part = piece.group.bounds[piece.first : piece.end + 1]
        bounds.append(part[1:] - part[0] + filled)
        filled += int(part[-1] - part[0])
    return RecordBatch(
        partition=partition,
        offsets=np.concatenate(
            [
                np.arange(piece.first, piece.end, dtype=np.int64) + piece.group.base_offset
                for piece in pieces
            ]
        ),
        append_ms=np.repeat(
            np.array([piece.group.append_ms for piece in pieces], dtype=np.int64),
            [piece.end - piece.first for piece in pieces],
        ),
        buffer=np.concatenate(
            [
                piece.group.buffer[piece.group.bounds[piece.first] : piece.group.bounds[piece.end]]
                for piece in pieces
            ]
        ),
        bounds=np.concatenate(bounds),
    )
