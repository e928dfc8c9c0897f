"""The service in this process: what it refuses at the start, what ends it, what it goes on with."""

import asyncio
import contextlib
import io
import json
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.roles.aggregator.rig import swap

from swapstats.adapters.embedded.checkpoints import EmbeddedCheckpointStore
from swapstats.adapters.embedded.directory import DataDirectory
from swapstats.adapters.embedded.log import EmbeddedSwapLog
from swapstats.adapters.system_clock import SystemClock
from swapstats.cli.audit import audit_command
from swapstats.errors import (
    KeyMismatch,
    OffsetGone,
    Rejected,
    SettingsError,
    SettingsMismatch,
    StoreCorrupt,
    StoreFormat,
    StoreFull,
    UsageError,
)
from swapstats.model.checkpoint import CheckpointDelta
from swapstats.model.record import MessageBlock
from swapstats.observability.logs import Logs
from swapstats.ports.source import NO_NOTES, Source, SourceBatch, SourceStatus
from swapstats.settings import Settings, load
from swapstats.testing.eventually import eventually_async
from swapstats.wiring.service import CONFIRM_FILE, RunFlags, Service
from swapstats.wiring.sources import NamedSources

HOUR_MS = 3_600_000


class Given:
    """Gives prepared messages once, then waits for good, ends, or fails."""

    def __init__(self, *messages: bytes, then: str = "waits", name: str = "given") -> None:
        self.name = name
        self._messages = list(messages)
        self._then = then

    async def open(
        self,
        position: str | None,
        notes: Mapping[str, str] = NO_NOTES,
    ) -> AsyncIterator[SourceBatch]:
        if self._messages and position is None:
            yield SourceBatch(MessageBlock.of(self._messages), str(len(self._messages)))
        if self._then == "fails":
            raise Rejected("Expected a readable line, was damaged")
        if self._then == "breaks":
            raise StoreFull("Expected room, was a full disk")
        if self._then == "waits":
            await asyncio.Event().wait()

    def status(self) -> SourceStatus:
        return SourceStatus("live", "as given")


def settings_of(data_dir: Path, **flags: Any) -> Settings:
    defaults: dict[str, Any] = {
        "data.dir": str(data_dir),
        "api.http.addr": "127.0.0.1:0",
        "metrics.prometheus": "127.0.0.1:0",
        "metrics.pprof": "127.0.0.1:0",
        "ingest.topic_cfg.partitions": 2,
        "stores.archive": "off",
    }
    return load(environ={}, flags=defaults | {n.replace("__", "."): v for n, v in flags.items()})


class Life:
    """One life of a service on the loop of a test."""

    def __init__(self, settings: Settings, flags: RunFlags, sources: NamedSources) -> None:
        self.stop = asyncio.Event()
        self.said = io.StringIO()
        self._logs = Logs("json", "info", self.said)
        self._port: int | None = None
        service = Service(settings, flags, self._logs)
        self.task = asyncio.create_task(
            service.run(
                sources,
                ["a note"],
                self.stop,
                self._started,
            )
        )
        self.task.add_done_callback(lambda _: self._logs.close())

    def _started(self, port: int) -> None:
        self._port = port

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.said.getvalue().splitlines()]

    async def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """Ask the API; the failure of the service is raised."""

        async def listening() -> bool:
            if self.task.done():
                await self.task
            return self._port is not None

        await eventually_async(listening, 60_000, "the API to listen")
        return await asyncio.to_thread(_get, f"http://127.0.0.1:{self._port}{path}")

    async def ready(self) -> dict[str, Any]:
        """Wait until it is ready; returns its status."""

        async def found() -> bool:
            return (await self.get("/readyz"))[0] == 200

        await eventually_async(found, 60_000, "the service to be ready")
        return (await self.get("/api/status"))[1]

    async def applied(self, count: int) -> dict[str, Any]:
        async def found() -> dict[str, Any] | None:
            status = (await self.get("/api/status"))[1]
            applied = status.get("counters", {}).get("applied")
            return status if applied == count else None

        told = await eventually_async(found, 60_000, f"{count} swaps to be applied")
        assert isinstance(told, dict)
        return told

    async def end(self) -> None:
        self.stop.set()
        await asyncio.wait_for(self.task, 20)


def _get(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


Start = Callable[..., Life]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts lives on `tmp_path / "data"`; those that still run are ended after the test."""
    lives: list[Life] = []

    def begin(
        *sources: Source,
        rebuild: bool = False,
        accept_gap: bool = False,
        settings: Settings | None = None,
        raw: Sequence[Source] = (),
        **flags: Any,
    ) -> Life:
        chosen = settings or settings_of(tmp_path / "data", **flags)
        named = NamedSources(list(sources), list(raw))
        lives.append(Life(chosen, RunFlags(rebuild, accept_gap), named))
        return lives[-1]

    yield begin
    for life in lives:
        life.stop.set()
        await asyncio.gather(life.task, return_exceptions=True)


def messages(count: int = 20) -> list[bytes]:
    now_ms = SystemClock().wall_ms()
    return [swap(n, now_ms - 1_000, f"T{n % 5}") for n in range(count)]


async def lived(start: Start, count: int = 20) -> None:
    """Leave a directory with swaps and a checkpoint."""
    life = start(Given(*messages(count)))
    await life.ready()
    await life.applied(count)
    await life.end()


# A life


async def test_it_serves_what_a_source_gives_and_ends_with_a_checkpoint(
    start: Start, tmp_path: Path
) -> None:
    life = start(Given(*messages()))
    await life.ready()
    status = await life.applied(20)
    assert status["source"] == {"name": "given", "state": "live", "detail": "as given"}
    assert status["warnings"] == ["a note"]
    assert sum(part["offset"] for part in status["partitions"]) == 20
    code, stats = await life.get("/api/tokens/T3/stats")
    assert (code, stats["w5m"]["trades"]) == (200, 4)
    code, series = await life.get("/api/tokens/T3/series?span=15m")
    assert code == 200
    assert sum(point["trades"] for point in series["points"]) == 4
    await life.end()
    assert {"metrics", "profiles", "source"} <= {*life.events()}
    assert life.events()[-1] == "stopped"
    assert audit_command(data_dir=tmp_path / "data") == 0


async def test_the_next_life_goes_on(start: Start) -> None:
    await lived(start)
    life = start(Given(*messages()))
    status = await life.ready()
    assert status["counters"]["applied"] == 20
    assert (await life.get("/api/tokens/T3/stats"))[1]["w5m"]["trades"] == 4
    await life.end()


@pytest.mark.parametrize(("then", "event"), [("ends", "source ended"), ("fails", "source failed")])
async def test_a_source_that_ends_or_fails_is_told_and_the_service_lives_on(
    start: Start, then: str, event: str
) -> None:
    life = start(Given(*messages(5), then=then, name="first"), Given(*messages(7), name="second"))
    await life.ready()
    status = await life.applied(7)  # the five of the first source are among them
    assert event in life.events()
    failed = ["first: Expected a readable line, was damaged"] if then == "fails" else []
    assert status["warnings"] == ["a note", *failed]
    assert (await life.get("/healthz"))[0] == 200
    await life.end()


async def test_what_breaks_a_store_ends_the_service(start: Start) -> None:
    life = start(Given(*messages(), then="breaks"))
    with pytest.raises(StoreFull, match="full disk"):
        await asyncio.wait_for(life.task, 20)
    again = start(Given())
    assert (await again.ready())["counters"]["applied"] == 20
    await again.end()


async def test_the_operators_file_is_taken_up(start: Start, tmp_path: Path) -> None:
    life = start(Given())
    await life.ready()
    confirm = tmp_path / "data" / CONFIRM_FILE
    confirm.touch()
    await eventually_async(lambda: not confirm.exists(), 60_000, "the file to be taken up")
    assert "clock confirmed by the operator" in life.events()
    await life.end()


async def test_a_checkpoint_ahead_of_the_clock_is_not_ready_and_says_why(
    start: Start, tmp_path: Path
) -> None:
    await lived(start)
    ahead_ms = SystemClock().wall_ms() + HOUR_MS + 5_000
    rewrite(tmp_path / "data", t_ms=ahead_ms)
    life = start(Given())

    async def held() -> str | None:
        code, told = await life.get("/readyz")
        return told["detail"] if code == 503 and "behind" in told["detail"] else None

    reason = await eventually_async(held, 60_000, "the clock to be told behind")
    assert reason is not None
    assert reason.startswith("wall clock is 1 h ")
    await life.end()


# Refused


def rewrite(data_dir: Path, **changes: Any) -> None:
    """Save a revision of each shard that says otherwise."""
    store = EmbeddedCheckpointStore(data_dir / "checkpoints.db")
    try:
        for shard in range(2):
            checkpoint = store.load(shard)
            assert checkpoint is not None
            header = msgspec.structs.replace(
                checkpoint.header,
                epoch=store.acquire(shard),
                revision=checkpoint.header.revision + 1,
                **changes,
            )
            store.save(CheckpointDelta(header, {}, b""))
    finally:
        store.close()


def lose_key(data_dir: Path) -> None:
    (data_dir / "hash.key").unlink()


def other_key(data_dir: Path) -> None:
    (data_dir / "hash.key").write_bytes(b"another 16 bytes")


def damage(data_dir: Path) -> None:
    path = data_dir / "checkpoints.db"
    path.write_bytes(b"\xa5" * path.stat().st_size)


def newer_format(data_dir: Path) -> None:
    rewrite(data_dir, format=2)


@pytest.mark.parametrize(
    ("spoil", "kind", "told"),
    [
        (lose_key, KeyMismatch, r"hash key .*, found none: restore .*--rebuild"),
        (other_key, KeyMismatch, r"made with hash key .*, was .*--rebuild"),
        (damage, StoreCorrupt, r"damaged file|was a damaged"),
        (newer_format, StoreFormat, r"checkpoint format 1 .*, was 2: .*--rebuild"),
    ],
)
async def test_what_cannot_be_gone_on_from_is_refused_and_a_rebuild_heals_it(
    start: Start,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    kind: type[Exception],
    told: str,
) -> None:
    await lived(start)
    spoil(tmp_path / "data")
    with pytest.raises(kind, match=told):
        await asyncio.wait_for(start(Given()).task, 20)
    healed = start(Given(), rebuild=True)
    await healed.ready()
    assert (await healed.get("/api/tokens/T3/stats"))[1]["w5m"]["trades"] == 4
    await healed.end()
    assert audit_command(data_dir=tmp_path / "data") == 0
    again = start(Given())
    assert (await again.ready())["counters"]["applied"] == 20
    await again.end()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"app__bucket_step": "10s"}, "step_ms: made with 5000, now 10000"),
        ({"ingest__topic_cfg__partitions": 3}, "partitions: made with 2, now 3"),
        ({"app__windows": "5m,48h"}, "Expected a checkpoint that holds 48h, was 24h"),
    ],
)
async def test_another_shape_on_an_old_directory_is_refused(
    start: Start, flags: dict[str, Any], told: str
) -> None:
    await lived(start)
    with pytest.raises(SettingsMismatch, match=told):
        await asyncio.wait_for(start(Given(), **flags).task, 20)
    again = start(Given(), app__windows="10m,5m")
    await again.ready()
    assert (await again.get("/api/tokens/T3/stats"))[1]["w10m"]["trades"] == 4
    await again.end()


async def test_a_retention_too_short_for_the_windows_is_refused(
    start: Start, tmp_path: Path
) -> None:
    settings = settings_of(tmp_path / "data")
    short = replace(settings, log=replace(settings.log, retention_ms=26 * HOUR_MS - 1))
    with pytest.raises(SettingsError, match="retention of at least 26h"):
        await asyncio.wait_for(start(Given(), settings=short).task, 20)
    assert not (tmp_path / "data").exists(), "refused before anything is made"


async def test_a_lost_offset_is_refused_until_the_gap_is_accepted(
    start: Start, tmp_path: Path
) -> None:
    await lived(start)
    log = EmbeddedSwapLog(tmp_path / "data" / "log.db", 2)
    now_ms = SystemClock().wall_ms()
    block = MessageBlock.of([swap(n, now_ms, f"T{n % 5}") for n in range(20, 30)])
    log.append(block, np.arange(10, dtype=np.int32) % 2, now_ms, {})
    log.trim(now_ms + 1, 0, log.end_offsets())
    log.close()
    with pytest.raises(OffsetGone, match="--accept-gap"):
        await asyncio.wait_for(start(Given(*messages())).task, 20)
    life = start(Given(), accept_gap=True)
    status = await life.ready()
    assert sum(part["offset"] for part in status["partitions"]) == 30
    stats = (await life.get("/api/tokens/T3/stats"))[1]
    assert stats["w5m"]["complete_since"] >= now_ms
    await life.end()


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("api__http__addr", r"Expected to listen on 127\.0\.0\.1:\d+, was .*--api-http-addr"),
        ("metrics__prometheus", r"127\.0\.0\.1:\d+"),
        ("metrics__pprof", r"127\.0\.0\.1:\d+"),
    ],
)
async def test_a_taken_port_is_told(
    start: Start, tmp_path: Path, taken_port: int, name: str, told: str
) -> None:
    life = start(Given(), **{name: f"127.0.0.1:{taken_port}"})
    with pytest.raises((UsageError, SettingsError), match=told):
        await asyncio.wait_for(life.task, 20)
    with contextlib.closing(DataDirectory.open(tmp_path / "data", writer=True)):
        pass  # the lock is free again


async def test_metrics_and_profiles_can_be_off(start: Start) -> None:
    life = start(Given(), metrics__prometheus="false", metrics__pprof="false")
    await life.ready()
    await life.end()
    assert not {"metrics", "profiles"} & {*life.events()}
    assert life.events()[-1] == "stopped"
