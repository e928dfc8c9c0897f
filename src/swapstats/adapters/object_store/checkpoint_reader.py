"""Reading checkpoints out of object storage, beside their writer and from any process.

A reader takes the head, then the index it names, then byte ranges of the segments, several at a
time, with a bound on what is under way. Segments a former head named may be gone: then the head is
read again. Nothing here writes.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from swapstats.adapters.object_store.layout import (
    HEAD,
    TOKENS_PLACE,
    Blobs,
    Head,
    RevisionIndex,
    RevisionPlace,
    blob_crc,
    corrupt,
    decode_head,
    decode_index,
    shard_folder,
)
from swapstats.adapters.object_store.objects import ObjectGone, Objects
from swapstats.errors import StoreFormat, Transient
from swapstats.model.checkpoint import CHECKPOINT_FORMAT, Checkpoint, CheckpointHeader

CHUNK_BYTES_MAX: Final = 8 << 20
"""Most bytes of one request (at least one blob)."""
CHUNKS_MAX: Final = 8
"""Requests under way at once."""
GAP_BYTES_MAX: Final = 256 << 10
"""Dead bytes between two blobs that are rather read along than asked for around."""
LOOKS_MAX: Final = 20
"""Times a head is read again because a segment of an older one was gone."""


class _FormatOnly(msgspec.Struct):
    """The one member of a header that every version has."""

    format: int


@dataclass(frozen=True, slots=True)
class HeldHead:
    """A head as it lies in the store.

    Attributes:
        head: what it says.
        etag: condition for its replacement.
    """

    head: Head
    etag: str


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Blobs of one segment that lie close together, read by one request."""

    segment: str
    rows: Blobs
    is_tokens: bool


class ObjectCheckpointReader:
    """Reads checkpoints; from any thread.

    Args:
        objects: where they are.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def load(self, shard: int, *, previous: bool = False) -> Checkpoint | None:
        """Read the newest whole revision of a shard (or the one before it); None if none.

        Raises:
            StoreCorrupt: the bytes are not what was written, or are gone.
            StoreFormat: written by a newer version.
            Transient: the store cannot be reached.
            StoreError: access denied.
        """
        seen: Head | None = None
        for _ in range(LOOKS_MAX):
            held = self.head(shard)
            place = None if held is None else _chosen(held.head, previous=previous)
            if held is None or place is None:
                return None
            try:
                return self._load(shard, self.index(shard, place))
            except ObjectGone as error:
                # A writer may have moved on while this read; the same head twice is a loss.
                if held.head == seen:
                    raise corrupt(self._where(shard), f"no object {error}") from error
                seen = held.head
        raise Transient(
            f"Expected to load shard {shard} from {self._where(shard)} within {LOOKS_MAX} looks, "
            "was overtaken by its writer each time"
        )

    def close(self) -> None:
        """Release nothing: connections belong to the client library."""

    def head(self, shard: int) -> HeldHead | None:
        """Read a shard's head; None if it has none.

        Raises:
            StoreCorrupt: the bytes are not what was written.
            StoreFormat: written by a newer version.
            Transient: the store cannot be reached.
        """
        try:
            content, etag = self._objects.get(f"{shard_folder(shard)}/{HEAD}")
        except ObjectGone:
            return None
        return HeldHead(decode_head(content, self._where(shard)), etag)

    def index(self, shard: int, place: RevisionPlace) -> RevisionIndex:
        """Read the index of a revision.

        Raises:
            ObjectGone: its segment is not there.
            StoreCorrupt: the bytes are not what was written.
            Transient: the store cannot be reached.
        """
        name = f"{shard_folder(shard)}/{place.segment}"
        (content,) = self._objects.get_ranges(name, [place.start], [place.start + place.size_bytes])
        return decode_index(content.to_bytes(), place, self._objects.place(name))

    def blobs(self, shard: int, index: RevisionIndex) -> Iterator[tuple[bool, int, bytes]]:
        """Read blobs in parallel, checked; (is tokens, number, bytes) in no set order.

        Raises:
            ObjectGone: a segment is not there.
            StoreCorrupt: the bytes are not what was written.
            Transient: the store cannot be reached.
        """
        chunks = (*_chunks(index, index.buckets), *_chunks(index, index.tokens, tokens=True))
        with ThreadPoolExecutor(CHUNKS_MAX, "checkpoint-load") as pool:
            waiting: deque[Future[list[tuple[bool, int, bytes]]]] = deque()
            try:
                for chunk in chunks:
                    waiting.append(pool.submit(self._read_chunk, shard, chunk))
                    if len(waiting) == CHUNKS_MAX:
                        yield from waiting.popleft().result()
                while waiting:
                    yield from waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _load(self, shard: int, index: RevisionIndex) -> Checkpoint:
        header = self._header(shard, index)
        buckets = dict.fromkeys(index.buckets.number.tolist(), b"")
        tokens = [b""] * len(index.tokens)
        for is_tokens, number, data in self.blobs(shard, index):
            if is_tokens:
                tokens[number] = data
            else:
                buckets[number] = data
        return Checkpoint(header, buckets, tuple(tokens))

    def _header(self, shard: int, index: RevisionIndex) -> CheckpointHeader:
        try:
            written = msgspec.json.decode(index.header, type=_FormatOnly).format
            if written > CHECKPOINT_FORMAT:
                raise StoreFormat(
                    f"Expected checkpoint format {CHECKPOINT_FORMAT} of shard {shard} in "
                    f"{self._where(shard)}, was {written}: run the newer version of swapstats "
                    "that wrote it, or start with --rebuild"
                )
            return msgspec.json.decode(index.header, type=CheckpointHeader)
        except msgspec.MsgspecError as error:
            raise corrupt(self._where(shard), str(error)) from error

    def _read_chunk(self, shard: int, chunk: _Chunk) -> list[tuple[bool, int, bytes]]:
        rows = chunk.rows
        name = f"{shard_folder(shard)}/{chunk.segment}"
        first, last = int(rows.start[0]), int(rows.start[-1] + rows.size[-1])
        content = b""
        if last > first:
            content = self._objects.get_ranges(name, [first], [last])[0].to_bytes()
        found: list[tuple[bool, int, bytes]] = []
        columns = (rows.number, rows.start - first, rows.size, rows.crc)
        for number, start, size, crc in zip(*(column.tolist() for column in columns), strict=True):
            data = content[start : start + size]
            owner = TOKENS_PLACE if chunk.is_tokens else number
            if blob_crc(data, shard, owner) != crc:
                what = "token blob" if chunk.is_tokens else "bucket"
                raise corrupt(self._objects.place(name), f"{what} {number} at byte {start}")
            found.append((chunk.is_tokens, number, data))
        return found

    def _where(self, shard: int) -> str:
        return self._objects.place(f"{shard_folder(shard)}/{HEAD}")


def _chosen(head: Head, *, previous: bool) -> RevisionPlace | None:
    return head.previous if previous else head.newest


def _chunks(index: RevisionIndex, blobs: Blobs, *, tokens: bool = False) -> Iterator[_Chunk]:
    """Cut blobs into requests: neighbours in one segment, up to CHUNK_BYTES_MAX with their gaps."""
    if not len(blobs):
        return
    order = np.lexsort((blobs.size, blobs.start, blobs.segment))  # empty ones before full ones
    segment, start = blobs.segment[order], blobs.start[order]
    end = start + blobs.size[order]
    first = 0
    count = len(order)
    for at in range(1, count + 1):
        if (
            at < count
            and segment[at] == segment[first]
            and end[at] - start[first] <= CHUNK_BYTES_MAX
            and start[at] - end[at - 1] <= GAP_BYTES_MAX
        ):
            continue
        rows = order[first:at]
        chosen = Blobs(
            blobs.number[rows],
            blobs.segment[rows],
            blobs.start[rows],
            blobs.size[rows],
            blobs.crc[rows],
        )
        yield _Chunk(index.segments[int(segment[first])], chosen, tokens)
        first = at
