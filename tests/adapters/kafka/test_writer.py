import time

import pytest
from tests.adapters.kafka.rig import new_log

from swapstats.adapters.kafka.client import KafkaAddress, end_offsets, kafka_admin
from swapstats.adapters.kafka.partition_reader import PartitionReader
from swapstats.adapters.kafka.writer import TopicWriter, header_list
from swapstats.errors import Fatal, Transient
from swapstats.stack.kafka import KafkaCluster


def test_keys_values_and_headers_arrive(address: KafkaAddress) -> None:
    topic = new_log(address, 2)
    writer = TopicWriter(address)
    headers = [header_list({"at": 1, "why": "ü"}), []]
    writer.write(topic, [b"a", None], [b"k", None], [1, 1], headers)
    writer.write(topic, [], [], [])
    reader = PartitionReader(address, kafka_admin(address), topic, 1)
    first, second = reader.read(0, 1_000)
    assert (first.key(), first.value()) == (b"k", b"a")
    assert first.headers() == [("at", b"1"), ("why", "ü".encode())]
    assert (second.key(), second.value(), second.headers()) == (None, None, None)
    reader.close()
    writer.close()


def test_more_than_the_queue_holds_is_written_in_turns(
    address: KafkaAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swapstats.adapters.kafka.writer._QUEUE_MESSAGES_MAX", 100)
    topic = new_log(address, 2)
    writer = TopicWriter(address)
    writer.write(topic, [b"x"] * 1_001, [None] * 1_001, [at % 2 for at in range(1_001)])
    writer.close()
    assert end_offsets(kafka_admin(address), topic, [0, 1]) == [501, 500]


def test_an_unknown_topic_and_a_too_large_record_are_fatal(
    address: KafkaAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swapstats.adapters.kafka.writer._UNKNOWN_MS_MAX", 500)
    topic = new_log(address, 1)
    writer = TopicWriter(address)
    with pytest.raises(Fatal, match="topics apply"):
        writer.write(f"{topic}-not", [b"x"], [None], [0])
    with pytest.raises(Fatal, match=r"max\.message\.bytes"):
        writer.write(topic, [b"x" * (5 << 20)], [None], [0])
    with pytest.raises(Fatal, match="topics apply"):
        writer.write(topic, [b"x"], [None], [7])
    writer.write(topic, [b"x"], [None], [0])
    assert end_offsets(kafka_admin(address), topic, [0]) == [1]
    writer.close()


def test_what_is_not_acknowledged_in_time_is_transient(
    address: KafkaAddress, cluster: KafkaCluster
) -> None:
    topic = new_log(address, 1)
    writer = TopicWriter(address, delivery_ms=1_000)
    writer.write(topic, [b"before"], [None], [0])
    cluster.brokers[0].pause()
    try:
        began = time.monotonic()
        with pytest.raises(Transient):
            writer.write(topic, [b"lost?"], [None], [0])
        assert time.monotonic() - began < 10
    finally:
        cluster.brokers[0].resume()
    again = TopicWriter(address)
    again.write(topic, [b"after"], [None], [0])
    again.close()
    writer.close()
    reader = PartitionReader(address, kafka_admin(address), topic, 0)
    values = [message.value() for message in reader.read(0, 1_000)]
    reader.close()
    assert values[0] == b"before"
    assert values.count(b"after") == 1
