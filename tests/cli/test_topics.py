"""`swapstats topics` on a real broker: shown, made, mended, refused, migrated."""

import os
import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.adapters.kafka.rig import running_cluster
from tests.roles.aggregator.rig import START_MS, swap

from swapstats.adapters.kafka.client import KafkaAddress
from swapstats.adapters.kafka.log import KafkaSwapLog
from swapstats.cli.topics import app
from swapstats.core.decode import choose_partitions
from swapstats.errors import Fatal, SettingsError, UsageError
from swapstats.model.record import MessageBlock
from swapstats.stack.kafka import KafkaCluster
from swapstats.testing.eventually import eventually
from swapstats.wiring.brokers import PLACING_KEY

Topics = Callable[..., object]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    yield from running_cluster(tmp_path_factory.mktemp("kafka"))


@pytest.fixture
def topic() -> str:
    return f"swaps-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def topics(cluster: KafkaCluster, topic: str, tmp_path: Path) -> Topics:
    """Call `swapstats topics` with a configuration for this test's topic of 3 partitions."""
    config = tmp_path / "config.yaml"
    config.write_text(
        f"ingest: {{broker_type: kafka, brokers: ['{cluster.bootstrap}'], topic: {topic}, "
        f"raw_topic: {topic}-raw, topic_cfg: {{partitions: 3}}}}\n"
    )

    def call(*arguments: str) -> object:
        return app([*arguments, "-c", str(config)], result_action="return_value")

    return call


def test_a_log_in_redis_has_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("ingest: {broker_type: redis}\nstores: {redis: {addr: 127.0.0.1:1}}\n")
    for verb in ("plan", "apply"):
        assert not app([verb, "-c", str(config)], result_action="return_value")
        assert "Nothing to make: the log is in Redis" in capsys.readouterr().out
    with pytest.raises(SettingsError, match="was redis"):
        app(["migrate", "new", "--partitions", "3", "-c", str(config)])


def written(cluster: KafkaCluster, topic: str, count: int, first: int = 0) -> list[bytes]:
    """Append swaps, with the position of a source."""
    messages = [swap(n, START_MS, f"T{n % 11}") for n in range(first, first + count)]
    block = MessageBlock.of(messages)
    log = KafkaSwapLog(KafkaAddress(cluster.bootstrap), topic, PLACING_KEY)
    partitions = choose_partitions(block, PLACING_KEY, log.partition_count, START_MS)
    log.append(block, partitions, START_MS, {"test": str(first + count)})
    log.close()
    return messages


def kept(cluster: KafkaCluster, topic: str) -> tuple[list[bytes], str | None]:
    """All messages of a log, and the position of the source."""
    log = KafkaSwapLog(KafkaAddress(cluster.bootstrap), topic, PLACING_KEY)
    found = []
    for partition, (offset, end) in enumerate(
        zip(log.start_offsets(), log.end_offsets(), strict=True)
    ):
        at = offset
        while at < end:
            batch = log.read(partition, at, 1 << 20)
            assert batch is not None
            assert np.all(np.diff(batch.offsets) > 0)
            found += [batch.message(row) for row in range(len(batch))]
            at = batch.next_offset
    position = log.position("test")
    log.close()
    return found, position


def test_a_plan_shows_and_changes_nothing(
    topics: Topics, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert topics("plan") == 0
        shown = capsys.readouterr().out
        assert f"{topic}.positions" in shown
        assert next(line.split()[1:] for line in shown.splitlines() if "partitions" in line) == [
            "partitions",
            "(none)",
            "3",
            "create",
        ]


def test_apply_shows_makes_and_says_so(
    topics: Topics, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert topics("apply") is None
    shown = capsys.readouterr().out
    assert "retention.ms" in shown
    assert shown.splitlines()[-1].startswith("done: ")
    assert shown.splitlines()[-1].endswith(" made")
    assert topics("apply") is None
    again = capsys.readouterr().out
    assert again.startswith(f"nothing to do: {topic}, {topic}.positions")
    assert topics("apply", "--set", "ingest.topic_cfg.segment_ms=3600000") is None
    assert capsys.readouterr().out.splitlines()[-1] == "done: 7 set"
    assert topics("plan", "--set", "ingest.topic_cfg.replication=2") == 0
    assert "kafka-reassign-partitions" in capsys.readouterr().out


def test_partitions_of_a_log_with_swaps_are_not_changed(
    cluster: KafkaCluster, topics: Topics, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    topics("apply")
    written(cluster, topic, 20)
    more = (
        "--set",
        "ingest.topic_cfg.partitions=6",
        "--set",
        "ingest.topic_cfg.segment_ms=9000000",
    )
    assert topics("plan", *more) == 1
    assert "swapstats topics migrate" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(UsageError, match="swapstats topics migrate"):
        topics("apply", *more)
    capsys.readouterr()
    assert topics("plan") == 0
    assert "nothing to do" in capsys.readouterr().out


def test_migrate_copies_all_and_goes_on(
    cluster: KafkaCluster, topics: Topics, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    topics("apply")
    first = written(cluster, topic, 300)
    new = f"{topic}-7"
    assert topics("migrate", new, "--partitions", "7") is None
    said = capsys.readouterr()
    assert f"300 records copied into {new}, 0 left" in said.out
    assert f"set ingest.topic to {new}, ingest.topic_cfg.partitions to 7" in said.out
    assert "300 copied" in said.err
    second = written(cluster, topic, 50, first=300)
    assert topics("migrate", new, "--partitions", "7") is None
    assert f"50 records copied into {new}, 0 left" in capsys.readouterr().out
    copied, position = kept(cluster, new)
    assert sorted(copied) == sorted(first + second)
    assert position == "350"


def test_migrate_follows_until_it_is_asked_to_end(
    cluster: KafkaCluster, topics: Topics, topic: str
) -> None:
    topics("apply")
    messages = written(cluster, topic, 30)
    new = f"{topic}-2"
    failures: list[BaseException] = []

    def write_then_end() -> None:
        try:
            eventually(lambda: _copied(cluster, new) == 30, 60_000, "the first copies")
            messages.extend(written(cluster, topic, 40, first=30))
            eventually(lambda: _copied(cluster, new) == 70, 60_000, "the copies that follow")
        except BaseException as error:
            failures.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    writer = threading.Thread(target=write_then_end)
    writer.start()
    try:
        topics("migrate", new, "--partitions", "2", "--follow")
    finally:
        writer.join()
    assert not failures
    assert signal.getsignal(signal.SIGINT) is before
    copied, position = kept(cluster, new)
    assert sorted(copied) == sorted(messages)
    assert position == "70"


def _copied(cluster: KafkaCluster, topic: str) -> int:
    try:
        log = KafkaSwapLog(KafkaAddress(cluster.bootstrap), topic, PLACING_KEY)
    except Fatal:
        return 0  # not made yet
    try:
        return sum(log.end_offsets())
    finally:
        log.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("raw-swaps", "--partitions", "3"), "Expected a new topic"),
        (("new", "--partitions", "0"), "Expected --partitions from 1 to 1024, was 0"),
        (("new", "--partitions", "4"), "Expected ingest.broker_type kafka or redpanda"),
    ],
)
def test_a_migration_that_cannot_be_is_refused(
    arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SWAPSTATS_CONFIG", raising=False)
    with pytest.raises((UsageError, SettingsError), match=said):
        app(["migrate", *arguments], result_action="return_value")
