"""Aggregators and APIs as processes on real Kafka, Redis and NATS; one of them is killed."""

import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.end_to_end.service_process import swapstats
from tests.end_to_end.stack_roles import LogFeed, MarketFeed, RoleProcess, as_stats, recounted

from swapstats.errors import UsageError
from swapstats.settings import load
from swapstats.stack.local_stack import LocalStack
from swapstats.testing.eventually import eventually
from swapstats.wiring.brokers import kafka_address

pytestmark = pytest.mark.servers

WAIT_MS = 60_000
WIDEST = "24h"


@pytest.fixture(params=["redis", "s3"])
def stack(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[LocalStack]:
    """Servers, with checkpoints in Redis or on object storage."""
    try:
        chosen = LocalStack(tmp_path / "stack", extra={"stores.checkpoints": request.param})
    except UsageError as error:
        pytest.skip(str(error))
    if request.param == "s3" and chosen.s3_access is None:
        pytest.skip("; ".join(chosen.missing))
    with chosen:
        yield chosen


class Deployment:
    """Two aggregators, two APIs and a market."""

    def __init__(self, config: Path, market: LogFeed, said_dir: Path) -> None:
        self.settings = load(config)
        self.market = market
        self._config, self._said_dir = config, said_dir
        self.aggregators = [self.aggregator(), self.aggregator()]
        self.apis = [
            RoleProcess("serve", config, said_dir, "--api-http-addr", "127.0.0.1:0")
            for _ in range(2)
        ]

    def aggregator(self) -> RoleProcess:
        return RoleProcess("aggregate", self._config, self._said_dir)

    def caught_up(self) -> bool:
        """True if both APIs show everything that is in the log."""
        ends = self.market.log.end_offsets()
        for api in self.apis:
            status, _ = api.get("/api/status")
            if status != 200:
                return False
            told = api.status()["partitions"]
            if [one["offset"] for one in told] != ends:
                return False
        return True

    def expect_right(self) -> int:
        """Hold every token of both APIs against the log; returns how many tokens."""
        settings = self.settings
        overview = self.apis[0].ask("/api/overview?window=24h&limit=500&numbers=string")
        wanted = recounted(
            self.market.log,
            settings.windows,
            int(overview["as_of"]),
            settings.app.max_ahead_ms,
            settings.app.grace_ms,
        )
        keys = {row["token"] for row in overview["rows"]}
        assert keys == set(wanted)
        for api in self.apis:
            for key in sorted(keys):
                path = f"/api/tokens/{urllib.parse.quote(key, safe='')}/stats"
                told = api.ask(f"{path}?windows={WIDEST}&numbers=string")
                assert as_stats(told[f"w{WIDEST}"]) == wanted[key][WIDEST], key
        return len(keys)

    def close(self) -> None:
        for process in (*self.aggregators, *self.apis):
            process.close()
        self.market.log.close()


def test_two_of_each_and_one_is_killed(stack: LocalStack, tmp_path: Path) -> None:
    """What both APIs say is what the log says, before and after; no position goes back."""
    seed = 11
    print("seed", seed)
    settings = load(stack.config_path)
    begins_ms = time.time_ns() // 1_000_000 - 60_000
    market = MarketFeed(kafka_address(settings), settings.ingest.topic, begins_ms, seed)
    deployment = Deployment(stack.config_path, market, tmp_path)
    try:
        deployment.market.write(30)
        eventually(deployment.caught_up, WAIT_MS, "both APIs to show the whole log")
        assert deployment.expect_right() > 50
        owned = [event for one in deployment.aggregators for event in one.events("partitions")]
        assert owned
        before = [one["offset"] for one in deployment.apis[0].status()["partitions"]]
        deployment.aggregators[0].close()
        deployment.market.write(20)
        eventually(deployment.caught_up, WAIT_MS, "the other aggregator to take over")
        deployment.expect_right()
        after = [one["offset"] for one in deployment.apis[0].status()["partitions"]]
        assert all(new >= old for old, new in zip(before, after, strict=True))
        deployment.aggregators[0] = deployment.aggregator()
        deployment.market.write(10)
        eventually(deployment.caught_up, WAIT_MS, "everything after the hand-over")
        deployment.expect_right()
        audit = swapstats("audit", "--config", stack.config_path)
        assert (audit.returncode, "no difference" in audit.stdout) == (0, True), audit.stdout
        if stack.clickhouse_dsn:
            check = swapstats("archive", "check", "--config", stack.config_path)
            assert check.returncode == 0, check.stdout + check.stderr
        for process in (*deployment.aggregators, *deployment.apis):
            assert process.end() == 0, process.said
    finally:
        deployment.close()
