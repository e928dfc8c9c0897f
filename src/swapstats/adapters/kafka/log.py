"""The swap log on a Kafka or Redpanda topic.

The broker stamps append times (LogAppendTime), keeps records by its own retention, and orders them
within a partition. Source positions are written after the messages are acknowledged: a crash in
between sends messages twice, which the windows recognise, and never loses one.
"""

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swapstats.adapters.kafka.client import (
    KafkaAddress,
    end_offsets,
    expect_partitions,
    kafka_admin,
    start_offsets,
)
from swapstats.adapters.kafka.partition_reader import PartitionReader
from swapstats.adapters.kafka.positions import SourcePositions, positions_topic
from swapstats.adapters.kafka.records import APPEND_MS_HEADER, batch_of
from swapstats.adapters.kafka.writer import DELIVERY_MS, Header, TopicWriter
from swapstats.core.columns import Columns
from swapstats.core.decode import decode_block
from swapstats.core.hash_key import HashKey
from swapstats.errors import InvariantBroken, SettingsMismatch
from swapstats.model.record import MessageBlock, RecordBatch

READERS_MAX: Final = 4
"""Partitions read at the same time without seeking; each has a client and a few MiB of its own."""

Keying = Callable[[MessageBlock, int], list[bytes | None]]
"""What the records of a block are keyed by; told the append time."""


class KafkaSwapLogReader:
    """Reads a topic from any offset, outside of any consumer group.

    For audits, replays and tools, and from any thread; a stream is followed with
    `KafkaSubscription`.

    Args:
        address: the brokers.
        topic: the log's topic.

    Raises:
        Fatal: no such topic, or no right to read it.
        Transient: the brokers cannot be reached.
    """

    def __init__(self, address: KafkaAddress, topic: str) -> None:
        self._address = address
        self._topic = topic
        self._admin = kafka_admin(address)
        self._partition_count = expect_partitions(self._admin, topic)
        expect_partitions(self._admin, positions_topic(topic))
        self._positions = SourcePositions(address, self._admin, topic)
        self._lock = threading.Lock()
        self._readers: OrderedDict[int, PartitionReader] = OrderedDict()

    @property
    def partition_count(self) -> int:
        """Number of partitions."""
        return self._partition_count

    def start_offsets(self) -> list[int]:
        """First offset still held, by partition; asked afresh."""
        return start_offsets(self._admin, self._topic, range(self._partition_count))

    def end_offsets(self) -> list[int]:
        """Offset the next record will get, by partition; asked afresh."""
        return end_offsets(self._admin, self._topic, range(self._partition_count))

    def read(self, partition: int, offset: int, bytes_max: int) -> RecordBatch | None:
        """Read records from `offset` on.

        Args:
            partition: where from.
            offset: first record wanted.
            bytes_max: stop before the message that would exceed it; the first is always read.

        Returns:
            At least one record; None at the end of the log.

        Raises:
            OffsetGone: `offset` is below the first one held.
            StoreCorrupt: `offset` is above the end.
            SettingsMismatch: the broker does not stamp append times.
            Transient: the broker did not answer.
        """
        with self._lock:
            messages = self._reader(partition).read(offset, bytes_max)
        return batch_of(messages, self._topic) if messages else None

    def position(self, source: str) -> str | None:
        """Where a source stood when its last message was appended; None if never.

        Raises:
            Transient: the broker cannot be reached.
        """
        return self._positions.get(source)

    def positions(self, prefix: str) -> dict[str, str]:
        """Everything noted under names that begin with `prefix`.

        Raises:
            Transient: the broker cannot be reached.
        """
        noted = self._positions.everything()
        return {name: at for name, at in noted.items() if name.startswith(prefix)}

    def close(self) -> None:
        """Release connections."""
        with self._lock:
            for reader in self._readers.values():
                reader.close()
            self._readers.clear()
            self._positions.close()

    def _reader(self, partition: int) -> PartitionReader:
        reader = self._readers.pop(partition, None)
        if reader is None:
            if not 0 <= partition < self._partition_count:
                raise InvariantBroken(
                    f"Expected a partition below {self._partition_count}, was {partition}"
                )
            if len(self._readers) >= READERS_MAX:
                self._readers.popitem(last=False)[1].close()
            reader = PartitionReader(self._address, self._admin, self._topic, partition)
        self._readers[partition] = reader
        return reader


class KafkaSwapLog(KafkaSwapLogReader):
    """The log's writer, and its reader for the same process.

    At least once: positions follow the messages they stand for, so that a message may come twice
    after a crash or a `Transient`, and is never lost.

    Args:
        address: the brokers.
        topic: the log's topic; `<topic>.positions` must be there too.
        key: hash key, for decoding the token keys that key the records.
        partition_count: what the caller expects; None = whatever the topic has.
        carry_append_ms: False = append times are the broker's. True = every record carries the
            time given to `append` in a header, and readers take that one: for copying logs.
        delivery_ms: how long an append may wait for acknowledgements.
        keys_of: says what records are keyed by; None = the token keys of swaps.

    Raises:
        Fatal: no such topic, or no right to use it.
        SettingsMismatch: the topic has another number of partitions.
        Transient: the brokers cannot be reached.
    """

    def __init__(
        self,
        address: KafkaAddress,
        topic: str,
        key: HashKey,
        partition_count: int | None = None,
        *,
        carry_append_ms: bool = False,
        delivery_ms: int = DELIVERY_MS,
        keys_of: Keying | None = None,
    ) -> None:
        super().__init__(address, topic)
        if partition_count not in {None, self._partition_count}:
            super().close()
            raise SettingsMismatch(
                f"Expected {partition_count} partitions of topic {topic}, was "
                f"{self._partition_count}: give that number, or copy the log into a new topic with "
                "`swapstats topics migrate`"
            )
        self._keys_of = keys_of or (lambda block, now_ms: message_keys(block, key, now_ms))
        self._carry_append_ms = carry_append_ms
        self._last_ms = self._newest_ms() if carry_append_ms else 0
        self._writer = TopicWriter(address, delivery_ms)
        self._append_lock = threading.Lock()

    def append(
        self,
        block: MessageBlock,
        partitions: NDArray[np.int32],
        append_ms: int,
        positions: Mapping[str, str | None],
    ) -> None:
        """Append messages, wait for every acknowledgement, then note source positions.

        Args:
            block: the messages.
            partitions: int32[n], the partition of each message.
            append_ms: the caller's time; counts only with `carry_append_ms`.
            positions: where each source stands after these messages; None forgets a name.

        Raises:
            StoreFull: the broker's disk is full.
            Transient: not acknowledged in time. Some messages may be in the log; append the block
                again, or read on from the position the log has.
            Fatal: no right to write, or a message larger than the topic takes.
            InvariantBroken: a partition that does not exist.
        """
        self._check_partitions(block, partitions)
        with self._append_lock:
            if len(block):
                headers: list[list[Header]] | None = None
                if self._carry_append_ms:
                    self._last_ms = max(self._last_ms, append_ms)
                    stamp: list[Header] = [(APPEND_MS_HEADER, b"%d" % self._last_ms)]
                    headers = [stamp] * len(block)
                self._writer.write(
                    self._topic,
                    messages_of(block),
                    self._keys_of(block, append_ms),
                    partitions.tolist(),
                    headers,
                )
            if positions:
                self._writer.write(
                    positions_topic(self._topic),
                    [None if at is None else at.encode() for at in positions.values()],
                    [source.encode() for source in positions],
                    [0] * len(positions),
                )

    def trim(self, before_ms: int, bytes_max: int, keep_from: list[int]) -> int:  # noqa: ARG002 - the port's
        """Drop nothing: the broker drops records by the topic's retention.

        What `keep_from` asks for is promised by a retention longer than any checkpoint is old
        (`swapstats topics apply` refuses a shorter one).

        Returns:
            0.
        """
        return 0

    def close(self) -> None:
        """Release connections; what was not acknowledged was never reported as appended."""
        with self._append_lock:
            self._writer.close()
        super().close()

    def _check_partitions(self, block: MessageBlock, partitions: NDArray[np.int32]) -> None:
        if len(partitions) != len(block):
            raise InvariantBroken(
                f"Expected a partition for each of {len(block)} messages, was {len(partitions)}"
            )
        if len(block) and not 0 <= partitions.min() <= partitions.max() < self._partition_count:
            raise InvariantBroken(
                f"Expected partitions 0 to {self._partition_count - 1}, was "
                f"{partitions.min()} to {partitions.max()}"
            )

    def _newest_ms(self) -> int:
        """Newest append time in the log, so that carried ones never go back."""
        newest_ms = 0
        starts, ends = self.start_offsets(), self.end_offsets()
        for partition, (start, end) in enumerate(zip(starts, ends, strict=True)):
            batch = self.read(partition, end - 1, 1) if end > start else None
            if batch is not None:
                newest_ms = max(newest_ms, int(batch.append_ms[-1]))
        return newest_ms


def messages_of(block: MessageBlock) -> list[bytes]:
    """The messages of a block, one by one."""
    data = block.buffer.tobytes()
    bounds = block.bounds.tolist()
    return [data[start:end] for start, end in itertools.pairwise(bounds)]


def message_keys(block: MessageBlock, key: HashKey, append_ms: int) -> list[bytes | None]:
    """Token key of each message: what its record is keyed by; None where none can be read."""
    return keys_in(decode_block(block, key, append_ms))


def keys_in(columns: Columns) -> list[bytes | None]:
    """Token key of each row; None where none could be read."""
    keys = columns.keys.tobytes()
    return [
        keys[start : start + size] if accepted else None
        for start, size, accepted in zip(
            columns.key_start.tolist(),
            columns.key_count.tolist(),
            columns.accepted.tolist(),
            strict=True,
        )
    ]
