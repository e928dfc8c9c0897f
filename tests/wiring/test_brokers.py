"""What roles on real servers take from the settings; passwords stay out of every message."""

from pathlib import Path

import numpy as np
import pytest
from tests.roles.aggregator.rig import swap

from swapstats.core.decode import choose_partitions
from swapstats.core.hash_key import HashKey
from swapstats.errors import SettingsError
from swapstats.model.record import MessageBlock
from swapstats.settings import FlagValue, Settings, load
from swapstats.wiring.brokers import (
    PLACING_KEY,
    checkpoint_store,
    first_start,
    kafka_address,
    nats_servers,
    pair_memory,
    redis_url,
    subscription_options,
    wanted_topics,
)

HOUR_MS = 3_600_000


def settings(**sections: FlagValue) -> Settings:
    """Settings by dotted keys, written with `__` for a dot."""
    flags = {name.replace("__", "."): value for name, value in sections.items()}
    return load(environ={}, flags={"ingest.broker_type": "kafka", **flags})


def test_the_address_holds_all_brokers_and_both_kinds_of_properties(tmp_path: Path) -> None:
    secret = tmp_path / "kafka"
    secret.write_text("# for the log\n\nsasl.password=hun=ter2\n ssl.key.password = x \n")
    flags: dict[str, FlagValue] = {
        "ingest.broker_type": "redpanda",
        "ingest.brokers": ["a:9092", "b:9092"],
        "ingest.properties": {"security.protocol": "SASL_SSL"},
        "ingest.secret_properties_file": secret,
    }
    address = kafka_address(load(environ={}, flags=flags))
    assert address.brokers == "a:9092,b:9092"
    assert address.properties == {
        "security.protocol": "SASL_SSL",
        "sasl.password": "hun=ter2",
        "ssl.key.password": "x",
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ingest__broker_type": "embedded"}, "Expected ingest.broker_type kafka or redpanda"),
        ({}, "Expected addresses of Kafka brokers, was none"),
        ({"ingest__properties": {"acks": "0"}}, "was acks"),
        ({"ingest__secret_properties": "sasl.password: hunter2"}, "was another line 1 (not shown)"),
        ({"ingest__secret_properties": "a=hunter2\na=hunter3"}, "was another line 2 (not shown)"),
        ({"ingest__secret_properties": "=hunter2"}, "was another line 1 (not shown)"),
        (
            {"ingest__secret_properties": "x=hunter2", "ingest__properties": {"x": "y"}},
            "was x in both",
        ),
    ],
)
def test_an_address_that_cannot_be_is_refused(given: dict[str, FlagValue], said: str) -> None:
    brokers: dict[str, FlagValue] = {"ingest__brokers": ["a:1"]} if given else {}
    with pytest.raises(SettingsError) as caught:
        kafka_address(settings(**brokers, **given))
    assert said in str(caught.value)
    assert "hunter" not in str(caught.value)


def test_how_an_instance_behaves_in_its_group() -> None:
    plain = subscription_options(settings())
    assert (plain.member, plain.session_timeout_ms, plain.back_pressure) == (None, 6_000, "block")
    options = subscription_options(
        settings(
            ingest__static_member="one",
            ingest__session_timeout="2s",
            ingest__back_pressure="buffer",
            ingest__buffer_max="1MiB",
        )
    )
    assert (options.member, options.session_timeout_ms) == ("one", 2_000)
    assert (options.back_pressure, options.buffer_bytes_max) == ("buffer", 1 << 20)
    assert first_start(settings()) == "earliest"
    assert first_start(settings(ingest__start="latest")) == "latest"


def test_topics_are_kept_as_long_as_the_windows_need() -> None:
    (log, positions, letters, late, *raw) = wanted_topics(settings(app__windows="5m,48h"))
    assert (log.name, log.partitions, log.replication, log.keyed) == ("raw-swaps", 4, 1, True)
    assert int(log.settings["retention.ms"]) == 50 * HOUR_MS
    assert [topic.name for topic in (positions, letters, late)] == [
        "raw-swaps.positions",
        "raw-swaps.dead-letters",
        "raw-swaps.late",
    ]
    assert [(topic.name, topic.partitions) for topic in raw] == [
        ("raw-events", 1),
        ("raw-events.positions", 1),
        ("raw-events.dead-letters", 1),
    ]
    assert int(raw[0].settings["retention.ms"]) == 24 * HOUR_MS
    assert raw[1].settings["cleanup.policy"] == "compact"
    longer = settings(ingest__topic_cfg__retention_ms=30 * HOUR_MS)
    assert int(wanted_topics(longer)[0].settings["retention.ms"]) == 30 * HOUR_MS
    forever = settings(ingest__topic_cfg__retention_ms=-1)
    assert wanted_topics(forever)[0].settings["retention.ms"] == "-1"
    other, *rest = wanted_topics(settings(), topic="new", partitions=24)
    assert [topic.name for topic in rest] == ["new.positions", "new.dead-letters", "new.late"]
    assert (other.name, other.partitions) == ("new", 24)
    assert "min.insync.replicas" in other.settings
    redpanda = wanted_topics(settings(ingest__broker_type="redpanda"))[0]
    assert "min.insync.replicas" not in redpanda.settings


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ingest__topic_cfg__retention_ms": 25 * HOUR_MS}, "could not be rebuilt"),
        ({"ingest__topic_cfg__cleanup_policy": "compact"}, "Expected cleanup_policy delete"),
    ],
)
def test_topics_that_would_lose_swaps_are_refused(given: dict[str, FlagValue], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        wanted_topics(settings(**given))


@pytest.mark.parametrize(
    ("addr", "password", "db", "url"),
    [
        ("redis:6380", "", 0, "redis://redis:6380/0"),
        ("redis", "", 7, "redis://redis:6379/7"),
        ("[::1]:7", "", 0, "redis://[::1]:7/0"),
        ("redis:1", "p@:/w", 0, "redis://:p%40%3A%2Fw@redis:1/0"),
        ("rediss://app@redis:1", "pw", 2, "rediss://app:pw@redis:1/2"),
        ("redis://app@redis/", "", 0, "redis://app@redis:6379/0"),
    ],
)
def test_the_url_of_redis(addr: str, password: str, db: int, url: str) -> None:
    given = settings(
        stores__redis__addr=addr, stores__redis__password=password, stores__redis__db=db
    )
    assert redis_url(given) == url


@pytest.mark.parametrize(
    "addr",
    ["", "redis://app:hunter2@redis:1", "hunter2@redis:x", "http://redis:1", "redis:1/hunter2"],
)
def test_an_address_of_redis_that_cannot_be_is_not_quoted(addr: str) -> None:
    with pytest.raises(SettingsError, match=r"^stores\.redis\.addr \(.*\): Expected ") as caught:
        redis_url(settings(stores__redis__addr=addr))
    assert "hunter2" not in str(caught.value)


def test_servers_of_nats() -> None:
    assert nats_servers(settings()) == []
    urls = settings(pubsub__nats__url="nats://u:p@a:4222, nats://b:4222,")
    assert nats_servers(urls) == ["nats://u:p@a:4222", "nats://b:4222"]


def test_checkpoints_on_object_storage_need_a_bucket() -> None:
    with pytest.raises(SettingsError, match=r"^stores\.s3\.bucket \(default\): Expected a bucket"):
        checkpoint_store(settings(stores__checkpoints="s3"))
    with pytest.raises(SettingsError, match=r"^stores\.redis\.addr \(default\)"):
        checkpoint_store(settings())


def test_a_memory_of_pairs_is_opened_if_it_is_wanted() -> None:
    assert pair_memory(settings()) is None
    with pytest.raises(SettingsError, match=r"^stores\.redis\.addr \(default\)"):
        pair_memory(settings(dedupe__store="redis"))
    opened = pair_memory(settings(dedupe__store="redis", stores__redis__addr="127.0.0.1:1"))
    assert opened is not None
    opened.close()


def test_what_only_places_records_needs_no_secret() -> None:
    block = MessageBlock.of([swap(n, 1_700_000_000_000, f"T{n % 7}") for n in range(50)] + [b"bad"])
    secret = HashKey.of(bytes(range(16)))
    placed = choose_partitions(block, PLACING_KEY, 12, 1_700_000_000_000)
    assert np.array_equal(placed, choose_partitions(block, secret, 12, 1_700_000_000_000))
    assert len(set(placed.tolist())) > 3
