"""A real Kafka cluster (KRaft, no ZooKeeper) on free loopback ports: one broker or three.

Each broker is a process of its own that can be killed, paused and started again; what it wrote
stays in the cluster's directory. For tests and `make stack`, never for production: timeouts are
short, heaps small, and nothing is encrypted.
"""

import secrets
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from swapstats.errors import SwapstatsError, UsageError
from swapstats.stack.kafka_jars import find_java, kafka_jars
from swapstats.stack.process import ServerProcess, free_port

BROKERS_MAX: Final = 3
SESSION_TIMEOUT_MIN_MS: Final = 1_000
"""Least session timeout a consumer of this cluster may ask for; Kafka's own default is 6 s."""
_API_VERSIONS: Final = b"\x00\x12\x00\x00\x00\x00\x00\x01\x00\x01x"
_FORMAT_S_MAX: Final = 120


class KafkaCluster:
    """Kafka brokers that are controllers too.

    Args:
        directory: for data, configuration and logs; made if absent. A cluster that was there
            before goes on with its data, on other ports.
        brokers: 1 to 3; three keep every topic's partitions thrice if it asks for that.

    Raises:
        UsageError: Java or Maven is missing, or another number of brokers.
    """

    def __init__(self, directory: Path, brokers: int = 1) -> None:
        if not 1 <= brokers <= BROKERS_MAX:
            raise UsageError(f"Expected 1 to {BROKERS_MAX} Kafka brokers, was {brokers}")
        self._directory = directory.absolute()
        self._java = find_java()
        self._class_path = f"{kafka_jars()}/*"
        self._ports = [(free_port(), free_port()) for _ in range(brokers)]
        self.brokers = [self._broker(number) for number in range(brokers)]

    @property
    def bootstrap(self) -> str:
        """Addresses of all brokers, as clients take them."""
        return ",".join(f"127.0.0.1:{port}" for port, _ in self._ports)

    def start(self) -> None:
        """Start all brokers and wait until they answer; harmless if they run.

        Raises:
            SwapstatsError: a broker ended, or did not answer in time.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        for number in range(len(self.brokers)):
            self._write_properties(number)
        self._format()
        for broker in self.brokers:
            broker.start(wait=False)
        for broker in self.brokers:
            broker.wait_until_answers()

    def stop(self) -> None:
        """Stop all brokers.

        The last of several cannot hand its partitions over any more and would wait for that, so
        only one that is alone is asked politely; what brokers acknowledged is in their logs.
        """
        if len(self.brokers) == 1:
            self.brokers[0].stop()
            return
        for broker in self.brokers:
            if broker.is_running:
                broker.kill()

    def tool_command(self, main_class: str, arguments: Sequence[str] = ()) -> list[str]:
        """Command line of one of Kafka's own tools, such as `org.apache.kafka.tools.TopicCommand`.

        Args:
            main_class: the tool.
            arguments: what follows.
        """
        return [*self._jvm(96), main_class, *arguments]

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

    def _broker(self, number: int) -> ServerProcess:
        port = self._ports[number][0]
        return ServerProcess(
            f"Kafka broker {number + 1}",
            [*self._jvm(256), "kafka.Kafka", str(self._properties_path(number))],
            self._directory / f"broker-{number + 1}.log",
            lambda: _answers(port),
        )

    def _jvm(self, heap_mib: int) -> list[str]:
        return [
            self._java,
            f"-Xmx{heap_mib}m",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-cp",
            self._class_path,
        ]

    def _properties_path(self, number: int) -> Path:
        return self._directory / f"broker-{number + 1}.properties"

    def _write_properties(self, number: int) -> None:
        port, controller_port = self._ports[number]
        voters = ",".join(
            f"{node + 1}@127.0.0.1:{ports[1]}" for node, ports in enumerate(self._ports)
        )
        copies = len(self.brokers)
        in_sync_min = max(1, copies - 1)
        properties = {
            "process.roles": "broker,controller",
            "node.id": number + 1,
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self._directory / f"broker-{number + 1}",
            "auto.create.topics.enable": "false",
            "default.replication.factor": copies,
            "min.insync.replicas": in_sync_min,
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": in_sync_min,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": in_sync_min,
            # A dead member or broker is noticed within seconds: tests wait for that.
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": SESSION_TIMEOUT_MIN_MS,
            "broker.session.timeout.ms": 3_000,
            "broker.heartbeat.interval.ms": 500,
            # Small: many of these may run on one machine.
            "num.network.threads": 2,
            "num.io.threads": 4,
            "background.threads": 2,
            "log.cleaner.dedupe.buffer.size": 16 << 20,
        }
        self._properties_path(number).write_text(
            "".join(f"{name}={value}\n" for name, value in properties.items()), encoding="utf-8"
        )

    def _format(self) -> None:
        """Make the data directories of brokers that have none."""
        running = []
        for number in range(len(self.brokers)):
            if (self._directory / f"broker-{number + 1}" / "meta.properties").exists():
                continue
            arguments = ["format", "-t", self._cluster_id(), "-c"]
            command = self.tool_command(
                "kafka.tools.StorageTool", [*arguments, str(self._properties_path(number))]
            )
            running.append(
                subprocess.Popen(  # noqa: S603 - a fixed command with paths of ours
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                )
            )
        for process in running:
            said, _ = process.communicate(timeout=_FORMAT_S_MAX)
            if process.returncode != 0:
                raise SwapstatsError(
                    f"Expected Kafka to make its data directory, was exit {process.returncode}: "
                    + said.decode(errors="replace")[-1_000:]
                )

    def _cluster_id(self) -> str:
        path = self._directory / "cluster-id"
        if not path.exists():
            # 22 letters, as 16 bytes in base64; one that began with "-" would be read as an option.
            path.write_text("s" + secrets.token_hex(10) + "A", encoding="utf-8")
        return path.read_text(encoding="utf-8")


def _answers(port: int) -> bool:
    """True if a broker answers a request for the versions it speaks."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.settimeout(2)
            connection.sendall(len(_API_VERSIONS).to_bytes(4, "big") + _API_VERSIONS)
            return len(connection.recv(4)) == 4
    except OSError:
        return False
