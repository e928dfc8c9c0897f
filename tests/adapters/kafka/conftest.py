"""A real broker for all tests of the session; each test makes topics of its own."""

from collections.abc import Iterator

import pytest
from tests.adapters.kafka.rig import running_cluster

from swapstats.adapters.kafka.client import KafkaAddress
from swapstats.stack.kafka import KafkaCluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    yield from running_cluster(tmp_path_factory.mktemp("kafka"))


@pytest.fixture
def address(cluster: KafkaCluster) -> KafkaAddress:
    return KafkaAddress(cluster.bootstrap)
