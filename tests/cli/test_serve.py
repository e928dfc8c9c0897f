"""`serve` as processes of their own on a real Redis: two of them are one to a client."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import aiohttp
import numpy as np
import pytest
from tests.cli.conftest import Said
from tests.end_to_end.service_process import ServiceProcess, clean_environment
from tests.roles.api.running import Stream, document, exactly

from swapstats.adapters.redis.cluster_facts import RedisClusterFacts
from swapstats.adapters.redis.hot_store import RedisHotStore
from swapstats.adapters.system_clock import SystemClock
from swapstats.core.market import Market
from swapstats.errors import Transient, UsageError
from swapstats.model.effects import StatsUpdate, TokenName
from swapstats.model.window import WindowSpec
from swapstats.stack.redis import RedisServer
from swapstats.testing.eventually import eventually, eventually_async
from swapstats.testing.synthetic_updates import SyntheticUpdates

SPEC = WindowSpec(5_000, (300_000, 3_600_000, 86_400_000))
WAIT_MS = 60_000
Cli = Callable[..., Said]


class ServeProcess(ServiceProcess):
    """One life of `swapstats serve`."""

    def __init__(self, said_dir: Path, name: str, *arguments: str) -> None:
        self._said = said_dir / f"{name}.log"
        command = [sys.executable, "-m", "swapstats", "serve", "--log-format", "json"]
        command += ["--api-http-addr", "127.0.0.1:0", "--set", "api.ws.coalesce_ms=20"]
        for server in ("prometheus", "pprof"):
            command += ["--set", f"metrics.{server}=127.0.0.1:0"]
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=clean_environment(),
            )

    def stats(self, key: str) -> tuple[dict[str, Any], int]:
        """A token's answer without its lag, and the lag."""
        status, body = self.get(f"/api/tokens/{key}/stats")
        assert status == 200, (body, self.said)
        found = exactly(body.decode())
        return found, int(found.pop("lag_ms"))


class Owner:
    """An aggregator's side of the hot store, and a market that saw every update."""

    def __init__(self, url: str) -> None:
        shape = {"partitions": 2, "step_ms": SPEC.step_ms, "widths_ms": list(SPEC.widths_ms)}
        with contextlib.closing(RedisClusterFacts(url, "t")) as facts:
            facts.agree(shape)
            self.direct = Market(SPEC, 2, origin=facts.origin())
        self.hot = RedisHotStore(url, "t")
        self.source = SyntheticUpdates(
            SPEC, tokens=50, partitions=2, wide=True, start_ms=SystemClock().wall_ms()
        )
        self.names: dict[int, tuple[TokenName, ...]] = {}

    def put(self, update: StatsUpdate) -> None:
        self.hot.put(update, SystemClock().wall_ms(), 0)
        self.direct.apply(update)

    def put_whole(self) -> None:
        for update in self.source.everything():
            names = self.names.setdefault(update.partition, update.names)
            self.put(replace(update, names=names, whole=True))

    def change(self, *tokens: int) -> int:
        """Put new numbers of tokens of partition 1; returns the seq."""
        update = self.source.update_of(1, np.array(tokens, dtype=np.int32))
        self.put(update)
        return update.seq


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
def pair(redis: RedisServer, tmp_path: Path) -> Iterator[tuple[ServeProcess, ServeProcess]]:
    """Two processes of one deployment."""
    arguments = ["--partitions", "2"]
    for name, value in (("addr", f"127.0.0.1:{redis.port}"), ("prefix", "t")):
        arguments += ["--set", f"stores.redis.{name}={value}"]
    made = [ServeProcess(tmp_path, name, *arguments) for name in ("one", "other")]
    yield made[0], made[1]
    for process in made:
        process.close()


class Visitor:
    """Opens streams, and closes them all in the end."""

    def __init__(self) -> None:
        self._opened = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._http = await self._opened.enter_async_context(aiohttp.ClientSession())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    async def subscribed(
        self, process: ServeProcess, channel: str, known: Stream | None = None
    ) -> Stream:
        """Subscribe, go on from what another stream knows, and read on to the first frame."""
        socket = await self._opened.enter_async_context(self._http.ws_connect(f"{process.url}/ws"))
        stream = Stream(socket)
        await stream.message()
        wanted: dict[str, Any] = {"channel": channel}
        if known is not None:
            name, seq = known.place[channel]
            wanted |= {"stream": name, "seq": seq}
            stream.data[channel], stream.place[channel] = known.data[channel], (name, seq)
        await stream.say({"subscribe": [wanted]})
        await stream.frame()
        return stream


async def test_two_processes_are_one_and_outlive_a_dead_redis(
    redis: RedisServer, pair: tuple[ServeProcess, ServeProcess]
) -> None:
    owner = Owner(redis.url)
    owner.put_whole()
    one, other = pair
    for process in pair:
        await asyncio.to_thread(process.ready)
    key = owner.source.key(2 * 5 + 1)
    channel = f"token:{key}"
    for process in pair:
        found, _ = await asyncio.to_thread(process.stats, key)
        assert found == document(owner.direct, key)
    async with Visitor() as visitor:
        stream = await visitor.subscribed(one, channel)
        assert stream.kinds[channel] == ["snapshot"]
        for _ in range(5):
            seq = owner.change(3, 5, 7)
            await stream.until(channel, seq)
            assert stream.data[channel] == document(owner.direct, key)
        assert stream.kinds[channel] == ["snapshot", *["patch"] * 5]

        # The same line of numbers goes on elsewhere, where the first process dies.
        await eventually_async(
            lambda: other.stats(key)[0] == document(owner.direct, key), WAIT_MS, "the same numbers"
        )
        one.close()
        resumed = await visitor.subscribed(other, channel, known=stream)
        assert resumed.kinds[channel] == ["patch"]
        assert resumed.place[channel] == stream.place[channel]
        await resumed.until(channel, owner.change(5))
        assert resumed.kinds[channel] == ["patch", "patch"]
        assert resumed.data[channel] == document(owner.direct, key)

        redis.kill()
        with pytest.raises(Transient):
            owner.hot.put(owner.source.update(1, 1), 0, 0)
        shown = document(owner.direct, key)

        _, before_ms = other.stats(key)

        def aged() -> bool:
            found, lag_ms = other.stats(key)
            assert found == shown
            told = other.status()["warnings"]
            return lag_ms > before_ms + 500 and any("with its age" in each for each in told)

        await asyncio.to_thread(eventually, aged, WAIT_MS, "the lag to grow")
        assert (await asyncio.to_thread(other.get, "/readyz"))[0] == 200
        late = await visitor.subscribed(other, channel)
        assert late.data[channel] == shown

        redis.start()
        owner.put_whole()
        await resumed.until(channel, owner.change(5, 6))
        assert resumed.data[channel] == document(owner.direct, key)
        assert "snapshot" not in resumed.kinds[channel]

        def fresh() -> bool:
            owner.put(owner.source.update(0, 0))
            owner.change(5)
            return other.stats(key)[1] < 500 and not other.status()["warnings"]

        await asyncio.to_thread(eventually, fresh, WAIT_MS, "the lag to be gone")
    owner.hot.close()
    assert other.end() == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "stores.redis.addr"),
        (["--api-http-addr", "0.0.0.0:0"], "security.allow_unauthenticated"),
        (["--set", "metrics.pprof=0.0.0.0:0"], "metrics.pprof"),
        (["--windows", "7s"], "multiples of the bucket step"),
        (["--set", "app.gracce=1s"], "Nearest: app.grace"),
    ],
)
def test_what_is_refused_is_status_2(cli: Cli, arguments: list[str], told: str) -> None:
    before = sys.getswitchinterval()
    said = cli("serve", *arguments)
    sys.setswitchinterval(before)
    assert said.status == 2
    assert told in " ".join(said.err.split())
