"""What every Kafka client of ours shares: its properties, its errors told in our words, offsets.

Nothing here knows what is in a topic.
"""
# ruff: noqa: SLF001 - the client library names its local error codes with a leading underscore

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from swapstats.errors import (
    Fatal,
    Fenced,
    OffsetGone,
    SettingsError,
    StoreFull,
    SwapstatsError,
    Transient,
)

REQUEST_MS: Final = 10_000
"""How long one request may take, a leader's election included, before it counts as failed."""

RESERVED: Final = frozenset(
    {
        "acks",
        "auto.offset.reset",
        "bootstrap.servers",
        "delivery.report.only.error",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.idempotence",
        "enable.partition.eof",
        "group.id",
        "group.instance.id",
        "group.protocol",
        "partition.assignment.strategy",
        "transactional.id",
    }
)
"""Properties that what we promise stands on; they cannot be given from outside."""

_REFUSED: Final = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError._SSL,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.ILLEGAL_SASL_STATE,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.SECURITY_DISABLED,
    }
)
_NO_TOPIC: Final = frozenset(
    {
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)
_OFFSET: Final = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})
_FENCED: Final = frozenset({KafkaError._FENCED, KafkaError.FENCED_INSTANCE_ID})
_TOO_LARGE: Final = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE})
_LEADER_MOVED: Final = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError._NOENT,  # "no leaders found": while one is being elected
    }
)
_LEADERS_TRIED_MAX: Final = 20
_ELECTION_S: Final = 0.1
_WRONG: Final = frozenset(
    {
        KafkaError._FATAL,
        KafkaError._INVALID_ARG,
        KafkaError.INVALID_CONFIG,
        KafkaError.INVALID_GROUP_ID,
        KafkaError.INCONSISTENT_GROUP_PROTOCOL,
        KafkaError.INVALID_SESSION_TIMEOUT,
        KafkaError.UNSUPPORTED_VERSION,
        KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT,
    }
)


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """Where the brokers are and how to speak to them.

    Attributes:
        brokers: `host:port`, several parted by commas.
        properties: librdkafka properties for every client, such as `security.protocol`,
            `sasl.mechanism`, `sasl.username`, `sasl.password`, `ssl.ca.location`.
    """

    brokers: str
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.brokers:
            raise SettingsError("Expected addresses of Kafka brokers, was none: set ingest.brokers")
        taken = sorted(RESERVED & self.properties.keys())
        if taken:
            raise SettingsError(
                f"Expected properties that tune or secure a client, was {', '.join(taken)}: "
                "what swapstats promises stands on them, leave them out"
            )

    def client(self, **own: str | int | bool) -> dict[str, str | int | float | bool]:
        """Properties of one client.

        Args:
            own: its own ones, with `_` for `.`; those of the address win where both speak.
        """
        made: dict[str, str | int | float | bool] = {
            name.replace("_", "."): value for name, value in own.items()
        }
        return made | {
            # Reconnect as soon as a restarted broker is back; librdkafka waits up to 10 s.
            "reconnect.backoff.max.ms": 1_000,
            # Errors are raised to callers or counted; librdkafka would write them to stderr.
            "log_level": 0,
            "log.connection.close": False,
            **self.properties,
            "bootstrap.servers": self.brokers,
        }


def swapstats_error(error: KafkaError, what: str) -> SwapstatsError:
    """Tell a Kafka error in our words.

    Args:
        error: what the client said.
        what: what was expected, such as "to append to topic x".

    Returns:
        Fatal with what to do, or Transient if trying again can help.
    """
    code = error.code()
    said = f"Expected {what}, was {error.name()} ({error.str()})"
    if code in _REFUSED:
        return Fatal(f"{said}: check the credentials and rights given to ingest.properties")
    if code in _NO_TOPIC:
        return Fatal(f"{said}: create the topic with `swapstats topics apply`")
    if code in _OFFSET:
        return OffsetGone(f"{said}: start with --accept-gap to go on from the start of the log")
    if code in _FENCED:
        return Fenced(f"{said}: another instance uses the same static member name")
    if code in _TOO_LARGE:
        return Fatal(f"{said}: raise max.message.bytes with `swapstats topics apply`")
    if code == KafkaError.KAFKA_STORAGE_ERROR:
        return StoreFull(f"{said}: the broker cannot write to its disk; free space there")
    if code in _WRONG or error.fatal():
        return Fatal(f"{said}: see the broker's log and the client's properties")
    return Transient(said)


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Raise Kafka's errors as ours.

    Args:
        what: what was expected, such as "to read topic x".
    """
    try:
        yield
    except KafkaException as error:
        raise swapstats_error(error.args[0], what) from error


def kafka_consumer(properties: Mapping[str, object]) -> Consumer:
    """Make a consumer; a property that cannot be is a SettingsError."""
    try:
        return Consumer(dict(properties))
    except KafkaException as error:
        raise _wrong_property(error) from error


def kafka_admin(address: KafkaAddress) -> AdminClient:
    """Make an admin client; a property that cannot be is a SettingsError."""
    try:
        return AdminClient(address.client())
    except KafkaException as error:
        raise _wrong_property(error) from error


def count_partitions(client: Consumer | AdminClient, topic: str) -> int | None:
    """Count a topic's partitions; None if there is no such topic.

    Raises:
        Fatal: no right to see it.
        Transient: the brokers cannot be reached.
    """
    what = f"to find topic {topic}"
    with told(what):
        # All topics are asked for: asking for one by name makes it, where brokers allow that.
        found = client.list_topics(timeout=REQUEST_MS / 1_000).topics.get(topic)
    if found is None:
        return None
    if found.error is None:
        return len(found.partitions)
    if found.error.code() in _NO_TOPIC:
        return None
    raise swapstats_error(found.error, what)


def expect_partitions(client: Consumer | AdminClient, topic: str) -> int:
    """Count a topic's partitions.

    Raises:
        Fatal: there is no such topic.
        Transient: the brokers cannot be reached.
    """
    count = count_partitions(client, topic)
    if count is None:
        raise Fatal(
            f"Expected topic {topic}, was none: create it with `swapstats topics apply` or "
            "deploy/kafka/create_or_update_topic.sh"
        )
    return count


def start_offsets(admin: AdminClient, topic: str, partitions: Iterable[int]) -> list[int]:
    """Ask for the first offset still held of each partition."""
    return _offsets(admin, topic, list(partitions), [OffsetSpec.earliest()])[0]  # type: ignore[no-untyped-call]


def end_offsets(admin: AdminClient, topic: str, partitions: Iterable[int]) -> list[int]:
    """Ask for the offset the next record of each partition will get."""
    return _offsets(admin, topic, list(partitions), [OffsetSpec.latest()])[0]  # type: ignore[no-untyped-call]


def extent(admin: AdminClient, topic: str, partition: int) -> tuple[int, int]:
    """Ask for a partition's first offset still held, and the one its next record will get.

    A client that reads must not be asked: its question waits behind its running fetch.
    """
    both = [OffsetSpec.earliest(), OffsetSpec.latest()]  # type: ignore[no-untyped-call]
    starts, ends = _offsets(admin, topic, [partition], both)
    return starts[0], ends[0]


def _offsets(
    admin: AdminClient, topic: str, partitions: Sequence[int], specs: Sequence[OffsetSpec]
) -> list[list[int]]:
    """For each spec one request to each leader, whatever the number of partitions."""
    if not partitions:
        return [[] for _ in specs]
    with told(f"to hear offsets of topic {topic}"):
        for _ in range(_LEADERS_TRIED_MAX):
            asked = [
                admin.list_offsets(
                    {TopicPartition(topic, partition): spec for partition in partitions},
                    request_timeout=REQUEST_MS / 1_000,
                )
                for spec in specs
            ]
            try:
                found = [
                    [int(answer.result().offset) for answer in answers.values()]
                    for answers in asked
                ]
                if min(map(min, found)) >= 0:
                    return found
                # Below zero: the leader that was asked is gone, or does not know its end yet.
            except KafkaException as error:
                if error.args[0].code() not in _LEADER_MOVED:
                    raise
            # The client learns who leads now by asking for the topics.
            admin.list_topics(topic, timeout=REQUEST_MS / 1_000)
            time.sleep(_ELECTION_S)
    raise Transient(f"Expected a leader of each partition of topic {topic}, was none")


def _wrong_property(error: KafkaException) -> SettingsError:
    return SettingsError(
        f"Expected properties that Kafka's client knows, was {error.args[0].str()}: check "
        "ingest.properties"
    )
