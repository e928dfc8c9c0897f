"""The whole service as a process: live numbers, every way to end it, and what comes after.

That no message is lost or doubled is held against the demo market itself: it is seeded, so the log
must hold exactly what the market made between its first slice and the position in the log.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.end_to_end.service_process import DEMO, ServiceProcess, swapstats
from tests.roles.aggregator.rig import swap

from swapstats.adapters.embedded.log_reader import EmbeddedSwapLogReader
from swapstats.cli.audit import audit_command
from swapstats.core.decode import choose_partitions
from swapstats.core.demo_market import SLICE_MS, DemoMarket
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.testing.eventually import eventually
from swapstats.wiring.embedded import EmbeddedStores
from swapstats.wiring.reading import EmbeddedReaders

Start = Callable[..., ServiceProcess]
PREFILL_MS = 600_000
METRICS = (
    "events_ingested_total",
    "events_applied_total",
    "dedupe_hits_total",
    "too_old_total",
    "late_total",
    "late_refused_total",
    'consumer_lag_seconds{partition="0"}',
    "window_apply_latency_ms_count",
    "snapshot_duration_ms_count",
    "ws_clients_gauge",
    'dead_letters_total{reason="bad_side"}',
)


def remember(path: Path) -> Start:
    started: list[ServiceProcess] = []

    def start(*arguments: str, name: str = "data", api: str = "127.0.0.1:0") -> ServiceProcess:
        started.append(ServiceProcess(path / name, path, *arguments, api=api))
        return started[-1]

    start.started = started  # type: ignore[attr-defined] # for the fixture
    return start


def close_all(start: Start) -> None:
    for service in start.started:  # type: ignore[attr-defined] # see `remember`
        service.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts services below `tmp_path`; what still runs is killed after the test."""
    made = remember(tmp_path)
    yield made
    close_all(made)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """One service that all tests which only look at it share."""
    made = remember(tmp_path_factory.mktemp("live"))
    service = made(*DEMO).ready()
    service.applied(2_000)
    yield service
    assert service.end() == 0, service.said
    close_all(made)


def audited(data_dir: Path, *, plain: bool = False, url: str | None = None) -> None:
    """`swapstats audit` finds no difference; in this process, which is quicker to start."""
    assert audit_command(data_dir=data_dir, plain=plain, url=url) == 0


def logged(data_dir: Path) -> tuple[list[RecordBatch], str]:
    """All records, and the position of the demo market."""
    reader = EmbeddedSwapLogReader(data_dir / "log.db")
    try:
        found = []
        for partition in range(reader.partition_count):
            offset = 0
            while batch := reader.read(partition, offset, 8 << 20):
                found.append(batch)
                offset = batch.next_offset
        return found, str(reader.position("demo"))
    finally:
        reader.close()


def assert_whole(data_dir: Path, first_started_ms: int, rate: int = 20, tokens: int = 30) -> None:
    """The log holds what the market made, each message once, each partition in order."""
    batches, position = logged(data_dir)
    got = [batch.message(row) for batch in batches for row in range(len(batch))]
    market = DemoMarket(1, tokens, rate)
    slices: list[list[bytes]] = []
    at = int(position)
    while sum(map(len, slices)) < len(got):
        at -= SLICE_MS
        slices.append(market.slice(at))
    expected = [message for part in reversed(slices) for message in part]
    assert abs(at - (first_started_ms - PREFILL_MS)) < 60_000
    assert Counter(got) == Counter(expected)
    once = {message for message, count in Counter(expected).items() if count == 1}
    order = {message: place for place, message in enumerate(expected)}
    for batch in batches:
        messages = (batch.message(row) for row in range(len(batch)))
        places = [order[message] for message in messages if message in once]
        assert places == sorted(places)


# Looking at a live service


def test_numbers_are_live(live: ServiceProcess) -> None:
    before = live.status()
    assert before["source"]["name"] == "demo"
    assert before["ready"] is True
    assert before["windows"] == ["5m", "1h", "24h"]
    assert len(before["partitions"]) == 4

    def moved() -> bool:
        after = live.status()
        applied = [told["counters"]["applied"] for told in (before, after)]
        return bool(after["as_of"] > before["as_of"] and applied[1] > applied[0])

    eventually(moved, 60_000, "T and the counters to move")

    def rows() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = live.ask("/api/overview?window=5m&limit=1")["rows"]
        return found

    # The demo delivers its past first: the narrow window has nothing until that has gone by.
    top = eventually(rows, 60_000, "a token with trades in the last 5 minutes")[0]
    stats = live.ask(f"/api/tokens/{top['token']}/stats")
    assert stats["w5m"]["trades"] > 0
    assert abs(stats["as_of"] - time.time() * 1_000) < 5_000
    assert live.get("/healthz") == (200, b'{"healthy":true}')
    assert live.get("/readyz")[0] == 200
    assert b"<!doctype html>" in live.get("/")[1][:200].lower()


def test_metrics_have_their_names_and_move(live: ServiceProcess) -> None:
    # It is set by a look once a second, not by the answer that says ready.
    eventually(lambda: live.metrics()["ready_gauge"] == 1, 60_000, "the gauge to say ready")
    before = live.metrics()
    assert [name for name in METRICS if name not in before] == []
    assert before["clock_held_gauge"] == 0
    assert before["events_applied_total"] > 2_000
    assert before["dedupe_hits_total"] > 0
    status = live.status()
    assert before["events_ingested_total"] <= status["counters"]["ingested"]

    def moved() -> bool:
        now = live.metrics()
        names = ("events_ingested_total", "events_applied_total", "snapshot_duration_ms_count")
        return all(now[name] > before[name] for name in names)

    eventually(moved, 60_000, "the metrics to move")


def test_profiles_answer(live: ServiceProcess) -> None:
    base = f"http://{live.event('profiles')['address']}"
    status, heap = live.get("/debug/pprof/heap", base)
    assert status == 200
    assert heap
    status, stacks = live.get("/debug/pprof/profile?seconds=1&mode=wall", base)
    assert status == 200
    assert b"aggregator" in stacks


def test_audit_agrees_beside_the_running_service(live: ServiceProcess) -> None:
    eventually(
        lambda: live.metrics()["snapshot_duration_ms_count"] >= 4, 60_000, "a checkpoint of each"
    )
    audited(live.data_dir, url=live.url)
    audited(live.data_dir, plain=True)
    done = swapstats("audit", "--data-dir", live.data_dir)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("no difference\n")


def test_a_second_process_on_the_directory_is_refused(live: ServiceProcess) -> None:
    done = swapstats("run", "--data-dir", live.data_dir, "--api-http-addr", "127.0.0.1:0", *DEMO)
    assert done.returncode == 1
    assert f"was locked by process {live.process.pid}: stop it" in done.stderr
    assert "Traceback" not in done.stderr
    replayed = swapstats("replay", "-", "--data-dir", live.data_dir)
    assert replayed.returncode == 1
    assert f"locked by process {live.process.pid}" in replayed.stderr
    before = live.status()["counters"]["applied"]
    live.applied(before + 1)


def test_a_taken_port_is_told(live: ServiceProcess, tmp_path: Path) -> None:
    port = live.url.rpartition(":")[2]
    done = swapstats(
        *("run", "--data-dir", tmp_path / "other"),
        *("--api-http-addr", f"127.0.0.1:{port}", *DEMO),
    )
    assert done.returncode == 2
    assert f"Expected to listen on 127.0.0.1:{port}, was" in done.stderr
    assert "--api-http-addr" in done.stderr


def test_the_operators_word_is_taken_up(live: ServiceProcess) -> None:
    done = swapstats("confirm-clock", "--data-dir", live.data_dir)
    assert done.returncode == 0
    live.event("clock confirmed by the operator")
    assert not (live.data_dir / "confirm-clock").exists()
    assert live.get("/readyz")[0] == 200


# Ends


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_a_last_checkpoint(start: Start, number: signal.Signals) -> None:
    service = start(*DEMO, "--set", "app.snapshot_interval=10m").ready()
    service.applied(500)
    assert service.end(number) == 0, service.said
    stopped = service.event("stopped")["offsets"]
    assert sum(stopped) >= 500
    readers = EmbeddedReaders.open(service.data_dir)
    try:
        assert [shard.next_offset for shard in readers.restore()] == stopped
    finally:
        readers.close()
    audited(service.data_dir)


def test_kill_9_loses_nothing_doubles_nothing_and_never_goes_back(
    start: Start, tmp_path: Path
) -> None:
    seed = int(os.environ.get("SWAPSTATS_SEED", "11"))
    print(f"seed {seed}")
    rng = Random(seed)
    started_ms = int(time.time() * 1_000)
    as_of, offsets, ingested = 0, [0] * 4, 0
    lives = 4
    for life in range(1, lives + 1):
        service = start(*DEMO, "--set", "app.snapshot_interval=250ms").ready()
        told = service.status()
        assert told["as_of"] >= as_of
        places = [part["offset"] for part in told["partitions"]]
        assert all(place >= offset for place, offset in zip(places, offsets, strict=True))
        assert told["counters"]["ingested"] >= ingested
        service.applied(told["counters"]["applied"] + rng.randint(1, 800))
        told = service.status()
        as_of, ingested = told["as_of"], told["counters"]["ingested"]
        offsets = [part["offset"] for part in told["partitions"]]
        if life < lives:
            service.close()
            assert service.process.returncode == -signal.SIGKILL
        else:
            assert service.end() == 0
    audited(tmp_path / "data", plain=True)
    assert_whole(tmp_path / "data", started_ms)


def test_not_ready_with_progress_until_the_state_is_back(start: Start, tmp_path: Path) -> None:
    count = prefilled(tmp_path / "data", 400_000)
    service = start(*DEMO, "--set", "ingest.max_bytes=64KiB")
    url = service.url
    seen: list[tuple[int, float]] = []

    def ready() -> bool:
        status, body = service.get("/readyz", url)
        told = json.loads(body)
        seen.append((status, told["progress"]))
        if status == 503:
            assert "after a start" in told["detail"]
            assert service.get("/healthz", url)[0] == 200
        api_status, problem = service.get("/api/overview", url)
        assert api_status == 200 or "progress" in json.loads(problem)
        return status == 200

    eventually(ready, 60_000, "the service to be ready")
    progress = [share for _, share in seen]
    assert progress == sorted(progress)
    assert len({share for status, share in seen if status == 503}) > 2
    assert service.status()["counters"]["ingested"] >= count
    assert service.end() == 0


def prefilled(data_dir: Path, count: int) -> int:
    """Make a directory whose log holds so many records and that has no checkpoint yet."""
    now_ms = int(time.time() * 1_000)
    stores = EmbeddedStores.open(data_dir, 4, {"purpose": "run", "partitions": 4, "step_ms": 5_000})
    try:
        messages = [swap(n, now_ms - n, f"T{n % 50}") for n in range(5_000)]
        block = MessageBlock.of(messages)
        partitions = choose_partitions(block, stores.key, 4, now_ms)
        for _ in range(count // len(messages)):
            stores.log.append(block, partitions, now_ms, {})
        return sum(stores.log.end_offsets())
    finally:
        stores.close()


# A full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MiB of its own; skipped where this user may not mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("no mount command here")
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"may not mount a tmpfs here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_ends_it_clearly_and_with_room_it_goes_on(
    start: Start, small_disk: Path
) -> None:
    started_ms = int(time.time() * 1_000)
    rate = 200
    market = (*DEMO, "--set", f"source.demo.rate={rate}")
    name = f"{small_disk.name}/data"
    full = start(*market, name=name)
    assert full.process.wait(60) == 1
    assert "was a full disk" in full.said
    assert "free space" in full.said
    assert "Traceback" not in full.said
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    held = sum(len(batch) for batch in logged(full.data_dir)[0])
    assert held > 5_000
    again = start(*market, name=name).ready()
    assert again.status()["counters"]["ingested"] >= held
    again.applied(held + 100)
    assert again.end() == 0, again.said
    audited(full.data_dir)
    assert_whole(full.data_dir, started_ms, rate=rate)
