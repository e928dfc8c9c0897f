"""The adapters that the conformance suites run on: one more is one more entry of a table here.

An entry opens the store that lies in a directory, as its writer or as a reader beside it. What a
test opened is closed after it.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from obstore.store import MemoryStore
from tests.adapters.kafka.rig import KEY, delete_before, make_log, running_cluster

from swapstats.adapters.embedded.checkpoint_reader import EmbeddedCheckpointReader
from swapstats.adapters.embedded.checkpoints import (
    EmbeddedCheckpointStore,
)
from swapstats.adapters.embedded.dead_letters import (
    EmbeddedDeadLetterReader,
    EmbeddedDeadLetterStore,
)
from swapstats.adapters.embedded.log import EmbeddedSwapLog
from swapstats.adapters.embedded.log_reader import EmbeddedSwapLogReader
from swapstats.adapters.embedded.subscription import EmbeddedSubscription
from swapstats.adapters.kafka.client import KafkaAddress, kafka_admin
from swapstats.adapters.kafka.dead_letters import KafkaDeadLetterReader, KafkaDeadLetters
from swapstats.adapters.kafka.log import KafkaSwapLog, KafkaSwapLogReader
from swapstats.adapters.kafka.subscription import KafkaSubscription
from swapstats.adapters.kafka.subscription_options import SubscriptionOptions
from swapstats.adapters.memory.hot_store import MemoryHotStore
from swapstats.adapters.object_store.checkpoint_reader import ObjectCheckpointReader
from swapstats.adapters.object_store.checkpoints import ObjectCheckpointStore
from swapstats.adapters.object_store.objects import Objects, S3Location, open_s3
from swapstats.adapters.redis.checkpoint_reader import RedisCheckpointReader
from swapstats.adapters.redis.checkpoints import RedisCheckpointStore
from swapstats.adapters.redis.connection import RedisLine
from swapstats.adapters.redis.dead_letters import RedisDeadLetterReader, RedisDeadLetters
from swapstats.adapters.redis.hot_store import RedisHotStore
from swapstats.adapters.redis.hot_store_reader import RedisHotStoreReader
from swapstats.adapters.redis.streams import RedisSwapLog
from swapstats.adapters.redis.streams_reader import RedisSwapLogReader
from swapstats.adapters.redis.streams_subscription import RedisStreamsSubscription
from swapstats.errors import UsageError
from swapstats.ports.checkpoint_store import CheckpointReader, CheckpointStore
from swapstats.ports.dead_letters import DeadLetterReader, DeadLetterStore
from swapstats.ports.hot_store import HotStore, HotStoreReader
from swapstats.ports.swap_log import SwapLog, SwapLogReader
from swapstats.ports.swap_subscription import PartitionOwner, SwapSubscription
from swapstats.stack.kafka import SESSION_TIMEOUT_MIN_MS
from swapstats.stack.object_store import ObjectStoreAccess
from swapstats.stack.redis import RedisServer
from swapstats.stack.versitygw import versitygw


@dataclass(frozen=True)
class LogAdapter:
    """How to open one kind of swap log."""

    name: str
    writer: Callable[[Path, int], SwapLog]
    reader: Callable[[Path], SwapLogReader]
    server: str | None = None
    """The fixture that starts its server."""
    trims: bool = True
    """False where the server drops old records by its own rules."""


@dataclass(frozen=True)
class CheckpointAdapter:
    """How to open one kind of checkpoint store."""

    name: str
    writer: Callable[[Path], CheckpointStore]
    reader: Callable[[Path], CheckpointReader]
    server: str | None = None
    """The fixture that starts its server."""


@dataclass(frozen=True)
class SubscriptionAdapter:
    """How to subscribe to one kind of swap log."""

    log: LogAdapter
    subscribe: Callable[[Path, SwapLog, PartitionOwner], SwapSubscription]
    delete: Callable[[Path, SwapLog, int], None]
    """Deletes the records of every partition before an offset."""
    committed: Callable[[Path, int], int] | None = None
    """What a lag tool sees of a partition; None = there are none."""
    member: Callable[[Path], list[str]] | None = None
    """A command that joins the group; None = there are no groups. See the suite."""


@dataclass(frozen=True)
class DeadLetterAdapter:
    """How to open one kind of dead-letter store."""

    name: str
    writer: Callable[[Path], DeadLetterStore]
    reader: Callable[[Path], DeadLetterReader]
    server: str | None = None
    """The fixture that starts its server."""


@dataclass(frozen=True)
class HotStoreAdapter:
    """How to open one kind of hot store."""

    name: str
    writer: Callable[[Path], HotStore]
    reader: Callable[[Path], HotStoreReader]
    server: str | None = None
    """The fixture that starts its server."""


_memory_hot: dict[Path, MemoryHotStore] = {}


def memory_hot_store(path: Path) -> MemoryHotStore:
    return _memory_hot.setdefault(path, MemoryHotStore())


_memory: dict[Path, MemoryStore] = {}
_s3: list[ObjectStoreAccess] = []


def memory_objects(path: Path) -> Objects:
    return Objects(_memory.setdefault(path, MemoryStore()), "checkpoints")


def s3_objects(path: Path) -> Objects:
    access = _s3[0]
    backend = open_s3(
        S3Location(access.bucket, access.endpoint, access.region, access.key_id, access.secret)
    )
    return Objects(backend, f"{path.name}/checkpoints")


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A real S3 server with conditional writes, for all tests of the session."""
    try:
        server, access = versitygw(tmp_path_factory.mktemp("s3"))
    except UsageError as error:
        pytest.skip(str(error))
    server.start()
    _s3.append(access)
    yield
    _s3.clear()
    server.stop()


_redis: list[RedisServer] = []


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A real Redis for all tests of the session; each test has a prefix of its own."""
    try:
        server = RedisServer(tmp_path_factory.mktemp("redis"))
    except UsageError as error:
        pytest.skip(str(error))
    server.start()
    _redis.append(server)
    yield
    _redis.clear()
    server.stop()


_kafka: list[KafkaAddress] = []


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A real Kafka for all tests of the session; each test has topics of its own."""
    for cluster in running_cluster(tmp_path_factory.mktemp("kafka")):
        _kafka.append(KafkaAddress(cluster.bootstrap))
        yield
        _kafka.clear()


def kafka_topic(path: Path) -> str:
    """Topic of the log that lies in a directory: names of directories are unique in a session."""
    return f"log-{path.name}"


def kafka_log(path: Path, partition_count: int) -> KafkaSwapLog:
    make_log(_kafka[0], kafka_topic(path), partition_count)
    return KafkaSwapLog(_kafka[0], kafka_topic(path), KEY, partition_count, carry_append_ms=True)


def kafka_subscription(path: Path, log: SwapLog, owner: PartitionOwner) -> SwapSubscription:
    assert log.partition_count
    return KafkaSubscription(
        _kafka[0],
        kafka_topic(path),
        kafka_topic(path),
        owner,
        SubscriptionOptions(session_timeout_ms=SESSION_TIMEOUT_MIN_MS),
    )


def kafka_delete(path: Path, log: SwapLog, before: int) -> None:
    delete_before(_kafka[0], kafka_topic(path), dict.fromkeys(range(log.partition_count), before))


def kafka_committed(path: Path, partition: int) -> int:
    """What a lag tool would read."""
    topic = kafka_topic(path)
    place = TopicPartition(topic, partition)
    asked = ConsumerGroupTopicPartitions(topic, [place])
    admin = kafka_admin(_kafka[0])  # held: what it was asked is forgotten with it
    found = admin.list_consumer_group_offsets([asked])[topic].result()
    return int(found.topic_partitions[0].offset)


def kafka_member(path: Path) -> list[str]:
    """A command that runs a member of the group and says so."""
    member = Path(__file__).parents[1] / "adapters" / "kafka" / "member.py"
    topic = kafka_topic(path)
    timeout = str(SESSION_TIMEOUT_MIN_MS)
    return [sys.executable, str(member), _kafka[0].brokers, topic, topic, timeout]


REDIS_SESSION_MS = 1_000


def redis_subscription(path: Path, log: SwapLog, owner: PartitionOwner) -> SwapSubscription:
    assert log.partition_count
    return RedisStreamsSubscription(
        _redis[0].url, path.name, "group", owner, session_ms=REDIS_SESSION_MS
    )


def redis_committed(path: Path, partition: int) -> int:
    with contextlib.closing(RedisLine(_redis[0].url)) as line:
        key = f"{{{path.name}:log}}:group:group:offsets"
        return int(line.call("HGET", key, partition) or -1)


def redis_member(path: Path) -> list[str]:
    """A command that runs a member of the group and says so."""
    member = Path(__file__).parents[1] / "adapters" / "redis" / "member.py"
    place = [_redis[0].url, path.name, "group", str(REDIS_SESSION_MS)]
    return [sys.executable, str(member), *place]


def embedded_delete(path: Path, log: SwapLog, before: int) -> None:
    assert path.is_dir()
    log.trim(1 << 60, 0, [before] * log.partition_count)


def kafka_dead_letters(path: Path) -> KafkaDeadLetters:
    make_log(_kafka[0], kafka_topic(path), 1)
    return KafkaDeadLetters(_kafka[0], kafka_topic(path))


LOGS = (
    LogAdapter(
        "embedded",
        lambda path, partition_count: EmbeddedSwapLog(path / "log.db", partition_count),
        lambda path: EmbeddedSwapLogReader(path / "log.db"),
    ),
    LogAdapter(
        "Kafka",
        kafka_log,
        lambda path: KafkaSwapLogReader(_kafka[0], kafka_topic(path)),
        server="kafka_server",
        trims=False,
    ),
    LogAdapter(
        "Redis",
        lambda path, count: RedisSwapLog(_redis[0].url, path.name, count),
        lambda path: RedisSwapLogReader(_redis[0].url, path.name),
        server="redis_server",
    ),
)
CHECKPOINTS = (
    CheckpointAdapter(
        "embedded",
        lambda path: EmbeddedCheckpointStore(path / "checkpoints.db"),
        lambda path: EmbeddedCheckpointReader(path / "checkpoints.db"),
    ),
    CheckpointAdapter(
        "objects in memory",
        lambda path: ObjectCheckpointStore(memory_objects(path)),
        lambda path: ObjectCheckpointReader(memory_objects(path)),
    ),
    CheckpointAdapter(
        "S3",
        lambda path: ObjectCheckpointStore(s3_objects(path)),
        lambda path: ObjectCheckpointReader(s3_objects(path)),
        server="s3_server",
    ),
    CheckpointAdapter(
        "Redis",
        lambda path: RedisCheckpointStore(_redis[0].url, path.name, epoch_unit_s=0),
        lambda path: RedisCheckpointReader(_redis[0].url, path.name),
        server="redis_server",
    ),
)
HOT_STORES = (
    HotStoreAdapter("memory", memory_hot_store, memory_hot_store),
    HotStoreAdapter(
        "Redis",
        lambda path: RedisHotStore(_redis[0].url, f"hot-{path.name}"),
        lambda path: RedisHotStoreReader(_redis[0].url, f"hot-{path.name}"),
        server="redis_server",
    ),
)
DEAD_LETTERS = (
    DeadLetterAdapter(
        "embedded",
        lambda path: EmbeddedDeadLetterStore(path / "dead-letters.db"),
        lambda path: EmbeddedDeadLetterReader(path / "dead-letters.db"),
    ),
    DeadLetterAdapter(
        "Kafka",
        kafka_dead_letters,
        lambda path: KafkaDeadLetterReader(_kafka[0], kafka_topic(path)),
        server="kafka_server",
    ),
    DeadLetterAdapter(
        "Redis",
        lambda path: RedisDeadLetters(_redis[0].url, f"letters-{path.name}"),
        lambda path: RedisDeadLetterReader(_redis[0].url, f"letters-{path.name}"),
        server="redis_server",
    ),
)


SUBSCRIPTIONS = (
    SubscriptionAdapter(
        LOGS[0],
        lambda _path, log, owner: EmbeddedSubscription(log, owner),
        embedded_delete,
    ),
    SubscriptionAdapter(
        LOGS[1],
        kafka_subscription,
        kafka_delete,
        committed=kafka_committed,
        member=kafka_member,
    ),
    SubscriptionAdapter(
        LOGS[2],
        redis_subscription,
        embedded_delete,
        committed=redis_committed,
        member=redis_member,
    ),
)


@pytest.fixture(params=SUBSCRIPTIONS, ids=lambda adapter: adapter.log.name)
def subscription_adapter(request: pytest.FixtureRequest) -> SubscriptionAdapter:
    assert isinstance(request.param, SubscriptionAdapter)
    if request.param.log.server is not None:
        request.getfixturevalue(request.param.log.server)
    return request.param


@pytest.fixture(params=LOGS, ids=lambda adapter: adapter.name)
def log_adapter(request: pytest.FixtureRequest) -> LogAdapter:
    assert isinstance(request.param, LogAdapter)
    if request.param.server is not None:
        request.getfixturevalue(request.param.server)
    return request.param


@pytest.fixture(params=CHECKPOINTS, ids=lambda adapter: adapter.name)
def checkpoint_adapter(request: pytest.FixtureRequest) -> CheckpointAdapter:
    assert isinstance(request.param, CheckpointAdapter)
    if request.param.server is not None:
        request.getfixturevalue(request.param.server)
    return request.param


@pytest.fixture(params=HOT_STORES, ids=lambda adapter: adapter.name)
def hot_store_adapter(request: pytest.FixtureRequest) -> HotStoreAdapter:
    assert isinstance(request.param, HotStoreAdapter)
    if request.param.server is not None:
        request.getfixturevalue(request.param.server)
    return request.param


@pytest.fixture(params=DEAD_LETTERS, ids=lambda adapter: adapter.name)
def dead_letter_adapter(request: pytest.FixtureRequest) -> DeadLetterAdapter:
    assert isinstance(request.param, DeadLetterAdapter)
    if request.param.server is not None:
        request.getfixturevalue(request.param.server)
    return request.param


@pytest.fixture
def closing() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def open_log(
    log_adapter: LogAdapter, tmp_path: Path, closing: contextlib.ExitStack
) -> Callable[[int], SwapLog]:
    """Opens the test's log as its writer, with so many partitions."""

    def opened(partition_count: int) -> SwapLog:
        return closing.enter_context(
            contextlib.closing(log_adapter.writer(tmp_path, partition_count))
        )

    return opened


@pytest.fixture
def trimming(log_adapter: LogAdapter) -> None:
    """Skips a test of `trim` where the server does that by itself."""
    if not log_adapter.trims:
        pytest.skip(f"{log_adapter.name} drops old records by the topic's retention")


@pytest.fixture
def open_log_reader(
    log_adapter: LogAdapter, tmp_path: Path, closing: contextlib.ExitStack
) -> Callable[[], SwapLogReader]:
    """Opens the test's log as a reader beside its writer."""
    return lambda: closing.enter_context(contextlib.closing(log_adapter.reader(tmp_path)))


@pytest.fixture
def open_checkpoints(
    checkpoint_adapter: CheckpointAdapter, tmp_path: Path, closing: contextlib.ExitStack
) -> Callable[[], CheckpointStore]:
    """Opens the test's checkpoint store as its writer."""
    return lambda: closing.enter_context(contextlib.closing(checkpoint_adapter.writer(tmp_path)))


@pytest.fixture
def open_checkpoint_reader(
    checkpoint_adapter: CheckpointAdapter, tmp_path: Path, closing: contextlib.ExitStack
) -> Callable[[], CheckpointReader]:
    """Opens the test's checkpoint store as a reader beside its writer."""
    return lambda: closing.enter_context(contextlib.closing(checkpoint_adapter.reader(tmp_path)))


@pytest.fixture
def open_hot_store(
    hot_store_adapter: HotStoreAdapter, tmp_path: Path, closing: contextlib.ExitStack
) -> Callable[[], HotStore]:
    """Opens the test's hot store as a writer; there may be more than one."""
    return lambda: closing.enter_context(contextlib.closing(hot_store_adapter.writer(tmp_path)))


@pytest.fixture
def open_hot_store_reader(
    hot_store_adapter: HotStoreAdapter, tmp_path: Path, closing: contextlib.ExitStack
) -> Callable[[], HotStoreReader]:
    """Opens the test's hot store as a reader beside its writers."""
    return lambda: closing.enter_context(contextlib.closing(hot_store_adapter.reader(tmp_path)))


@pytest.fixture
def open_dead_letters(
    dead_letter_adapter: DeadLetterAdapter, tmp_path: Path, closing: contextlib.ExitStack
) -> Callable[[], DeadLetterStore]:
    """Opens the test's dead-letter store as its writer."""
    return lambda: closing.enter_context(contextlib.closing(dead_letter_adapter.writer(tmp_path)))


@pytest.fixture
def open_dead_letter_reader(
    dead_letter_adapter: DeadLetterAdapter, tmp_path: Path, closing: contextlib.ExitStack
) -> Callable[[], DeadLetterReader]:
    """Opens the test's dead-letter store as a reader beside its writer."""
    return lambda: closing.enter_context(contextlib.closing(dead_letter_adapter.reader(tmp_path)))
