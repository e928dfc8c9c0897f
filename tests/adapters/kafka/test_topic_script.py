"""deploy/kafka/create_or_update_topic.sh against a real broker, with Kafka's own tools."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.adapters.kafka.rig import new_log

from swapstats.adapters.kafka.client import KafkaAddress
from swapstats.adapters.kafka.topics import KafkaTopics
from swapstats.core.topic_plan import FoundTopic, WantedTopic
from swapstats.stack.kafka import KafkaCluster

SCRIPT = Path(__file__).parents[3] / "deploy" / "kafka" / "create_or_update_topic.sh"
NAMES = ("retention.ms", "cleanup.policy", "segment.ms", "message.timestamp.type")


@pytest.fixture
def tools(cluster: KafkaCluster, tmp_path: Path) -> Path:
    """A folder with `kafka-topics.sh` and `kafka-configs.sh`, as a Kafka installation has them."""
    for name, main_class in (
        ("kafka-topics.sh", "org.apache.kafka.tools.TopicCommand"),
        ("kafka-configs.sh", "kafka.admin.ConfigCommand"),
    ):
        tool = tmp_path / name
        command = shlex.join(cluster.tool_command(main_class))
        tool.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        tool.chmod(0o755)
    return tmp_path


def run(path: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(SCRIPT), *arguments],
        env=os.environ | {"PATH": path} | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def found(address: KafkaAddress, topic: str) -> FoundTopic:
    there = KafkaTopics(address).find(WantedTopic(topic, 1, 1, dict.fromkeys(NAMES, "")))
    assert there is not None
    return there


def test_a_topic_is_made_then_mended(tools: Path, address: KafkaAddress) -> None:
    path = f"{tools}:{os.environ['PATH']}"
    topic = new_log(address, 1) + "-script"
    made = run(path, topic, "3", "7200000", "delete", "600000", address.brokers)
    assert made.returncode == 0, made.stderr
    there = found(address, topic)
    assert there.partitions == 3
    assert list(map(there.settings.get, NAMES)) == ["7200000", "delete", "600000", "LogAppendTime"]

    mended = run(
        path, topic, "4", "-1", "compact,delete", "700000", address.brokers, GROW_KEYED="yes"
    )
    assert mended.returncode == 0, mended.stderr
    there = found(address, topic)
    assert there.partitions == 4
    assert list(map(there.settings.get, NAMES)) == [
        "-1", "compact,delete", "700000", "LogAppendTime",
    ]  # fmt: skip

    for partitions, said in (("3", "at least the 4"), ("5", "topics migrate")):
        refused = run(path, topic, partitions, "1", "delete", "1", address.brokers)
        assert refused.returncode == 1
        assert said in refused.stderr
    assert found(address, topic) == there


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["t"], 2, "RETENTION_MS"),
        (["t", "x", "1", "delete", "1", "b:1"], 1, "PARTITIONS to be a whole number"),
        (["t", "0", "1", "delete", "1", "b:1"], 1, "at least 1 partition"),
        (["t", "1", "1", "tidy", "1", "b:1"], 1, "CLEANUP delete"),
        (["t", "1", "1", "delete", "1", "b:1"], 1, "rpk, or kafka-topics.sh"),
    ],
)
def test_wrong_uses_are_told(arguments: list[str], code: int, said: str, tmp_path: Path) -> None:
    for name in ("sed", "grep", "awk"):
        there = shutil.which(name)
        assert there is not None
        (tmp_path / name).symlink_to(there)
    result = run(str(tmp_path), *arguments)
    assert result.returncode == code
    assert said in result.stderr


def test_rpk_is_used_where_it_is(tmp_path: Path) -> None:
    """A recording program stands in for rpk: Redpanda itself is not at hand."""
    calls = tmp_path / "calls"
    rpk = tmp_path / "rpk"
    rpk.write_text(
        f'#!/bin/sh\necho "$@" >> {calls}\n'
        'case "$2" in list) echo "NAME PARTITIONS REPLICAS"; echo "there 4 1";; esac\n'
    )
    rpk.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert run(path, "new", "2", "10", "delete", "20", "h:1").returncode == 0
    assert run(path, "there", "6", "10", "delete", "20", "h:1", GROW_KEYED="yes").returncode == 0
    listed, created, _, grown, altered = calls.read_text().splitlines()
    assert listed == "topic list -X brokers=h:1"
    assert created.startswith("topic create new -X brokers=h:1 -p 2 -r 1 -c retention.ms=10")
    assert grown == "topic add-partitions there -X brokers=h:1 -n 2"
    assert altered.startswith("topic alter-config there -X brokers=h:1 --set retention.ms=10")
    assert "message.timestamp.type=LogAppendTime" in created
    assert "message.timestamp.type=LogAppendTime" in altered
