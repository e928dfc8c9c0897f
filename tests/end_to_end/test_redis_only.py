"""Aggregators and APIs as processes with nothing but Redis: the log is in its streams."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.end_to_end.service_process import swapstats
from tests.end_to_end.stack_roles import LogFeed, RoleProcess
from tests.end_to_end.test_servers import Deployment

from swapstats.adapters.clickhouse.extra import is_installed
from swapstats.adapters.redis.dead_letters import RedisDeadLetterReader
from swapstats.adapters.redis.streams import RedisSwapLog
from swapstats.core.decode import choose_partitions
from swapstats.errors import UsageError
from swapstats.model.record import MessageBlock
from swapstats.settings import load
from swapstats.stack.clickhouse import clickhouse
from swapstats.stack.redis import RedisServer
from swapstats.testing.eventually import eventually
from swapstats.wiring.brokers import PLACING_KEY, log_prefix

pytestmark = pytest.mark.servers

PARTITIONS = 6
WAIT_MS = 120_000


def owned(aggregator: RoleProcess) -> list[int]:
    """The partitions it has, by what it said last."""
    told = aggregator.events("partitions")
    owned: list[int] = told[-1]["owned"] if told else []
    return owned


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    try:
        server = RedisServer(tmp_path / "redis", fsync="always")
    except UsageError as error:
        pytest.skip(str(error))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def config(redis: RedisServer, tmp_path: Path) -> Iterator[Path]:
    """A configuration that names Redis and, where its engine is installed, an archive."""
    path = tmp_path / "swapstats.yaml"
    text = (
        "ingest:\n  broker_type: redis\n  session_timeout: 3s\n"
        f"  topic_cfg: {{partitions: {PARTITIONS}}}\n"
        "dedupe: {store: redis}\n"
        "app: {snapshot_interval: 500ms}\n"
        f"stores:\n  redis: {{addr: '127.0.0.1:{redis.port}'}}\n"
    )
    with contextlib.ExitStack() as opened:
        if is_installed():
            server, dsn = clickhouse(tmp_path / "clickhouse")
            server.start()
            opened.callback(server.stop)
            text += f"  clickhouse: {{dsn: '{dsn}/swapstats'}}\n"
        path.write_text(text)
        yield path


def test_two_of_each_and_one_is_killed(redis: RedisServer, config: Path, tmp_path: Path) -> None:
    """What both APIs say is what the log says, before and after; no position goes back."""
    seed = 12
    print("seed", seed)
    settings = load(config)
    log = RedisSwapLog(redis.url, log_prefix(settings), PARTITIONS)
    market = LogFeed(log, time.time_ns() // 1_000_000 - 60_000, seed, again_percent=5)
    deployment = Deployment(config, market, tmp_path)
    try:
        market.write(30)
        eventually(deployment.caught_up, WAIT_MS, "both APIs to show the whole log")
        assert deployment.expect_right() > 50
        eventually(lambda: all(map(owned, deployment.aggregators)), WAIT_MS, "both to own some")
        before = [one["offset"] for one in deployment.apis[0].status()["partitions"]]
        deployment.aggregators[0].close()
        market.write(20)
        eventually(deployment.caught_up, WAIT_MS, "the other aggregator to take over")
        deployment.expect_right()
        after = [one["offset"] for one in deployment.apis[0].status()["partitions"]]
        assert all(new >= old for old, new in zip(before, after, strict=True))
        deployment.aggregators[0] = deployment.aggregator()
        bad = MessageBlock.of([b"nonsense %d" % number for number in range(7)])
        at_ms = time.time_ns() // 1_000_000
        log.append(bad, choose_partitions(bad, PLACING_KEY, PARTITIONS, at_ms), at_ms, {})
        eventually(deployment.caught_up, WAIT_MS, "everything after the hand-over")
        deployment.expect_right()
        with contextlib.closing(RedisDeadLetterReader(redis.url, log_prefix(settings))) as letters:
            eventually(
                lambda: letters.counts() == {"malformed_json": 7}, WAIT_MS, "letters to be kept"
            )
        eventually(lambda: all(map(owned, deployment.aggregators)), WAIT_MS, "both to own some")
        redis.kill()
        eventually(
            lambda: not any(map(owned, deployment.aggregators)), WAIT_MS, "leases to run out"
        )
        redis.start()
        market.write(10)
        eventually(deployment.caught_up, WAIT_MS, "all to go on")
        deployment.expect_right()
        audit = swapstats("audit", "--config", config)
        assert (audit.returncode, "no difference" in audit.stdout) == (0, True), audit.stdout
        for process in (*deployment.aggregators, *deployment.apis):
            assert process.end() == 0, process.said
    finally:
        deployment.close()
