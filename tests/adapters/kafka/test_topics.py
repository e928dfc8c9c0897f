import uuid

import pytest
from tests.adapters.kafka.rig import KEY, make_log

from swapstats.adapters.kafka.client import KafkaAddress, count_partitions, kafka_admin
from swapstats.adapters.kafka.log import KafkaSwapLog
from swapstats.adapters.kafka.topics import KafkaTopics
from swapstats.adapters.kafka.writer import TopicWriter
from swapstats.core.topic_plan import WantedTopic
from swapstats.errors import Fatal, UsageError

SETTINGS = {"retention.ms": "1000000", "message.timestamp.type": "LogAppendTime"}


def name() -> str:
    return f"topic-{uuid.uuid4().hex[:12]}"


def actions(topics: KafkaTopics, *wanted: WantedTopic) -> list[tuple[str, str]]:
    return [(change.setting, change.action) for change in topics.plan(wanted)]


def test_a_topic_is_made_and_mended(address: KafkaAddress) -> None:
    topics = KafkaTopics(address)
    topic = name()
    first = WantedTopic(topic, 2, 1, SETTINGS)
    assert topics.find(first) is None
    changes = topics.plan([first])
    assert {change.action for change in changes} == {"create"}
    assert topics.find(first) is None, "a plan changes nothing"
    topics.apply([first], changes)
    assert topics.plan([first]) == ()
    found = topics.find(first)
    assert found is not None
    assert (found.partitions, found.replication, found.is_unused) == (2, 1, True)
    assert found.settings == SETTINGS

    second = WantedTopic(
        topic, 5, 3, SETTINGS | {"retention.ms": "7", "cleanup.policy": "compact,delete"}
    )
    assert actions(topics, second) == [
        ("partitions", "grow"),
        ("replication", "leave"),
        ("cleanup.policy", "set"),
        ("retention.ms", "set"),
    ]
    topics.apply([second], topics.plan([second]))
    assert actions(topics, second) == [("replication", "leave")]


def test_the_partitions_of_a_log_in_use_stay(address: KafkaAddress) -> None:
    topics = KafkaTopics(address)
    topic = name()
    wanted = WantedTopic(topic, 2, 1, SETTINGS, keyed=True)
    topics.apply([wanted], topics.plan([wanted]))
    writer = TopicWriter(address)
    writer.write(topic, [b"x"], [None], [1])
    writer.close()
    other = name()
    more = [WantedTopic(topic, 4, 1, SETTINGS, keyed=True), WantedTopic(other, 1, 1, {})]
    changes = topics.plan(more)
    with pytest.raises(UsageError, match=r"partitions 2 -> 4 \[refuse\].*topics migrate"):
        topics.apply(more, changes)
    assert count_partitions(kafka_admin(address), other) is None, "nothing was changed"


def test_what_the_broker_refuses_is_told(address: KafkaAddress) -> None:
    topics = KafkaTopics(address)
    wrong = WantedTopic(name(), 1, 1, {"retention.ms": "soon"})
    with pytest.raises(Fatal, match="INVALID_CONFIG"):
        topics.apply([wrong], topics.plan([wrong]))


def test_a_log_with_all_its_topics(address: KafkaAddress) -> None:
    topic = name()
    make_log(address, topic, 3)
    make_log(address, topic, 3)
    log = KafkaSwapLog(address, topic, KEY, 3)
    assert log.position("demo") is None
    log.close()
    admin = kafka_admin(address)
    counts = [count_partitions(admin, f"{topic}{end}") for end in ("", ".dead-letters", ".late")]
    assert counts == [3, 1, 3]
