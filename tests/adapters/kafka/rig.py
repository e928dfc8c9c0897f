"""A Kafka cluster for the tests of a session, and topics of each test's own."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition

from swapstats.adapters.kafka.client import KafkaAddress, kafka_admin
from swapstats.adapters.kafka.topics import KafkaTopics
from swapstats.adapters.kafka.writer import MESSAGE_BYTES_MAX
from swapstats.core.hash_key import HashKey
from swapstats.core.topic_plan import log_topics
from swapstats.errors import UsageError
from swapstats.model.record import RecordBatch
from swapstats.stack.kafka import KafkaCluster

DAY_MS = 86_400_000
KEY = HashKey.of(bytes(range(16)))


def running_cluster(directory: Path, brokers: int = 1) -> Iterator[KafkaCluster]:
    """A cluster that answers; the test is skipped where none can be had."""
    try:
        cluster = KafkaCluster(directory, brokers)
    except UsageError as error:
        pytest.skip(str(error))
    with cluster:
        yield cluster


def make_log(address: KafkaAddress, topic: str, partitions: int, *, replication: int = 1) -> None:
    """Make a log's topics; harmless if they are there."""
    topics = KafkaTopics(address)
    wanted = log_topics(
        topic,
        partitions,
        replication,
        7 * DAY_MS,
        "delete",
        0,
        retention_min_ms=DAY_MS,
        letters_retention_ms=30 * DAY_MS,
        message_bytes_max=MESSAGE_BYTES_MAX,
    )
    topics.apply(wanted, topics.plan(wanted))


def new_log(address: KafkaAddress, partitions: int, *, replication: int = 1) -> str:
    """Make a log's topics under a name of their own."""
    topic = f"swaps-{uuid.uuid4().hex[:12]}"
    make_log(address, topic, partitions, replication=replication)
    return topic


def delete_before(address: KafkaAddress, topic: str, offsets: Mapping[int, int]) -> None:
    """Delete records as retention would."""
    places = [TopicPartition(topic, partition, at) for partition, at in offsets.items()]
    admin = kafka_admin(address)  # held: what it was asked is forgotten with it
    for future in admin.delete_records(places).values():
        future.result()


@dataclass
class Owner:
    """Takes partitions over where it left them, or at `starts`; keeps what it was told."""

    starts: Mapping[int, int] = field(default_factory=dict)
    told: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    next: dict[int, int] = field(default_factory=dict)
    mine: set[int] = field(default_factory=set)

    def assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        self.told.append(("assigned", tuple(partitions)))
        self.mine.update(partitions)
        return {part: self.next.get(part, self.starts.get(part, 0)) for part in partitions}

    def revoked(self, partitions: Sequence[int]) -> None:
        self.told.append(("revoked", tuple(partitions)))
        self.mine.difference_update(partitions)

    def lost(self, partitions: Sequence[int]) -> None:
        self.told.append(("lost", tuple(partitions)))
        self.mine.difference_update(partitions)


def rows(batch: RecordBatch | None) -> list[tuple[int, bytes]]:
    """(offset, message) of each record."""
    if batch is None:
        return []
    return [(int(batch.offsets[at]), batch.message(at)) for at in range(len(batch))]
