"""`swapstats ingest` as a process on a real broker: killed, gone on with, stopped, refused."""

import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.adapters.kafka.rig import make_log, running_cluster
from tests.end_to_end.service_process import clean_environment
from tests.roles.aggregator.rig import swap

from swapstats.adapters.kafka.client import KafkaAddress
from swapstats.adapters.kafka.log import KafkaSwapLog
from swapstats.cli.ingest import ingest_command
from swapstats.errors import SettingsError, UsageError
from swapstats.stack.kafka import KafkaCluster
from swapstats.testing.eventually import eventually
from swapstats.wiring.brokers import PLACING_KEY

COMMAND = "import sys; from swapstats.cli.ingest import ingest_command as i; i(source=sys.argv[1:])"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    yield from running_cluster(tmp_path_factory.mktemp("kafka"))


@pytest.fixture
def log(cluster: KafkaCluster) -> Iterator[KafkaSwapLog]:
    topic = f"swaps-{uuid.uuid4().hex[:12]}"
    make_log(KafkaAddress(cluster.bootstrap), topic, 4)
    found = KafkaSwapLog(KafkaAddress(cluster.bootstrap), topic, PLACING_KEY)
    yield found
    found.close()


@pytest.fixture
def config(cluster: KafkaCluster, log: KafkaSwapLog, tmp_path: Path) -> Path:
    path = tmp_path / "swapstats.yaml"
    path.write_text(
        f"ingest: {{broker_type: kafka, brokers: ['{cluster.bootstrap}'], topic: {log._topic}}}\n"
        "metrics: {prometheus: '127.0.0.1:0', pprof: false}\n"
        "source: {demo: {rate: 300, tokens: 40}}\n"
    )
    return path


def start(config: Path, *sources: str) -> subprocess.Popen[bytes]:
    with (config.parent / "said.log").open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, *sources],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=clean_environment() | {"SWAPSTATS_CONFIG": str(config)},
        )


def messages(log: KafkaSwapLog) -> list[bytes]:
    found = []
    for partition, end in enumerate(log.end_offsets()):
        at = 0
        while at < end:
            batch = log.read(partition, at, 4 << 20)
            assert batch is not None
            found += [batch.message(row) for row in range(len(batch))]
            at = batch.next_offset
    return found


def grow(log: KafkaSwapLog, least: int) -> None:
    """Wait until the log holds so many records."""
    eventually(lambda: sum(log.end_offsets()) >= least, 60_000, f"{least} records")


def test_a_kill_loses_nothing(config: Path, log: KafkaSwapLog, tmp_path: Path) -> None:
    lines = tmp_path / "swaps.ndjson"
    now_ms = int(time.time() * 1_000)
    wanted = [swap(n, now_ms + n // 3, f"T{n % 40}") for n in range(20_000)]  # 7 s of them
    lines.write_bytes(b"".join(message + b"\n" for message in wanted))
    source = f"replay:{lines}"
    for least in (100, 3_000):
        process = start(config, source)
        try:
            grow(log, least)
        finally:
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
    process = start(config, source)
    assert process.wait(60) == 0, (tmp_path / "said.log").read_text()
    ids = {json.loads(message)["event_id"] for message in messages(log)}
    assert ids == {json.loads(message)["event_id"] for message in wanted}


def test_a_stop_is_graceful_and_the_next_start_goes_on(config: Path, log: KafkaSwapLog) -> None:
    for least in (200, 8_000):
        process = start(config, "demo")
        try:
            grow(log, least)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait()
    assert '"event": "stopped"' in (config.parent / "said.log").read_text()
    assert log.position("demo") is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "Expected ingest.broker_type kafka or redpanda, was embedded"),
        ({"set_": ["ingest.broker_type=kafka"]}, "Expected addresses of Kafka brokers, was none"),
        ({"set_": ["metrics.prometheus=0.0.0.0:0"]}, "security.allow_unauthenticated"),
        ({"source": ["kraken"]}, "Expected a source of auto, demo"),
    ],
)
def test_what_is_refused(
    monkeypatch: pytest.MonkeyPatch, arguments: dict[str, list[str]], said: str
) -> None:
    monkeypatch.delenv("SWAPSTATS_CONFIG", raising=False)
    if arguments and "Expected addresses" not in said:
        monkeypatch.setenv("SWAPSTATS_INGEST_BROKER_TYPE", "kafka")
        monkeypatch.setenv("SWAPSTATS_INGEST_BROKERS", "127.0.0.1:1")
    with pytest.raises((SettingsError, UsageError), match=said):
        ingest_command(source=arguments.get("source"), set_=arguments.get("set_"))
