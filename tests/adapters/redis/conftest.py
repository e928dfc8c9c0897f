"""A real Redis for the tests here, and a key prefix for each of them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from swapstats.adapters.redis.connection import RedisLine
from swapstats.errors import UsageError
from swapstats.stack.process import free_port
from swapstats.stack.redis import RedisServer
from swapstats.testing.eventually import eventually


def started(directory: Path, **options: object) -> RedisServer:
    """Starts a Redis, or skips the test where there is none."""
    try:
        server = RedisServer(directory, **options)  # type: ignore[arg-type]
    except UsageError as error:
        pytest.skip(str(error))
    server.start()
    return server


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis that all tests share and none disturbs."""
    server = started(tmp_path_factory.mktemp("redis"))
    yield server.url
    server.stop()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis to be killed, emptied or filled up; every write reaches its file at once."""
    server = started(tmp_path / "own-redis", fsync="always")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Cluster of one node: it refuses what touches keys of two slots."""
    server = started(
        tmp_path_factory.mktemp("cluster"),
        options=(
            *("--cluster-enabled", "yes"),
            # By default 10,000 above the port, which may be no port at all.
            *("--cluster-port", str(free_port())),
        ),
    )
    with contextlib.closing(RedisLine(server.url)) as line:
        line.call("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)
        eventually(lambda: b"cluster_state:ok" in line.call("CLUSTER", "INFO"), 60_000, "all slots")
    yield server.url
    server.stop()


@pytest.fixture
def prefix(tmp_path: Path) -> str:
    return tmp_path.name


@pytest.fixture
def line(redis_url: str) -> Iterator[RedisLine]:
    with contextlib.closing(RedisLine(redis_url)) as opened:
        yield opened
