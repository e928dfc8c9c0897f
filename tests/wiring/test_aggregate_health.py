"""Aggregators on real servers, in this process: what their pages and figures say, come what may."""

import contextlib
import io
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.end_to_end.stack_roles import MarketFeed

from swapstats.adapters.kafka.dead_letters import KafkaDeadLetterReader
from swapstats.adapters.redis.hot_store_reader import RedisHotStoreReader
from swapstats.errors import UsageError
from swapstats.model.record import MessageBlock
from swapstats.observability.logs import Logs
from swapstats.settings import load
from swapstats.stack.local_stack import LocalStack
from swapstats.testing.eventually import eventually
from swapstats.wiring.aggregate import AggregateService
from swapstats.wiring.brokers import kafka_address
from swapstats.wiring.service import RunFlags

pytestmark = pytest.mark.servers

WAIT_MS = 60_000
PARTITIONS = 3


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    try:
        running = LocalStack(tmp_path_factory.mktemp("stack"), partitions=PARTITIONS)
    except UsageError as error:
        pytest.skip(str(error))
    with running:
        yield running


class Life:
    """One aggregator in a thread of its own."""

    def __init__(self, stack: LocalStack, **flags: Any) -> None:
        given: dict[str, Any] = {
            "metrics.prometheus": "127.0.0.1:0",
            "app.snapshot_interval": "500ms",
            "breaker.open": "100ms",
            "breaker.open_max": "500ms",
            "breaker.failures": 2,
            "stores.clickhouse.dsn": "",  # checkpoints wait for an archive, whose journal is Redis
        }
        given |= {name.replace("__", "."): value for name, value in flags.items()}
        self.said = io.StringIO()
        self._logs = Logs("json", "info", self.said)
        service = AggregateService(
            load(stack.config_path, flags=given, environ={}), RunFlags(), self._logs
        )
        self._stop = threading.Event()
        self.failure: BaseException | None = None

        def live() -> None:
            try:
                service.run(self._stop)
            except BaseException as error:
                self.failure = error

        self._thread = threading.Thread(target=live)
        self._thread.start()
        self.address = eventually(self._address, WAIT_MS, "the aggregator to listen")

    def _address(self) -> str | None:
        if not self._thread.is_alive():
            raise AssertionError(self.failure)
        for line in self.said.getvalue().splitlines():
            event = json.loads(line)
            if event["event"] == "metrics":
                return str(event["address"])
        return None

    def get(self, path: str) -> tuple[int, Any]:
        if not self._thread.is_alive():
            raise AssertionError(self.failure)
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def until(self, wanted: Callable[[int, Any], object], what: str) -> Any:
        def found() -> Any:
            code, body = self.get("/readyz")
            return body if wanted(code, body) else None

        return eventually(found, WAIT_MS, what)

    def ready(self) -> Any:
        return self.until(lambda code, body: code == 200 and body["partitions"], "to be ready")

    def offsets(self) -> list[int]:
        return [part["offset"] for part in self.get("/readyz")[1]["partitions"]]

    def states(self) -> dict[str, str]:
        return {one["name"]: one["state"] for one in self.get("/readyz")[1]["dependencies"]}

    def figure(self, metric: str, **labels: str) -> float | None:
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == metric and sample.labels == labels:
                    return float(sample.value)
        return None

    def counted(self, metric: str, wanted: float | None = None, **labels: str) -> None:
        """Wait until a figure is as wanted, or above 0: figures are written once a second."""

        def is_so() -> bool:
            value = self.figure(metric, **labels)
            return bool(value) if wanted is None else value == wanted

        eventually(is_so, WAIT_MS, metric)

    def as_of(self) -> int:
        parts = self.get("/readyz")[1]["partitions"]
        return min((int(part["as_of"]) for part in parts), default=0)

    def end(self) -> None:
        self._stop.set()
        self._thread.join()
        self._logs.close()
        if self.failure is not None:
            raise self.failure


class World:
    """The log, what is in Redis, and aggregators."""

    def __init__(self, stack: LocalStack, closing: contextlib.ExitStack) -> None:
        self.stack, self._closing = stack, closing
        settings = load(stack.config_path, environ={})
        address, topic = kafka_address(settings), settings.ingest.topic
        self.feed = MarketFeed(address, topic, time.time_ns() // 1_000_000 - 60_000, seed=5)
        closing.callback(self.feed.log.close)
        self.hot = RedisHotStoreReader(stack.redis.url, settings.stores.redis.prefix)
        closing.callback(self.hot.close)
        self.letters = KafkaDeadLetterReader(address, topic)
        closing.callback(self.letters.close)

    def start(self, **flags: Any) -> Life:
        life = Life(self.stack, **flags)
        self._closing.callback(life.end)
        return life

    def write_bad(self, count: int) -> None:
        block = MessageBlock.of([b"nonsense %d" % number for number in range(count)])
        partitions = np.arange(count, dtype=np.int32) % PARTITIONS
        self.feed.log.append(block, partitions, time.time_ns() // 1_000_000, {})

    def ends(self) -> list[int]:
        return self.feed.log.end_offsets()

    def heads(self) -> list[int]:
        heads = [self.hot.head(partition) for partition in range(PARTITIONS)]
        return [head.offset if head else 0 for head in heads]


@pytest.fixture
def world(stack: LocalStack) -> Iterator[World]:
    with contextlib.ExitStack() as closing:
        yield World(stack, closing)


def test_it_is_ready_when_all_is_read_and_says_what_it_owns(world: World) -> None:
    kept = sum(world.letters.counts().values())
    world.feed.write(10)
    world.write_bad(6)
    life = world.start()
    told = life.ready()
    assert [part["partition"] for part in told["partitions"]] == [0, 1, 2]
    assert all(part["ready"] for part in told["partitions"])
    assert (told["phase"], told["progress"], told["reason"]) == ("live", 1.0, None)
    names = {"log", "hot store", "dead letters", "checkpoints"} | (
        {"nats"} if world.stack.nats else set()
    )
    eventually(lambda: life.states() == dict.fromkeys(names, "closed"), WAIT_MS, "all in use")
    assert life.get("/healthz") == (200, {"healthy": True})
    eventually(lambda: world.heads() == world.ends(), WAIT_MS, "all to be published")
    eventually(
        lambda: sum(world.letters.counts().values()) == kept + 6, WAIT_MS, "letters to be kept"
    )
    eventually(lambda: life.figure("partitions_owned_gauge") == 3, WAIT_MS, "figures")
    assert life.figure("dependency_state", name="checkpoints") == 0
    assert (life.figure("hot_store_put_latency_ms_count") or 0) > 0
    assert life.figure("fenced_writes_total", store="checkpoints") == 0
    if world.stack.nats is not None:
        eventually(lambda: life.figure("feed_published_total"), WAIT_MS, "announcements")


def test_a_second_one_takes_over_and_figures_move_with_the_partitions(world: World) -> None:
    world.feed.write(3)
    first = world.start()
    first.ready()
    eventually(lambda: first.figure("partitions_owned_gauge") == 3, WAIT_MS, "figures")
    second = world.start()
    told = second.ready()
    moved = [part["partition"] for part in told["partitions"]]
    eventually(
        lambda: first.figure("partitions_owned_gauge") == 3 - len(moved), WAIT_MS, "a hand-over"
    )
    for partition in moved:
        assert first.figure("consumer_lag_seconds", partition=str(partition)) is None
        assert second.figure("next_offset", partition=str(partition)) is not None
    for life, direction in ((first, "given_up"), (second, "taken_over")):
        life.counted("partition_handovers_total", len(moved), direction=direction)


@pytest.mark.parametrize("how", ["paused", "killed"])
def test_without_redis_records_go_on_and_after_it_all_is_whole(world: World, how: str) -> None:
    world.feed.write(5)
    life = world.start(dedupe__store="redis")
    life.ready()
    assert life.states()["pairs"] == "closed"
    redis = world.stack.redis
    redis.pause() if how == "paused" else redis.kill()
    try:
        world.feed.write(5)
        world.write_bad(3)
        eventually(lambda: life.offsets() == world.ends(), WAIT_MS, "all to be applied")
        eventually(
            lambda: {life.states()[name] for name in ("hot store", "checkpoints")} <= {
                "open", "half_open"
            },
            WAIT_MS, "both stores to be given up",
        )  # fmt: skip
        assert life.states()["dead letters"] == "closed"
        life.counted("dedupe_passed_over_total")
        world.feed.write(5)
        eventually(lambda: life.offsets() == world.ends(), WAIT_MS, "more to be applied")
        code, told = life.get("/readyz")
        assert code == 200
        assert "hot store is away" in told["reason"]
        assert life.get("/healthz")[0] == 200
        life.until(
            lambda _, body: all(
                one["refused"] for one in body["dependencies"] if one["name"] == "hot store"
            ),
            "calls to be refused",
        )
    finally:
        redis.resume() if how == "paused" else redis.start()
    # Pairs are asked again with the next records.
    eventually(
        lambda: world.feed.write(1) and set(life.states().values()) == {"closed"},
        WAIT_MS,
        "all in use",
    )
    eventually(lambda: world.heads() == world.ends(), WAIT_MS, "all to be published")
    for figure in ("dependency_opens_total", "dependency_refused_total"):
        life.counted(figure, name="hot store")
    assert life.get("/readyz")[1]["reason"] is None


def test_without_brokers_it_waits_and_goes_on(world: World) -> None:
    world.feed.write(5)
    life = world.start()
    life.ready()
    kept = sum(world.letters.counts().values())
    world.write_bad(30)
    broker = world.stack.kafka.brokers[0]
    broker.kill()
    try:
        began = life.as_of()
        eventually(lambda: life.states()["log"] == "open", WAIT_MS, "the log to be missed")
        eventually(lambda: life.as_of() > began + 3_000, WAIT_MS, "time to pass all the same")
        assert life.get("/healthz")[0] == 200
    finally:
        broker.start()
    world.write_bad(30)
    world.feed.write(5)
    eventually(lambda: life.offsets() == world.ends(), WAIT_MS, "all to be applied")
    eventually(lambda: world.heads() == world.ends(), WAIT_MS, "all to be published")
    eventually(
        lambda: sum(world.letters.counts().values()) == kept + 60, WAIT_MS, "letters to be kept"
    )
