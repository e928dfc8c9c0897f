"""Everything swapstats stands on, on this machine: Kafka, Redis, NATS, if there S3 and an archive.

All listen on free loopback ports, keep their data in one directory, and die with the process that
started them. The topics are made and a configuration for the roles is written. For development,
demonstrations and tests, never for production.
"""

import contextlib
import fcntl
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from swapstats.adapters.clickhouse.storage import ColdStorage
from swapstats.adapters.kafka.topics import KafkaTopics
from swapstats.core.topic_plan import TopicChange
from swapstats.errors import UsageError
from swapstats.settings import load
from swapstats.settings.document import nested_yaml, yaml_text
from swapstats.settings.kinds import Raw
from swapstats.stack.clickhouse import clickhouse
from swapstats.stack.kafka import KafkaCluster
from swapstats.stack.nats import NatsServer
from swapstats.stack.object_store import ObjectStoreAccess
from swapstats.stack.process import ServerProcess
from swapstats.stack.redis import RedisServer
from swapstats.stack.versitygw import versitygw
from swapstats.wiring.archive import DATABASE
from swapstats.wiring.brokers import kafka_address, wanted_topics

PARTITIONS: Final = 12
CONFIG_NAME: Final = "swapstats.yaml"


class LocalStack:
    """Servers for all roles, as a context: started on entry, stopped on exit.

    Args:
        directory: for data, logs and the configuration; made if absent. A stack that was there
            before goes on with its data, on other ports.
        brokers: Kafka brokers, 1 to 3; topics are kept on each of them.
        partitions: of the log.
        extra: further settings for the configuration, by dotted key.

    Raises:
        UsageError: Kafka or Redis cannot be had here; all that is missing is named.

    Attributes:
        config_path: the configuration, there once the stack is started.
        kafka: the brokers.
        redis: Redis, with every write on the disk before it is acknowledged.
        nats: NATS; None if its program is missing.
        s3: S3 server with conditional writes; None if its program is missing.
        s3_access: how to reach its bucket.
        clickhouse: what stands in for ClickHouse; None if chdb is not installed.
        clickhouse_dsn: how to reach it, or empty.
        missing: what could not be had, and how to install it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        brokers: int = 1,
        partitions: int = PARTITIONS,
        extra: Mapping[str, Raw] | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self.config_path = self.directory / CONFIG_NAME
        self.missing: list[str] = []
        self._partitions = partitions
        self._extra = dict(extra or {})
        self.nats: NatsServer | None = None
        self.s3: ServerProcess | None = None
        self.s3_access: ObjectStoreAccess | None = None
        self.clickhouse: ServerProcess | None = None
        self.clickhouse_dsn = ""
        self._lock: BinaryIO | None = None
        needed: list[str] = []
        with _noted(needed):
            self.kafka = KafkaCluster(self.directory / "kafka", brokers)
        with _noted(needed):
            self.redis = RedisServer(self.directory / "redis", fsync="always")
        with _noted(self.missing):
            self.nats = NatsServer(self.directory / "nats")
        with _noted(self.missing):
            self.s3, self.s3_access = versitygw(self.directory / "s3")
        with _noted(self.missing):
            self.clickhouse, self.clickhouse_dsn = clickhouse(
                self.directory / "clickhouse", cold=self._cold()
            )
        if needed:
            raise UsageError("; ".join([*needed, *self.missing]))

    def start(self) -> tuple[TopicChange, ...]:
        """Start all servers, write the configuration, make or mend the topics.

        Returns:
            What was done to the topics.

        Raises:
            UsageError: another stack runs in the directory, or the topics hold swaps in another
                number of partitions.
            SwapstatsError: a server did not start; the end of its log is in the text.
        """
        self._take_directory()
        self.kafka.start()
        for server in self.servers():
            server.start()
        self._write_config()
        settings = load(self.config_path, environ={})
        topics = KafkaTopics(kafka_address(settings))
        wanted = wanted_topics(settings)
        changes = topics.plan(wanted)
        topics.apply(wanted, changes)
        return changes

    def stop(self) -> None:
        """Stop all servers, each by its pid; harmless if they have ended."""
        with contextlib.ExitStack() as stops:
            if self._lock is not None:
                stops.callback(self._lock.close)
                self._lock = None
            stops.callback(self.kafka.stop)
            for server in self.servers():
                stops.callback(server.stop)

    def servers(self) -> list[ServerProcess]:
        """All servers beside the brokers."""
        every = (self.redis, self.nats, self.s3, self.clickhouse)
        return [server for server in every if server is not None]

    def ended(self) -> list[str]:
        """Names of servers that should run and do not."""
        every = [*self.kafka.brokers, *self.servers()]
        return [server.name for server in every if not server.is_running]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _take_directory(self) -> None:
        """Keep others out: two brokers on one directory would destroy it."""
        if self._lock is not None:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        lock = (self.directory / "lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise UsageError(
                f"Expected a directory of no other stack, was {self.directory}, where one runs: "
                f"stop that one, or take another directory with --dir"
            ) from error
        self._lock = lock

    def _write_config(self) -> None:
        values = self._values() | self._extra
        text = nested_yaml({dotted: (yaml_text(values[dotted]), "") for dotted in sorted(values)})
        self.config_path.touch(mode=0o600)
        self.config_path.write_text(
            "# Written by the local stack at each start: its ports change.\n" + text,
            encoding="utf-8",
        )

    def _cold(self) -> ColdStorage | None:
        """Where old parts of the archive go."""
        access = self.s3_access
        if access is None:
            return None
        endpoint = f"{access.endpoint}/{access.bucket}/archive/"
        return ColdStorage(endpoint, access.key_id, access.secret)

    def _values(self) -> dict[str, Raw]:
        values: dict[str, Raw] = {
            "ingest.broker_type": "kafka",
            "ingest.brokers": tuple(self.kafka.bootstrap.split(",")),
            "ingest.topic_cfg.partitions": str(self._partitions),
            "ingest.topic_cfg.replication": str(len(self.kafka.brokers)),
            "stores.redis.addr": f"127.0.0.1:{self.redis.port}",
            # Several roles share one machine: each takes a free port and tells it.
            "metrics.prometheus": "127.0.0.1:0",
            "metrics.pprof": "false",
        }
        if self.nats is not None:
            values["pubsub.nats.url"] = self.nats.url
        if self.s3_access is not None:
            values |= {
                "stores.s3.endpoint": self.s3_access.endpoint,
                "stores.s3.bucket": self.s3_access.bucket,
                "stores.s3.region": self.s3_access.region,
                "stores.s3.key_id": self.s3_access.key_id,
                "stores.s3.secret": self.s3_access.secret,
            }
        if self.clickhouse_dsn:
            values["stores.clickhouse.dsn"] = f"{self.clickhouse_dsn}/{DATABASE}"
        cold = self._cold()
        if cold is not None:
            values |= {
                "stores.clickhouse.cold.endpoint": cold.endpoint,
                "stores.clickhouse.cold.key_id": cold.key_id,
                "stores.clickhouse.cold.secret": cold.secret,
            }
        return values


@contextlib.contextmanager
def _noted(missing: list[str]) -> Iterator[None]:
    """Note what cannot be had instead of raising it."""
    try:
        yield
    except UsageError as error:
        missing.append(str(error))
