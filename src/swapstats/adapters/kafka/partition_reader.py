"""Reading one partition from any offset, outside of any group.

A consumer of its own keeps its place: reading on where the last read ended costs no seek.
"""

import time
from collections import deque
from typing import Final

from confluent_kafka import KafkaError, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from swapstats.adapters.kafka.client import (
    REQUEST_MS,
    KafkaAddress,
    extent,
    kafka_consumer,
    swapstats_error,
    told,
)
from swapstats.errors import OffsetGone, StoreCorrupt, Transient

_AT_ONCE: Final = 500
"""Messages taken from the client at a time: small numbers are the fastest."""

_BUFFER_KIB: Final = 4_096
_FETCH_WAIT_MS: Final = 10
_WAIT_S: Final = 0.1


class PartitionReader:
    """Reads one partition; one thread at a time.

    Args:
        address: the brokers.
        admin: asked for offsets.
        topic: the topic.
        partition: the partition.
    """

    def __init__(
        self, address: KafkaAddress, admin: AdminClient, topic: str, partition: int
    ) -> None:
        self._admin = admin
        self._topic = topic
        self._partition = partition
        self._consumer = kafka_consumer(
            address.client(
                group_id="swapstats-reader",
                enable_auto_commit=False,
                enable_auto_offset_store=False,
                auto_offset_reset="error",
                enable_partition_eof=True,
                fetch_queue_backoff_ms=5,
                # The broker holds a fetch at the end of the log back for this long, and a read from
                # another place waits behind it.
                fetch_wait_max_ms=_FETCH_WAIT_MS,
                queued_max_messages_kbytes=_BUFFER_KIB,
            )
        )
        self._place = -1
        self._is_fetching = False
        self._waiting: deque[Message] = deque()

    def extent(self) -> tuple[int, int]:
        """Ask for the first offset held and the one the next record will get.

        Raises:
            Transient: the broker cannot be reached.
        """
        return extent(self._admin, self._topic, self._partition)

    def read(self, offset: int, bytes_max: int) -> list[Message]:
        """Read records from `offset` on.

        Args:
            offset: first record wanted.
            bytes_max: stop before the record that would exceed it; the first is always read.

        Returns:
            At least one record; none at the end of the partition.

        Raises:
            OffsetGone: `offset` is below the first one held.
            StoreCorrupt: `offset` is above the end.
            Transient: the broker did not answer.
        """
        if offset == self._place and not self._waiting and self._is_fetching:
            self._take(0)
        if offset != self._place or not self._waiting:
            end = self._check(offset)
            if offset == end:
                return []
            if offset != self._place or not self._is_fetching:
                self._seek(offset)
            if not self._receive():
                return []
        taken: list[Message] = []
        taken_bytes = 0
        while self._waiting or self._take(0):
            size = len(self._waiting[0].value() or b"")
            if taken and taken_bytes + size > bytes_max:
                break
            taken.append(self._waiting.popleft())
            taken_bytes += size
            if taken_bytes >= bytes_max:
                break
        self._place = (taken[-1].offset() or 0) + 1
        return taken

    def close(self) -> None:
        """Release the connections."""
        self._waiting.clear()
        self._consumer.close()

    def _check(self, offset: int) -> int:
        """Check that an offset lies in the partition; returns its end."""
        start, end = self.extent()
        if offset < start:
            raise OffsetGone(
                f"Expected offset {offset} of {self._name()}, was deleted: it begins at {start}; "
                "start with --accept-gap to go on from there, and raise the topic's retention"
            )
        if offset > end:
            raise StoreCorrupt(
                f"Expected {self._name()} to reach offset {offset}, was {end} long: the topic was "
                "made anew or lost its end; rebuild the state from the log with --rebuild"
            )
        return end

    def _seek(self, offset: int) -> None:
        self._waiting.clear()
        with told(f"to read {self._name()}"):
            self._consumer.assign([TopicPartition(self._topic, self._partition, offset)])
        self._place = offset
        self._is_fetching = True

    def _receive(self) -> bool:
        """Wait for the next records; False if there are none before the end."""
        deadline = time.monotonic() + REQUEST_MS / 1_000
        while time.monotonic() < deadline:
            ended = self._take(_WAIT_S)
            if self._waiting:
                return True
            if ended is None:
                return False
        self._place = -1
        raise Transient(f"Expected records of {self._name()} within {REQUEST_MS} ms, was none")

    def _take(self, wait_s: float) -> int | None:
        """Take what the client has: how many records, None if it met the end instead."""
        with told(f"to read {self._name()}"):
            messages = self._consumer.consume(1, wait_s) if wait_s else []
            if messages or not wait_s:
                messages += self._consumer.consume(_AT_ONCE, 0)
        ended = False
        count = 0
        for message in messages:
            error = message.error()
            if error is None:
                self._waiting.append(message)
                count += 1
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name
                ended = True
                # Whoever comes back later asks again; meanwhile nothing is fetched in vain.
                self._consumer.unassign()
                self._is_fetching = False
            else:
                self._place = -1
                raise swapstats_error(error, f"to read {self._name()}")
        return None if ended and not count else count

    def _name(self) -> str:
        return f"partition {self._partition} of topic {self._topic}"
