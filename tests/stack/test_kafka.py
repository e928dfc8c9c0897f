from pathlib import Path

import pytest
from tests.adapters.kafka.rig import running_cluster

from swapstats.adapters.kafka.client import KafkaAddress, end_offsets, kafka_admin
from swapstats.adapters.kafka.topics import KafkaTopics
from swapstats.adapters.kafka.writer import TopicWriter
from swapstats.core.topic_plan import WantedTopic
from swapstats.errors import UsageError
from swapstats.stack.kafka import KafkaCluster
from swapstats.stack.process import listens


@pytest.mark.parametrize("brokers", [0, 4])
def test_other_numbers_of_brokers_are_refused(tmp_path: Path, brokers: int) -> None:
    with pytest.raises(UsageError, match="1 to 3"):
        KafkaCluster(tmp_path, brokers)


def test_a_broker_keeps_its_data_over_a_kill_and_a_new_start(tmp_path: Path) -> None:
    wanted = [WantedTopic("t", 1, 1, {})]
    for cluster in running_cluster(tmp_path / "kafka"):
        address = KafkaAddress(cluster.bootstrap)
        topics = KafkaTopics(address)
        topics.apply(wanted, topics.plan(wanted))
        writer = TopicWriter(address)
        writer.write("t", [b"a", b"b"], [None] * 2, [0, 0])
        cluster.brokers[0].kill()
        assert not cluster.brokers[0].is_running
        cluster.brokers[0].start()
        writer.write("t", [b"c"], [None], [0])
        writer.close()
        cluster.stop()
        assert not listens(int(cluster.bootstrap.rsplit(":", 1)[1]))
    for cluster in running_cluster(tmp_path / "kafka"):
        assert end_offsets(kafka_admin(KafkaAddress(cluster.bootstrap)), "t", [0]) == [3]
