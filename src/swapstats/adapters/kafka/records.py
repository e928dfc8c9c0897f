"""Kafka messages as record batches, at little cost a message, and the headers we put on them.

A record's append time is what the broker stamped (LogAppendTime); a record copied from another
log carries the append time it had there in a header, and that one counts.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import itemgetter
from typing import Any, Final

import numpy as np
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Message
from numpy.typing import NDArray

from swapstats.errors import InvariantBroken, SettingsMismatch
from swapstats.model.record import RecordBatch

APPEND_MS_HEADER: Final = "append_ms"
"""Append time of a copied record in the log it came from: ms since epoch, decimal digits."""

_value: Final[Callable[[Any], Any]] = Message.value
_offset: Final[Callable[[Any], Any]] = Message.offset
_partition: Final[Callable[[Any], Any]] = Message.partition
_timestamp: Final[Callable[[Any], tuple[int, int]]] = Message.timestamp
_headers: Final[Callable[[Any], Any]] = Message.headers
_first: Final = itemgetter(0)
_second: Final = itemgetter(1)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records of any partitions, as they were received.

    Attributes:
        partitions: int64[n].
        offsets: int64[n], ascending within a partition.
        append_ms: int64[n].
        values: the messages.
        size_bytes: bytes of all messages.
    """

    partitions: NDArray[np.int64]
    offsets: NDArray[np.int64]
    append_ms: NDArray[np.int64]
    values: list[bytes]
    size_bytes: int

    def __len__(self) -> int:
        return len(self.values)

    def without(self, partitions: Iterable[int]) -> "Chunk":
        """The same, less the records of some partitions."""
        keep = ~np.isin(self.partitions, np.fromiter(partitions, dtype=np.int64))
        values = list(compress(self.values, keep.tolist()))
        return Chunk(
            self.partitions[keep],
            self.offsets[keep],
            self.append_ms[keep],
            values,
            sum(map(len, values)),
        )


def take_records(messages: Sequence[Message], topic: str, *, any_time: bool = False) -> Chunk:
    """Take what counts out of messages without error.

    Args:
        messages: as consumed.
        topic: their topic, for what is raised.
        any_time: take creation times for append times where the broker stamped none.

    Raises:
        SettingsMismatch: the broker does not stamp records with append times.
    """
    count = len(messages)
    stamps = list(map(_timestamp, messages))
    times = np.fromiter(map(_second, stamps), dtype=np.int64, count=count)
    carried = list(map(_headers, messages))
    unstamped = {TIMESTAMP_LOG_APPEND_TIME} != set(map(_first, stamps)) and not any_time
    if unstamped or any(carried):
        for row, (stamp, headers) in enumerate(zip(stamps, carried, strict=True)):
            original_ms = append_ms_of(headers)
            if original_ms is not None:
                times[row] = original_ms
            elif unstamped and stamp[0] != TIMESTAMP_LOG_APPEND_TIME:
                raise _unstamped(messages[row], topic)
    values = list(map(_value, messages))
    if None in values:
        values = [value or b"" for value in values]
    return Chunk(
        np.fromiter(map(_partition, messages), dtype=np.int64, count=count),
        np.fromiter(map(_offset, messages), dtype=np.int64, count=count),
        times,
        values,
        sum(map(len, values)),
    )


def append_ms_of(headers: Iterable[tuple[str, Any]] | None) -> int | None:
    """Append time a copied record carries; None if it carries none that can be read."""
    for name, value in headers or ():
        if name == APPEND_MS_HEADER and isinstance(value, bytes) and value.isdigit():
            return int(value[:18])
    return None


def to_batches(chunks: Sequence[Chunk]) -> list[RecordBatch]:
    """Lay records end to end: one batch a partition, in order of partitions."""
    chunks = [chunk for chunk in chunks if len(chunk)]
    if not chunks:
        return []
    partitions = np.concatenate([chunk.partitions for chunk in chunks])
    offsets = np.concatenate([chunk.offsets for chunk in chunks])
    append_ms = np.concatenate([chunk.append_ms for chunk in chunks])
    values = [value for chunk in chunks for value in chunk.values]
    if partitions[0] == partitions[-1] and not np.any(partitions != partitions[0]):
        return [_batch(int(partitions[0]), offsets, append_ms, values)]
    order = np.argsort(partitions, kind="stable")
    cuts = np.flatnonzero(np.diff(partitions[order])) + 1
    return [
        _batch(
            int(partitions[rows[0]]),
            offsets[rows],
            append_ms[rows],
            [values[row] for row in rows.tolist()],
        )
        for rows in np.split(order, cuts)
    ]


def batch_of(messages: Sequence[Message], topic: str, *, any_time: bool = False) -> RecordBatch:
    """Make one batch of messages of one partition; see `take_records`."""
    chunk = take_records(messages, topic, any_time=any_time)
    if not len(chunk):
        raise InvariantBroken("Expected at least one message, was none")
    return _batch(int(chunk.partitions[0]), chunk.offsets, chunk.append_ms, chunk.values)


def _batch(
    partition: int,
    offsets: NDArray[np.int64],
    append_ms: NDArray[np.int64],
    values: list[bytes],
) -> RecordBatch:
    bounds = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, values), dtype=np.int64, count=len(values)), out=bounds[1:])
    # A bytearray, so that the array is writable: batches are their reader's own.
    buffer = np.frombuffer(bytearray().join(values), dtype=np.uint8)
    return RecordBatch(partition, offsets, append_ms, buffer, bounds)


def _unstamped(message: Message, topic: str) -> SettingsMismatch:
    return SettingsMismatch(
        f"Expected append times of the broker on topic {topic}, was a record without "
        f"(partition {message.partition()}, offset {message.offset()}): set "
        "message.timestamp.type=LogAppendTime with `swapstats topics apply`; records written "
        "before that can be read after `swapstats topics migrate` into a new topic"
    )
