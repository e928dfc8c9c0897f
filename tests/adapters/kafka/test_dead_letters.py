import pytest
from confluent_kafka import Message
from tests.adapters.kafka.rig import delete_before, new_log

from swapstats.adapters.kafka.client import KafkaAddress, kafka_admin
from swapstats.adapters.kafka.dead_letters import (
    KafkaDeadLetterReader,
    KafkaDeadLetters,
    dead_letters_topic,
)
from swapstats.adapters.kafka.partition_reader import PartitionReader
from swapstats.adapters.kafka.writer import TopicWriter
from swapstats.errors import Fatal, StoreCorrupt
from swapstats.model.effects import DeadLetter


def letter(offset: int, append_ms: int | None = None) -> DeadLetter:
    return DeadLetter(3, offset, append_ms or offset, "bad_side", "Expected ü, was x", b"\x00\xff")


def test_a_letter_is_a_record_others_can_read(address: KafkaAddress) -> None:
    topic = new_log(address, 1)
    store = KafkaDeadLetters(address, topic)
    store.put([letter(7, 12)])
    store.close()
    reader = PartitionReader(address, kafka_admin(address), dead_letters_topic(topic), 0)
    (message,) = reader.read(0, 1_000)
    reader.close()
    assert isinstance(message, Message)
    assert (message.key(), message.value()) == (b"3:7", b"\x00\xff")
    assert dict(message.headers() or ()) == {
        "partition": b"3",
        "offset": b"7",
        "append_ms": b"12",
        "reason": b"bad_side",
        "detail": "Expected ü, was x".encode(),
    }


def test_what_retention_took_is_no_longer_listed(address: KafkaAddress) -> None:
    topic = new_log(address, 1)
    store = KafkaDeadLetters(address, topic)
    store.put([letter(at) for at in range(1, 11)])
    assert store.counts() == {"bad_side": 10}
    listing = store.scan()
    delete_before(address, dead_letters_topic(topic), {0: 6})
    assert [found.offset for found in listing] == [10, 9, 8, 7]
    assert store.counts() == {"bad_side": 4}
    store.close()


def test_something_else_on_the_topic_is_said(address: KafkaAddress) -> None:
    topic = new_log(address, 1)
    writer = TopicWriter(address)
    writer.write(dead_letters_topic(topic), [b"?"], [b"k"], [0])
    writer.close()
    reader = KafkaDeadLetterReader(address, topic)
    with pytest.raises(StoreCorrupt, match="something else writes"):
        reader.counts()
    reader.close()


def test_a_missing_topic_is_fatal(address: KafkaAddress) -> None:
    with pytest.raises(Fatal, match="topics apply"):
        KafkaDeadLetterReader(address, "never-made")
