"""`swapstats archive`, on a real engine, a real S3 server and a real API."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped] # has no types
import pytest
from tests.adapters.clickhouse.batches import NOW_MS, batch_of, message
from tests.cli.conftest import Said
from tests.roles.api.running import Running

from swapstats.settings import load
from swapstats.stack.clickhouse import clickhouse
from swapstats.stack.object_store import object_store
from swapstats.testing.eventually import eventually
from swapstats.wiring.archive import EMBEDDED_LOG, open_archive

pytest.importorskip("chdb", reason="no chdb: pip install 'swapstats[archive]'")

Cli = Callable[..., Said]
NOON_MS = NOW_MS // 86_400_000 * 86_400_000 + 43_200_000
DAY = f"{datetime.fromtimestamp(NOON_MS / 1_000, UTC).date()}"
_OWNER = """
import sys
from pathlib import Path
from swapstats.adapters.clickhouse.embedded import EmbeddedEngine
engine = EmbeddedEngine(Path(sys.argv[1]) / "archive")
print("open", flush=True)
sys.stdin.read()
"""


def _fill(data_dir: Path) -> None:
    opened = open_archive(load(environ={}), data_dir=data_dir, log_name=EMBEDDED_LOG)
    assert opened is not None
    swaps = [message(at, NOON_MS) for at in range(4)]
    opened.archive.insert(batch_of(swaps, signs={1: -1, 2: 0}))
    opened.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with an archive of three rows and a late one; not to be written to."""
    path = tmp_path_factory.mktemp("filled")
    _fill(path)
    return path


def test_the_status_is_a_table_or_json(cli: Cli, filled: Path) -> None:
    said = cli("archive", "status", "--data-dir", filled)
    assert (said.status, said.err) == (0, "")
    (row,) = [line for line in said.out.splitlines() if "raw_swaps" in line and "default" in line]
    assert row.replace("\u2502", " ").split()[:4] == ["raw_swaps", "default", "1", "3"]
    assert "oldest hot part: raw_" in said.out
    assert "moves: 0 overdue, 0 under way" in said.out
    answer = json.loads(cli("archive", "status", "--data-dir", filled, "--json").out)
    rows = {parts["table"]: parts["rows"] for parts in answer["disks"]}
    assert (rows["raw_swaps"], rows["raw_late"]) == (3, 1)


def test_without_an_archive_it_says_what_to_do(cli: Cli, tmp_path: Path) -> None:
    said = cli("archive", "status", "--data-dir", tmp_path)
    assert said.status == 2
    assert "was no archive there yet: name another directory with --data-dir" in said.err
    config = tmp_path / "off.yaml"
    config.write_text("stores: {archive: 'off'}\n")
    said = cli("archive", "check", "--config", config)
    assert said.status == 2
    assert "stores.archive is off" in said.err


def test_a_day_goes_into_a_directory(cli: Cli, filled: Path, tmp_path: Path) -> None:
    said = cli("archive", "export", DAY, "--to", tmp_path / "out", "--data-dir", filled)
    assert said.status == 0, said.err
    path = tmp_path / "out" / f"raw_swaps-{DAY}.parquet"
    assert said.out.strip() == f"3 rows of {DAY} in {path}"
    assert pq.read_table(path)["offset"].to_pylist() == [0, 1, 3]


def test_a_day_goes_from_a_server_to_this_machine_and_to_s3(cli: Cli, tmp_path: Path) -> None:
    s3, access = object_store(tmp_path / "objects", tmp_path / "s3.log")
    server, dsn = clickhouse(tmp_path / "clickhouse")
    config = tmp_path / "config.yaml"
    config.write_text(
        "ingest: {broker_type: kafka, brokers: ['127.0.0.1:9']}\n"
        f"stores:\n  clickhouse:\n    dsn: {dsn}\n    cold:\n"
        f"      endpoint: {access.endpoint}/{access.bucket}/archive\n"
        f"      key_id: {access.key_id}\n      secret: {access.secret}\n"
    )
    for process in (s3, server):
        process.start()
    try:
        settings = load(config, environ={})
        opened = open_archive(settings, data_dir=None, log_name="raw-swaps")
        assert opened is not None
        opened.archive.insert(batch_of([message(at, NOON_MS) for at in range(4)]))
        opened.close()
        said = cli("archive", "export", DAY, "--to", tmp_path / "out", "--config", config)
        assert said.status == 0, said.err
        assert pq.read_table(tmp_path / "out" / f"raw_swaps-{DAY}.parquet").num_rows == 4
        said = cli("archive", "export", DAY, "--config", config)
        assert said.status == 0, said.err
        found = tmp_path / "objects" / access.bucket / "archive" / "exports"
        assert pq.read_table(found / f"raw_swaps-{DAY}.parquet").num_rows == 4
        assert cli("archive", "check", "--config", config).status == 0
    finally:
        for process in (server, s3):
            process.stop()


def test_where_an_export_goes_is_asked_for_once(cli: Cli, filled: Path, tmp_path: Path) -> None:
    said = cli("archive", "export", DAY, "--data-dir", filled)
    assert said.status == 2
    assert "with stores.clickhouse.cold.endpoint set, was neither" in said.err
    config = tmp_path / "config.yaml"
    config.write_text("stores: {clickhouse: {cold: {endpoint: 'http://h/bucket/'}}}\n")
    said = cli("archive", "export", DAY, "--to", tmp_path, "--to-s3", "--config", config)
    assert said.status == 2
    assert "was both" in said.err
    said = cli("archive", "export", "yesterday", "--to", tmp_path)
    assert "Expected a day such as" in said.err


def test_a_right_archive_passes_the_check_and_a_doubled_row_fails_it(
    cli: Cli, tmp_path: Path
) -> None:
    _fill(tmp_path)
    said = cli("archive", "check", "--data-dir", tmp_path)
    assert said.status == 0, said.out
    assert "4 rows, 0 of them copies" in said.out
    opened = open_archive(load(environ={}), data_dir=tmp_path, log_name=EMBEDDED_LOG)
    assert opened is not None
    raw = opened.schema.table("raw_swaps")
    opened.engine.run(f"INSERT INTO {raw} SELECT * FROM {raw} WHERE `offset` = 3")
    opened.engine.run(f"TRUNCATE TABLE {opened.schema.table('daily')}")
    opened.close()
    said = cli("archive", "check", "--data-dir", tmp_path)
    assert said.status == 1
    assert f"raw_swaps {DAY}: 1 copies, such as embedded/0/3" in said.out
    assert "hourly is the sum of raw_swaps" in said.out
    assert "daily is not the sum of raw_swaps" in said.out


@pytest.fixture
def owned(tmp_path: Path) -> Iterator[Path]:
    """A data directory whose archive another process owns."""
    _fill(tmp_path)
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"open\n"
    yield tmp_path
    owner.communicate()


class _Api:
    """An API on a loop of its own, for commands that ask it."""

    def __init__(self) -> None:
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))
        self._thread.start()
        eventually(lambda: self.port, 60_000, "the API to listen")

    async def _serve(self) -> None:
        async with Running() as running:
            self.port = running.port
            await self._stop.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()


def test_an_archive_in_use_is_asked_for_at_its_owners_api(cli: Cli, owned: Path) -> None:
    api = _Api()
    try:
        config = owned / "config.yaml"
        config.write_text(f"api: {{http: {{addr: '127.0.0.1:{api.port}'}}}}\n")
        for way in (("--data-dir", owned), ("--url", f"http://127.0.0.1:{api.port}")):
            said = cli("archive", "status", "--config", config, *way)
            assert said.status == 0, said.err
            assert "raw_swaps/202611_1_1_0" in said.out
            assert "S3 errors since the engine started: 3" in said.out
        for command in (("export", DAY, "--to", owned), ("check",)):
            said = cli("archive", *command, "--data-dir", owned)
            assert said.status == 1
            assert "was in use by a running process: stop that" in said.err
    finally:
        api.close()


def test_an_owner_that_does_not_answer_is_named(cli: Cli, owned: Path) -> None:
    said = cli("archive", "status", "--data-dir", owned, "--url", "http://127.0.0.1:9")
    assert said.status == 1
    assert "Expected a running service at http://127.0.0.1:9" in said.err
