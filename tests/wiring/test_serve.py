"""The stateless API process on a real Redis, in this process: what it waits for and refuses."""

import asyncio
import contextlib
import io
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.roles.api.running import Stream, document, exactly

from swapstats.adapters.nats.publisher import NatsTokenPublisher
from swapstats.adapters.redis.cluster_facts import RedisClusterFacts
from swapstats.adapters.redis.connection import RedisLine
from swapstats.adapters.redis.hot_store import RedisHotStore
from swapstats.adapters.system_clock import SystemClock
from swapstats.core.market import Market
from swapstats.errors import SettingsError, SettingsMismatch, StoreError, UsageError
from swapstats.model.effects import StatsUpdate
from swapstats.model.token_update import TokenUpdate
from swapstats.model.window import WindowSpec
from swapstats.observability.logs import Logs
from swapstats.settings import Settings, load
from swapstats.stack.nats import NatsServer
from swapstats.stack.redis import RedisServer
from swapstats.testing.eventually import eventually_async
from swapstats.testing.synthetic_updates import SyntheticUpdates
from swapstats.wiring.serve import ServeService

SPEC = WindowSpec(5_000, (300_000, 3_600_000, 86_400_000))
SHAPE = {"partitions": 2, "step_ms": SPEC.step_ms, "widths_ms": list(SPEC.widths_ms)}
WAIT_MS = 60_000


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    try:
        server = RedisServer(tmp_path_factory.mktemp("redis"))
    except UsageError as error:
        pytest.skip(str(error))
    server.start()
    yield server
    server.stop()


class Deployment:
    """What aggregators would have written, and a market that saw it all."""

    def __init__(self, redis: RedisServer, prefix: str) -> None:
        self.redis, self.prefix = redis, prefix
        self.facts = RedisClusterFacts(redis.url, prefix)
        self.hot = RedisHotStore(redis.url, prefix)
        self.source = self.new_life(1)
        self.direct = Market(SPEC, 2, origin=self.facts.origin())

    def new_life(self, epoch: int) -> SyntheticUpdates:
        now_ms = SystemClock().wall_ms()
        return SyntheticUpdates(
            SPEC, tokens=40, partitions=2, epoch=epoch, wide=True, start_ms=now_ms, seed=epoch
        )

    def begin(self) -> None:
        self.facts.agree(SHAPE)
        for update in self.source.everything():
            self.put(replace(update, whole=True))

    def put(self, update: StatsUpdate) -> None:
        self.hot.put(update, SystemClock().wall_ms(), 0)
        self.direct.apply(update)

    def close(self) -> None:
        self.facts.close()
        self.hot.close()


@pytest.fixture
def deployment(redis: RedisServer, tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(redis, tmp_path.name)
    yield made
    made.close()


class Life:
    """One life of a process on the loop of a test."""

    def __init__(self, settings: Settings) -> None:
        self.stop = asyncio.Event()
        self.settled = 0
        self.said = io.StringIO()
        self.port: int | None = None
        self._logs = Logs("json", "info", self.said)
        service = ServeService(settings, self._logs, self._settled)
        self.task = asyncio.create_task(service.run(["a note"], self.stop, self._started))
        self.task.add_done_callback(lambda _: self._logs.close())

    def _settled(self) -> None:
        self.settled += 1

    def _started(self, port: int) -> None:
        self.port = port

    async def get(self, path: str) -> tuple[int, Any]:
        """Ask the API; what ended the process is raised."""

        async def listening() -> bool:
            if self.task.done():
                await self.task
            return self.port is not None

        await eventually_async(listening, WAIT_MS, "the API to listen")
        return await asyncio.to_thread(_get, f"http://127.0.0.1:{self.port}{path}")

    async def until(self, path: str, wanted: Callable[[int, Any], object], what: str) -> Any:
        async def found() -> Any:
            code, body = await self.get(path)
            return (code, body) if wanted(code, body) else None

        _, body = await eventually_async(found, WAIT_MS, what)
        return body

    async def ready(self) -> None:
        await self.until("/readyz", lambda code, _: code == 200, "the process to be ready")

    async def figure(self, name: str) -> float:
        """Ask for a metric: all its samples together."""
        lines = [json.loads(line) for line in self.said.getvalue().splitlines()]
        (address,) = (line["address"] for line in lines if line["event"] == "metrics")

        def scraped() -> str:
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
                text: str = answer.read().decode()
                return text

        families = text_string_to_metric_families(await asyncio.to_thread(scraped))
        return sum(
            sample.value for family in families for sample in family.samples if sample.name == name
        )

    async def end(self) -> None:
        self.stop.set()
        await asyncio.wait_for(self.task, 20)


def _get(url: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, exactly(answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


Start = Callable[..., Life]


@pytest.fixture
async def start(deployment: Deployment) -> AsyncIterator[Start]:
    """Starts processes of the deployment; those that still run are ended after the test."""
    lives: list[Life] = []

    def begin(**flags: Any) -> Life:
        given: dict[str, Any] = {
            "api.http.addr": "127.0.0.1:0",
            "api.ws.coalesce_ms": 20,
            "metrics.prometheus": "127.0.0.1:0",
            "metrics.pprof": "127.0.0.1:0",
            "ingest.topic_cfg.partitions": 2,
            "stores.redis.addr": f"127.0.0.1:{deployment.redis.port}",
            "stores.redis.prefix": deployment.prefix,
        }
        given |= {name.replace("__", "."): value for name, value in flags.items()}
        lives.append(Life(load(environ={}, flags=given)))
        return lives[-1]

    yield begin
    for life in lives:
        life.stop.set()
        await asyncio.gather(life.task, return_exceptions=True)


async def test_it_waits_for_a_deployment_then_serves_what_is_there(
    start: Start, deployment: Deployment
) -> None:
    life = start()
    body = await life.until("/readyz", lambda _, b: "aggregator" in b["detail"], "to wait")
    assert body["type"] == "urn:swapstats:problem:not-ready"
    assert (await life.get("/healthz"))[0] == 200
    deployment.begin()
    await life.ready()
    for token in (0, 1, 7):
        key = deployment.source.key(token)
        code, stats = await life.get(f"/api/tokens/{key}/stats")
        assert code == 200
        stats.pop("lag_ms")
        assert stats == document(deployment.direct, key)
    _, status = await life.get("/api/status")
    assert status["source"] is None
    assert status["warnings"] == ["a note"]
    assert int(status["tokens"]) == 40
    assert [int(part["offset"]) for part in status["partitions"]] == [21, 21]
    await eventually_async(lambda: life.settled, WAIT_MS, "to be settled")
    await life.end()
    said = [json.loads(line)["event"] for line in life.said.getvalue().splitlines()]
    assert {"metrics", "profiles", "following", "not ready", "ready"} <= set(said)
    assert said[-1] == "stopped"


async def test_a_series_is_refused_in_clear_words(start: Start, deployment: Deployment) -> None:
    deployment.begin()
    life = start()
    await life.ready()
    code, body = await life.get(f"/api/tokens/{deployment.source.key(0)}/series?span=15m")
    assert code == 503
    assert body["type"] == "urn:swapstats:problem:no-series"
    assert "archive" in body["detail"]
    code, body = await life.get("/api/tokens/nobody/series")
    assert code == 404


async def test_while_redis_is_away_it_serves_says_so_and_asks_for_no_restart(
    start: Start, deployment: Deployment
) -> None:
    deployment.begin()
    life = start(observability__no_progress="1s", breaker__failures=1)
    await life.ready()
    _, told = await life.get("/readyz")
    assert told["reason"] is None
    (hot,) = told["dependencies"]
    assert (hot["name"], hot["state"], hot["reason"]) == ("hot store", "closed", None)
    deployment.redis.pause()
    try:

        def is_refused(code: int, body: Any) -> bool:
            assert code == 200, body
            return int(body["dependencies"][0]["refused"]) > 0

        told = await life.until("/readyz", is_refused, "the hot store to be given up")
        assert "served with its age" in told["reason"]
        assert told["dependencies"][0]["reason"]
        assert int(told["dependencies"][0]["opens"]) > 0
        assert (await life.get("/healthz"))[0] == 200
        code, _ = await life.get(f"/api/tokens/{deployment.source.key(0)}/stats")
        assert code == 200
    finally:
        deployment.redis.resume()
    told = await life.until(
        "/readyz", lambda _, body: body["reason"] is None, "the hot store to be back"
    )
    assert told["dependencies"][0]["state"] == "closed"
    for counter in ("dependency_opens_total", "replica_failed_looks_total", "replica_looks_total"):
        await eventually_async(lambda name=counter: life.figure(name), WAIT_MS, counter)
    await life.end()


async def test_another_shape_is_refused(start: Start, deployment: Deployment) -> None:
    deployment.facts.agree({**SHAPE, "more": "aggregators may agree on more"})
    life = start(ingest__topic_cfg__partitions=3)
    with pytest.raises(SettingsMismatch, match="partitions 3 instead of 2"):
        await asyncio.wait_for(life.task, 20)


async def test_a_place_without_redis_is_refused(start: Start) -> None:
    life = start(stores__redis__addr="")
    with pytest.raises(SettingsError, match=r"stores\.redis\.addr"):
        await asyncio.wait_for(life.task, 20)


async def test_an_address_that_is_taken_is_refused(start: Start, deployment: Deployment) -> None:
    deployment.begin()
    life = start()
    await life.ready()
    other = start(api__http__addr=f"127.0.0.1:{life.port}")
    with pytest.raises(UsageError, match="stop what listens there"):
        await asyncio.wait_for(other.task, 20)


async def test_a_redis_begun_anew_ends_the_process(start: Start, deployment: Deployment) -> None:
    deployment.source = deployment.new_life(3)
    deployment.begin()
    life = start()
    await life.ready()
    with contextlib.closing(RedisLine(deployment.redis.url)) as line:
        for partition in (0, 1):
            line.call("DEL", f"{{{deployment.prefix}:{partition}}}:head")
        line.call("DEL", f"{{{deployment.prefix}:facts}}")
    deployment.source = deployment.new_life(1)
    deployment.begin()
    with pytest.raises(StoreError, match="the deployment this process began with"):
        await asyncio.wait_for(life.task, 20)


async def test_a_watched_token_is_heard_over_nats(
    start: Start, deployment: Deployment, tmp_path: Path
) -> None:
    try:
        nats = NatsServer(tmp_path / "nats")
    except UsageError as error:
        pytest.skip(str(error))
    deployment.begin()
    life = start(pubsub__nats__url=nats.url)
    await life.ready()
    _, status = await life.get("/api/status")
    assert any("NATS" in told for told in status["warnings"])
    nats.start()
    publisher = NatsTokenPublisher([nats.url])
    try:
        key = deployment.source.key(3)
        async with aiohttp.ClientSession() as http:
            socket = await http.ws_connect(f"http://127.0.0.1:{life.port}/ws")
            stream = Stream(socket)
            await stream.message()
            await stream.say({"subscribe": f"token:{key}"})
            await stream.frame()

            async def heard() -> Any:
                # The payload is of no use to anyone: only the place counts.
                publisher.publish([_hint(key), _hint(deployment.source.key(4))])
                _, told = await life.get("/api/status")
                return int(told["counters"]["heard"]) and not any(
                    "NATS" in each for each in told["warnings"]
                )

            await eventually_async(heard, WAIT_MS, "the token to be heard")
            deployment.put(deployment.source.update_of(1, np.array([1], dtype=np.int32)))
            await stream.until(f"token:{key}", deployment.direct.place(1).seq)
            assert stream.data[f"token:{key}"] == document(deployment.direct, key)
            await socket.close()
    finally:
        publisher.close()
        nats.stop()
    await life.end()


def _hint(key: str) -> TokenUpdate:
    row = (0,) * (10 * len(SPEC.widths_ms))
    return TokenUpdate(key, None, 1, 1, (1 << 32) + 9, 0, 1, 2, 3, 4, row)
