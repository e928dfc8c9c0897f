"""What a backfill is made of by the settings: names, bounds, refusals; on a real Redis as a log."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.wiring.test_transport import PARTITIONS, settings_of

from swapstats.core.backfill_position import BackfillPosition
from swapstats.errors import Rejected, SettingsError, SettingsMismatch, UsageError
from swapstats.roles.backfill import BackfillSource
from swapstats.settings import Settings, load
from swapstats.stack.redis import RedisServer
from swapstats.wiring.backfill import Backfill, BackfillRequest, default_name, expect_name
from swapstats.wiring.embedded import EmbeddedStores
from swapstats.wiring.transport import transport

NOW_MS = int(time.time() * 1_000)
HEADER = "event_id,token_address,side,amount_token,event_time\n"


def table(path: Path, count: int, step_ms: int = 60_000) -> Path:
    """Swaps that end now, one every minute."""
    path.write_text(
        HEADER + "".join(f"x:{n},T{n % 5},BUY,1,{NOW_MS - n * step_ms}\n" for n in range(count))
    )
    return path


def settings(tmp_path: Path, **flags: Any) -> Settings:
    given: dict[str, Any] = {"data.dir": str(tmp_path / "data"), "backfill.chunk_rows": 100}
    given |= {name.replace("__", "."): value for name, value in flags.items()}
    return load(environ={}, flags=given)


def backfilled(
    wanted: Settings, source: Path, **request: Any
) -> tuple[BackfillSource, BackfillPosition]:
    with closing(Backfill(wanted, BackfillRequest(str(source), **request))) as backfill:
        seen: list[BackfillSource] = []
        done = asyncio.run(backfill.write(seen.append, lambda: None, print))
        assert seen == [done]
        return done, done.position


def test_rows_that_no_window_counts_are_left_out_unless_all_are_asked_for(tmp_path: Path) -> None:
    source = table(tmp_path / "t.csv", 2_000)
    before_ms = int(time.time() * 1_000)
    first, found = backfilled(settings(tmp_path), source)
    since_ms = first._plan.since_ms
    assert since_ms is not None
    widest_and_grace_ms = 24 * 3_600_000 + 120_000
    assert before_ms <= since_ms + widest_and_grace_ms <= time.time() * 1_000
    assert found.written == sum(NOW_MS - n * 60_000 >= since_ms for n in range(2_000))
    assert found.written + found.older == found.rows == 2_000
    again, found = backfilled(settings(tmp_path), source, everything=True)
    assert (again.start, found.written) == ("changed", 2_000)
    _, found = backfilled(settings(tmp_path), source, since_ms=NOW_MS - 600_000, until_ms=NOW_MS)
    assert (found.written, found.older, found.newer) == (10, 1_989, 1)


def test_another_mapping_is_another_backfill(tmp_path: Path) -> None:
    source = table(tmp_path / "t.csv", 10)
    assert backfilled(settings(tmp_path), source)[0].start == "new"
    assert backfilled(settings(tmp_path), source)[0].start == "finished"
    mapped = settings(tmp_path, backfill__columns={"venue": "= x"})
    assert backfilled(mapped, source)[0].start == "changed"
    assert backfilled(mapped, source, name="other")[0].start == "new"


def test_a_mapping_that_does_not_fit_is_told_before_anything_is_made(tmp_path: Path) -> None:
    source = table(tmp_path / "t.csv", 10)
    with pytest.raises(UsageError, match=r"backfill\.columns\.venue"):
        Backfill(
            settings(tmp_path, backfill__columns={"venue": "gone"}), BackfillRequest(str(source))
        )
    with pytest.raises(SettingsError, match="vnue"):
        Backfill(settings(tmp_path, backfill__columns={"vnue": "x"}), BackfillRequest(str(source)))
    with pytest.raises(Rejected, match="check the path"):
        Backfill(settings(tmp_path), BackfillRequest(str(tmp_path / "none.csv")))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("late", ["drop", "divert"])
def test_where_late_swaps_do_not_count_it_is_refused(tmp_path: Path, late: str) -> None:
    with pytest.raises(UsageError, match=rf"app\.late .*Expected apply, was {late}.*then back"):
        backfilled(settings(tmp_path, app__late=late), table(tmp_path / "t.csv", 10))
    assert not (tmp_path / "data").exists()


def test_a_service_that_owns_the_log_is_told_to_be_stopped(tmp_path: Path) -> None:
    manifest = {"purpose": "run", "partitions": 4, "step_ms": 5_000}
    with (
        closing(EmbeddedStores.open(tmp_path / "data", 4, manifest)),
        pytest.raises(UsageError, match="stop the service"),
    ):
        backfilled(settings(tmp_path), table(tmp_path / "t.csv", 10))


def test_a_directory_of_other_partitions_is_refused(tmp_path: Path) -> None:
    source = table(tmp_path / "t.csv", 10)
    backfilled(settings(tmp_path), source)
    with pytest.raises(SettingsMismatch):
        backfilled(settings(tmp_path, ingest__topic_cfg__partitions=7), source)


@pytest.mark.parametrize(
    ("source", "name", "expected"),
    [
        ("/a/b/swaps 2024.csv.gz", "", "swaps-2024.csv.gz"),
        ("postgresql://me:hush@db:5432/dex", "public.swaps", "dex-public.swaps"),
        ("sqlite:////data/x.db", "t", "data-x.db-t"),
        ("...", "", "table"),
        ("x" * 500, "", "x" * 100),
    ],
)
def test_default_names(source: str, name: str, expected: str) -> None:
    assert default_name(source, name) == expected
    assert expect_name(expected) == expected


@pytest.mark.parametrize("name", ["", ".", "a/b", "ü", "x" * 101])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(UsageError, match="letters, digits"):
        expect_name(name)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    try:
        server = RedisServer(tmp_path / "redis")
    except UsageError as error:
        pytest.skip(str(error))
    server.start()
    yield server
    server.stop()


def test_streams_of_redis(redis: RedisServer, tmp_path: Path) -> None:
    wanted = settings_of(
        f"127.0.0.1:{redis.port}", data__dir=str(tmp_path / "data"), backfill__chunk_rows=100
    )
    source = table(tmp_path / "t.csv", 300)
    assert backfilled(wanted, source)[1].written == 300
    with closing(transport(wanted).open_reader()) as log:
        assert (log.partition_count, sum(log.end_offsets())) == (PARTITIONS, 300)
    assert backfilled(wanted, source)[0].start == "finished"
    with closing(Backfill(wanted, BackfillRequest(str(source)))) as backfill:
        assert backfill.check(5, print).counts.total() == 0
