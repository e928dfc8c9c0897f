"""Refused messages on a topic, with their original bytes: one record a letter, compacted by place.

A letter's key is where its message stands in the log, so that a message read again after a crash is
one letter; a record without value takes a letter away. This store never judges a message.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Message

from swapstats.adapters.kafka.client import KafkaAddress, expect_partitions, kafka_admin
from swapstats.adapters.kafka.partition_reader import PartitionReader
from swapstats.adapters.kafka.writer import DELIVERY_MS, TopicWriter, header_list
from swapstats.errors import OffsetGone, StoreCorrupt
from swapstats.model.effects import DeadLetter

SCAN_LETTERS: Final = 256
"""Letters held at a time while they are listed."""

_READ_BYTES: Final = 1 << 20
_PARTITION: Final = 0


def dead_letters_topic(topic: str) -> str:
    """Name of the topic that holds a log's dead letters."""
    return f"{topic}.dead-letters"


@dataclass(frozen=True, slots=True)
class _Kept:
    """A letter that is kept, without its message."""

    append_ms: int
    partition: int
    offset: int
    reason: str
    topic_offset: int

    @property
    def age(self) -> tuple[int, int, int]:
        return self.append_ms, self.partition, self.offset


class KafkaDeadLetterReader:
    """Lists refused messages; works beside a writer in another process and from any thread.

    Holds about 200 bytes for each letter kept, never its message; `trim` bounds their number.

    Args:
        address: the brokers.
        topic: the log's topic.

    Raises:
        Fatal: no topic for its letters, or no right to read it.
        Transient: the brokers cannot be reached.
    """

    def __init__(self, address: KafkaAddress, topic: str) -> None:
        self._topic = dead_letters_topic(topic)
        admin = kafka_admin(address)
        expect_partitions(admin, self._topic)
        self._lock = threading.Lock()
        self._reader = PartitionReader(address, admin, self._topic, _PARTITION)
        self._kept: dict[bytes, _Kept] = {}
        self._next_offset = 0

    def counts(self) -> dict[str, int]:
        """Number kept, by reason.

        Raises:
            Transient: the broker cannot be reached.
        """
        with self._lock:
            self._catch_up()
            return dict(sorted(Counter(kept.reason for kept in self._kept.values()).items()))

    def scan(self, *, reason: str | None = None, limit: int = 100) -> Iterator[DeadLetter]:
        """Newest first, at most `limit`; letters put meanwhile do not disturb it.

        Letters that the topic's retention takes away meanwhile are left out.

        Raises:
            Transient: the broker cannot be reached.
        """
        with self._lock:
            self._catch_up()
            newest_first = sorted(
                (kept for kept in self._kept.values() if reason in {None, kept.reason}),
                key=lambda kept: kept.age,
                reverse=True,
            )
        listed = newest_first[: max(0, limit)]
        for first in range(0, len(listed), SCAN_LETTERS):
            yield from self._read(listed[first : first + SCAN_LETTERS])

    def close(self) -> None:
        """Release connections."""
        with self._lock:
            self._reader.close()

    def _catch_up(self) -> None:
        """Learn of letters put and taken away since the last time."""
        start, end = self._reader.extent()
        self._next_offset = max(self._next_offset, start)
        if start:
            self._kept = {
                key: kept for key, kept in self._kept.items() if kept.topic_offset >= start
            }
        while self._next_offset < end:
            messages = self._reader.read(self._next_offset, _READ_BYTES)
            if not messages:
                break
            for message in messages:
                self._learn(message)
            self._next_offset = (messages[-1].offset() or 0) + 1

    def _learn(self, message: Message) -> None:
        key = message.key() or b""
        if message.value() is None:
            self._kept.pop(key, None)
        elif key not in self._kept:
            letter = _letter(message, self._topic)
            self._kept[key] = _Kept(
                letter.append_ms,
                letter.partition,
                letter.offset,
                letter.reason,
                message.offset() or 0,
            )

    def _read(self, listed: Sequence[_Kept]) -> Iterator[DeadLetter]:
        """Letters in the order given, read in the order they stand in the topic."""
        wanted = sorted(kept.topic_offset for kept in listed)
        found: dict[int, DeadLetter] = {}
        with self._lock:
            at = wanted[0]
            while len(found) < len(wanted) and at <= wanted[-1]:
                try:
                    messages = self._reader.read(at, _READ_BYTES)
                except OffsetGone:
                    at = self._reader.extent()[0]
                    continue
                if not messages:
                    break
                places = set(wanted)
                for message in messages:
                    if message.offset() in places and message.value() is not None:
                        found[message.offset() or 0] = _letter(message, self._topic)
                at = (messages[-1].offset() or 0) + 1
        return iter([found[kept.topic_offset] for kept in listed if kept.topic_offset in found])


class KafkaDeadLetters(KafkaDeadLetterReader):
    """The store's writer, and its reader for the same process.

    Args:
        address: the brokers.
        topic: the log's topic; letters go to `<topic>.dead-letters`.
        delivery_ms: how long letters may wait for their acknowledgement.

    Raises:
        Fatal: no topic for its letters, or no right to use it.
        Transient: the brokers cannot be reached.
    """

    def __init__(
        self, address: KafkaAddress, topic: str, *, delivery_ms: int = DELIVERY_MS
    ) -> None:
        super().__init__(address, topic)
        self._writer = TopicWriter(address, delivery_ms)

    def put(self, letters: Sequence[DeadLetter]) -> None:
        """Keep letters, acknowledged when this returns; a second one of a place changes nothing.

        Raises:
            Transient: not acknowledged in time; put them again.
        """
        self._writer.write(
            self._topic,
            [letter.message for letter in letters],
            [_key(letter.partition, letter.offset) for letter in letters],
            [_PARTITION] * len(letters),
            [
                header_list(
                    {
                        "partition": letter.partition,
                        "offset": letter.offset,
                        "append_ms": letter.append_ms,
                        "reason": letter.reason,
                        "detail": letter.detail,
                    }
                )
                for letter in letters
            ],
        )

    def trim(self, count_max: int) -> int:
        """Drop the oldest beyond `count_max`; returns how many were dropped.

        Raises:
            Transient: the broker cannot be reached, or did not acknowledge in time.
        """
        with self._lock:
            self._catch_up()
            excess = len(self._kept) - max(0, count_max)
            if excess <= 0:
                return 0
            oldest = sorted(self._kept.values(), key=lambda kept: kept.age)[:excess]
        self._writer.write(
            self._topic,
            [None] * excess,
            [_key(kept.partition, kept.offset) for kept in oldest],
            [_PARTITION] * excess,
        )
        return excess

    def close(self) -> None:
        """Release connections."""
        self._writer.close()
        super().close()


def _key(partition: int, offset: int) -> bytes:
    return b"%d:%d" % (partition, offset)


def _letter(message: Message, topic: str) -> DeadLetter:
    """Read a letter back."""
    fields = {
        name: value.decode() if isinstance(value, bytes) else str(value)
        for name, value in dict(message.headers() or ()).items()
    }
    try:
        return DeadLetter(
            partition=int(fields["partition"]),
            offset=int(fields["offset"]),
            append_ms=int(fields["append_ms"]),
            reason=fields["reason"],
            detail=fields["detail"],
            message=message.value() or b"",
        )
    except (KeyError, ValueError) as error:
        raise StoreCorrupt(
            f"Expected headers of a dead letter in topic {topic}, offset {message.offset()}, was "
            f"{sorted(fields)}: something else writes to this topic"
        ) from error
