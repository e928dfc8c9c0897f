import pytest
from confluent_kafka import KafkaError
from tests.adapters.kafka.rig import delete_before, new_log

from swapstats.adapters.kafka.client import (
    RESERVED,
    KafkaAddress,
    count_partitions,
    end_offsets,
    expect_partitions,
    extent,
    kafka_admin,
    kafka_consumer,
    start_offsets,
    swapstats_error,
)
from swapstats.adapters.kafka.writer import TopicWriter
from swapstats.errors import Fatal, Fenced, OffsetGone, SettingsError, StoreFull, Transient
from swapstats.stack.process import free_port


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_properties_that_promises_stand_on_are_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        KafkaAddress("127.0.0.1:1", {name: "x"})


def test_no_address_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"ingest\.brokers"):
        KafkaAddress("")


def test_properties_of_the_address_win() -> None:
    address = KafkaAddress("h:1", {"linger.ms": "50", "sasl.username": "me"})
    made = address.client(linger_ms=5, group_id="g")
    assert made["linger.ms"] == "50"
    assert made["sasl.username"] == "me"
    assert made["group.id"] == "g"
    assert made["bootstrap.servers"] == "h:1"


def test_an_unknown_property_is_named() -> None:
    address = KafkaAddress("h:1", {"no.such.thing": "1"})
    with pytest.raises(SettingsError, match=r"no\.such\.thing"):
        kafka_admin(address)
    with pytest.raises(SettingsError, match=r"no\.such\.thing"):
        kafka_consumer(address.client(group_id="g"))
    with pytest.raises(SettingsError, match=r"no\.such\.thing"):
        TopicWriter(address)


@pytest.mark.parametrize(
    ("code", "kind", "remedy"),
    [
        (KafkaError._AUTHENTICATION, Fatal, "credentials"),
        (KafkaError.SASL_AUTHENTICATION_FAILED, Fatal, "credentials"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, Fatal, "rights"),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, Fatal, "topics apply"),
        (KafkaError._AUTO_OFFSET_RESET, OffsetGone, "--accept-gap"),
        (KafkaError.FENCED_INSTANCE_ID, Fenced, "static member"),
        (KafkaError.MSG_SIZE_TOO_LARGE, Fatal, "max.message.bytes"),
        (KafkaError.KAFKA_STORAGE_ERROR, StoreFull, "free space"),
        (KafkaError.UNSUPPORTED_VERSION, Fatal, "broker's log"),
        (KafkaError._TRANSPORT, Transient, ""),
        (KafkaError._MSG_TIMED_OUT, Transient, ""),
        (KafkaError.NOT_ENOUGH_REPLICAS, Transient, ""),
        (KafkaError.NOT_LEADER_FOR_PARTITION, Transient, ""),
    ],
)
def test_errors_are_told_in_our_words(code: int, kind: type[Exception], remedy: str) -> None:
    error = KafkaError(code, "because")
    heard = swapstats_error(error, "to read topic x")
    assert type(heard) is kind
    assert str(heard).startswith(f"Expected to read topic x, was {error.name()} (because)")
    assert remedy in str(heard)


def test_topics_are_counted_and_never_made_by_asking(address: KafkaAddress) -> None:
    admin = kafka_admin(address)
    topic = new_log(address, 3)
    assert expect_partitions(admin, topic) == 3
    for _ in range(2):
        assert count_partitions(admin, f"{topic}-not") is None
        with pytest.raises(Fatal, match="topics apply"):
            expect_partitions(admin, f"{topic}-not")


def test_offsets_come_in_the_order_asked_for(address: KafkaAddress) -> None:
    topic = new_log(address, 3)
    writer = TopicWriter(address)
    writer.write(topic, [b"x"] * 6, [None] * 6, [0, 1, 1, 2, 2, 2])
    writer.close()
    delete_before(address, topic, {1: 1, 2: 2})
    admin = kafka_admin(address)
    assert end_offsets(admin, topic, [2, 0, 1]) == [3, 1, 2]
    assert start_offsets(admin, topic, [2, 0, 1]) == [2, 0, 1]
    assert extent(admin, topic, 1) == (1, 2)
    assert end_offsets(admin, topic, []) == []


def test_brokers_that_cannot_be_reached_are_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swapstats.adapters.kafka.client.REQUEST_MS", 1_000)
    address = KafkaAddress(f"127.0.0.1:{free_port()}")
    admin = kafka_admin(address)
    with pytest.raises(Transient):
        end_offsets(admin, "x", [0])
