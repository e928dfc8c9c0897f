"""`swapstats backfill` over whole lives: killed, twice, on Kafka, and the windows that come of it.

Windows are those of the same swaps replayed from NDJSON, byte for byte.
"""

import csv
import gzip
import json
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from tests.adapters.backfill.tables import execute_postgres, execute_sqlite
from tests.adapters.kafka.rig import make_log, running_cluster
from tests.conformance.preprocess_stores import running_postgres
from tests.end_to_end.replay_runs import Message, read_messages, wire_files
from tests.end_to_end.service_process import ServiceProcess, clean_environment, swapstats
from tests.roles.aggregator.rig import KEY

from swapstats.adapters.embedded.log_reader import EmbeddedSwapLogReader
from swapstats.adapters.kafka.client import KafkaAddress
from swapstats.adapters.kafka.log import KafkaSwapLogReader
from swapstats.adapters.sources.ndjson import NdjsonSource
from swapstats.adapters.system_clock import SystemClock
from swapstats.cli.backfill import backfill_command
from swapstats.cli.replay import _replay
from swapstats.core.backfill_position import BackfillPosition
from swapstats.core.decode import decode
from swapstats.errors import StoreError
from swapstats.ports.swap_log import SwapLogReader
from swapstats.settings import load
from swapstats.stack.kafka import KafkaCluster
from swapstats.testing.eventually import eventually
from swapstats.wiring.embedded import EmbeddedStores

PARTITIONS = 4
RUN = {"purpose": "run", "partitions": PARTITIONS, "step_ms": 5_000}
TIMEOUT_MS = 120_000


@pytest.fixture
def rng() -> Random:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    return Random(seed)


def tokens(data_dir: Path, files: list[Path], tmp_path: Path) -> str:
    """What the aggregator makes of a directory of `run`, by the event clock, after more files."""
    nothing = tmp_path / "nothing.ndjson"
    nothing.touch()
    settings = load(environ={}, flags={"data.dir": str(data_dir)})
    source = NdjsonSource([str(file) for file in files] or [str(nothing)], SystemClock())
    with closing(EmbeddedStores.open(data_dir, PARTITIONS, RUN)) as stores:
        report = json.loads(
            _replay(source, stores, settings, "event", None, rebuild=False), parse_float=str
        )
    return json.dumps({"as_of": report["as_of"], "tokens": report["tokens"]})


def write_csv(path: Path, messages: list[Message]) -> Path:
    names = list({name: None for message in messages for name in message})
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(names)
        rows.writerows([_cell(message.get(name)) for name in names] for message in messages)
    return path


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def write_parquet(path: Path, messages: list[Message]) -> Path:
    names = list({name: None for message in messages for name in message})
    columns = {name: [message.get(name) for message in messages] for name in names}
    pq.write_table(pa.table(columns), path, row_group_size=1_000)
    return path


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_recorded_swaps_give_the_windows_of_a_replay(
    tmp_path: Path,
    write: Callable[[Path, list[Message]], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each recording alone: byte for byte what a replay of its NDJSON gives."""
    for file in wire_files():
        stem = file.name.removesuffix(".ndjson.gz")
        suffix = ".csv.gz" if write is write_csv else ".parquet"
        table = write(tmp_path / f"{stem}{suffix}", read_messages(file))
        made = tmp_path / f"{stem}-made"
        assert backfill_command(str(table), data_dir=made, all_=True) == 0
        assert "refused" not in capsys.readouterr().out
        expected = tokens(tmp_path / f"{stem}-replayed", [file], tmp_path)
        assert tokens(made, [], tmp_path) == expected


def market(rng: Random, count: int, end_ms: int) -> list[Message]:
    """Swaps of an hour up to now: late and doubled ones, some without a price, some taken back."""
    found: list[Message] = []
    for number in range(count):
        message = {
            "event_id": f"x:{number}",
            "token_address": f"T{min(int(rng.expovariate(0.2)), 40)}",
            "side": rng.choice(("buy", "sell")),
            "amount_token": f"{rng.randrange(10**6)}.{rng.randrange(10**18):018}",
            "amount_usd": rng.choice((None, f"{rng.randrange(10**6)}.{rng.randrange(10**6):06}")),
            "event_time": end_ms - rng.randrange(3_600_000),
            "removed": False,
        }
        found.append(message)
        draw = rng.random()
        if draw < 0.05:
            found.append(rng.choice(found))
        elif draw < 0.1:
            found.append(rng.choice(found) | {"removed": True})
    return found


def ndjson(path: Path, messages: list[Message]) -> Path:
    lines = (json.dumps({"schema_version": 1} | message) for message in messages)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def start(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "swapstats", "backfill", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean_environment(),
    )


def end_offsets(data_dir: Path) -> int:
    """Records in the log of a directory that somebody may be making."""
    try:
        with closing(EmbeddedSwapLogReader(data_dir / "log.db")) as log:
            return sum(log.end_offsets())
    except StoreError:
        return 0


def kill_past(process: subprocess.Popen[bytes], count: Callable[[], int], least: int) -> None:
    """kill -9 once there are so many records."""
    eventually(
        lambda: count() >= least or process.poll() is not None, TIMEOUT_MS, f"{least} records"
    )
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    yield from running_postgres()


@pytest.mark.parametrize("kind", ["csv", "parquet", "sqlite", "postgres"])
def test_killed_again_and_again_and_given_twice(
    tmp_path: Path, rng: Random, kind: str, request: pytest.FixtureRequest
) -> None:
    """kill -9 at some places: the windows are those of a replay; twice changes nothing."""
    messages = market(rng, 2_000, int(time.time() * 1_000))
    bad = [message | {"side": "up"} for message in rng.sample(messages, 20)]
    rows = sorted([*messages, *bad], key=lambda message: message["event_time"])
    source = made_source(kind, tmp_path, rows, request)
    data_dir = tmp_path / "data"
    arguments = [*source, "--data-dir", data_dir, "--set", "backfill.chunk_rows=20"]
    reached = 0
    for _ in range(2):
        kill_past(start(*arguments), lambda: end_offsets(data_dir), reached + rng.randrange(1, 500))
        reached = end_offsets(data_dir)
    done = swapstats("backfill", *arguments)
    assert done.returncode == 0, done
    assert "20 refused (bad_side 20)" in done.stdout
    assert "goes on where it was" in done.stderr
    kept = next(data_dir.glob("refused-*.ndjson")).read_text().splitlines()
    assert len({json.loads(line)["row"] for line in kept}) == len(kept) == 20
    expected = tokens(tmp_path / "replayed", [ndjson(tmp_path / "m.ndjson", messages)], tmp_path)
    assert tokens(data_dir, [], tmp_path) == expected
    count = end_offsets(data_dir)
    again = swapstats("backfill", *arguments, "--again")
    assert again.returncode == 0, again
    assert end_offsets(data_dir) == count + len(messages)
    assert tokens(data_dir, [], tmp_path) == expected
    assert swapstats("backfill", *arguments, "--check").returncode == 0


def made_source(
    kind: str, tmp_path: Path, rows: list[Message], request: pytest.FixtureRequest
) -> list[object]:
    """A real table of one kind; what names it on the command line."""
    if kind == "csv":
        return [write_csv(tmp_path / "t.csv.gz", rows)]
    if kind == "parquet":
        return [write_parquet(tmp_path / "t.parquet", rows)]
    columns = ("event_id", "token_address", "side", "amount_token", "amount_usd", "event_time")
    names = (*columns, "removed")
    values = [
        "({})".format(
            ", ".join("NULL" if row[name] is None else f"'{row[name]}'" for name in names)
        )
        for row in rows
    ]
    types = ("text", "text", "text", "numeric", "numeric", "bigint", "boolean")
    if kind == "sqlite":
        types = ("text", "text", "text", "text", "text", "integer", "text")
    listed = ", ".join(f"{name} {type_}" for name, type_ in zip(names, types, strict=True))
    statements = (
        "DROP TABLE IF EXISTS swaps",
        f"CREATE TABLE swaps ({listed})",
        *(
            f"INSERT INTO swaps VALUES {', '.join(values[at : at + 500])}"
            for at in range(0, len(values), 500)
        ),
    )
    if kind == "sqlite":
        execute_sqlite(tmp_path / "t.db", *statements)
        return [f"sqlite:///{tmp_path}/t.db", "--table", "swaps"]
    url = request.getfixturevalue("postgres")
    execute_postgres(url, *statements)
    return [url, "--query", "SELECT * FROM swaps WHERE event_id LIKE 'x:%'"]


def test_a_stop_in_good_order_says_so_by_its_status(tmp_path: Path, rng: Random) -> None:
    table = write_csv(tmp_path / "t.csv.gz", market(rng, 4_000, int(time.time() * 1_000)))
    arguments = [table, "--data-dir", tmp_path / "data", "--set", "backfill.chunk_rows=5"]
    process = start(*arguments)
    eventually(lambda: end_offsets(tmp_path / "data") > 20, TIMEOUT_MS, "some records")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
    with closing(EmbeddedSwapLogReader(tmp_path / "data" / "log.db")) as log:
        found = BackfillPosition.parse(log.position("backfill:t.csv.gz"))
    assert found is not None
    assert found.rows == end_offsets(tmp_path / "data")
    assert not found.done


def test_a_service_that_starts_after_it_has_full_windows(tmp_path: Path, rng: Random) -> None:
    """Cold start: the first answer of `run` holds what the table held; meanwhile no backfill."""
    messages = market(rng, 2_000, int(time.time() * 1_000))
    table = write_csv(tmp_path / "t.csv.gz", messages)
    assert swapstats("backfill", table, "--data-dir", tmp_path / "data").returncode == 0
    removed = {each["event_id"] for each in messages if each["removed"]}
    kept = {
        each["event_id"]: each
        for each in messages
        if each["event_id"] not in removed and each["token_address"] == "T0"
    }
    nothing = tmp_path / "nothing.ndjson"
    nothing.touch()
    service = ServiceProcess(tmp_path / "data", tmp_path, "--source", f"replay:{nothing}")
    try:
        eventually(lambda: service.events("page and API"), TIMEOUT_MS, "the service to listen")
        eventually(lambda: service.get("/readyz")[0] == 200, TIMEOUT_MS, "it to be ready")
        w24h = service.ask("/api/tokens/T0/stats?windows=24h")["w24h"]
        assert w24h["trades"] == len(kept)
        locked = swapstats("backfill", table, "--data-dir", tmp_path / "data", "--again")
        assert locked.returncode == 2
        assert "stop the service" in locked.stderr
        checked = swapstats("backfill", table, "--data-dir", tmp_path / "data", "--check")
        assert (checked.returncode, checked.stdout.splitlines()[-1]) == (0, "no difference")
        assert service.end() == 0
    finally:
        service.close()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    yield from running_cluster(tmp_path_factory.mktemp("kafka"))


def contributions(log: SwapLogReader) -> set[tuple[int, int, bool]]:
    """Every pair of a log, with its content and whether it is a removal."""
    found = set()
    for partition, offset in enumerate(log.start_offsets()):
        at = offset
        while (batch := log.read(partition, at, 1 << 20)) is not None:
            columns = decode(batch, KEY, None)
            found |= set(
                zip(
                    columns.fingerprint.tolist(),
                    columns.check.tolist(),
                    columns.removed.astype(bool).tolist(),
                    strict=True,
                )
            )
            at = batch.next_offset
    return found


def test_killed_on_kafka(cluster: KafkaCluster, tmp_path: Path, rng: Random) -> None:
    """The log on a broker has every row of the table and nothing else, over a kill -9."""
    topic = f"swaps-{uuid.uuid4().hex[:12]}"
    address = KafkaAddress(cluster.bootstrap)
    make_log(address, topic, PARTITIONS)
    config = tmp_path / "swapstats.yaml"
    config.write_text(
        f"ingest: {{broker_type: kafka, brokers: ['{cluster.bootstrap}'], topic: {topic}}}\n"
        f"data: {{dir: {tmp_path / 'data'}}}\nbackfill: {{chunk_rows: 20}}\n"
    )
    messages = market(rng, 2_000, int(time.time() * 1_000))
    table = write_csv(tmp_path / "t.csv.gz", messages)
    with closing(KafkaSwapLogReader(address, topic)) as log:
        kill_past(
            start(table, "--config", config),
            lambda: sum(log.end_offsets()),
            rng.randrange(1, 1_000),
        )
        done = swapstats("backfill", table, "--config", config)
        assert done.returncode == 0, done
        assert "goes on where it was" in done.stderr
        replayed = tmp_path / "replayed"
        tokens(replayed, [ndjson(tmp_path / "m.ndjson", messages)], tmp_path)
        with closing(EmbeddedSwapLogReader(replayed / "log.db")) as expected:
            assert contributions(log) == contributions(expected)
        assert swapstats("backfill", table, "--config", config, "--check").returncode == 0
