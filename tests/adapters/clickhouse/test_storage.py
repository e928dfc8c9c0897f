"""Old parts on a real S3 server: they move, read back, wait while it is away, and are deleted."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.adapters.clickhouse.batches import HOUR_MS, NOW_MS, batch_of, count_of, message

from swapstats.adapters.clickhouse.archive import ClickHouseArchive
from swapstats.adapters.clickhouse.embedded import EmbeddedEngine
from swapstats.adapters.clickhouse.engine import Engine
from swapstats.adapters.clickhouse.schema import ArchiveSchema
from swapstats.adapters.clickhouse.status import archive_status
from swapstats.adapters.clickhouse.storage import ColdStorage, server_xml, storage_xml
from swapstats.adapters.clickhouse.verify import view_differences
from swapstats.model.archive_status import ArchiveStatus
from swapstats.stack.object_store import object_store
from swapstats.stack.process import ServerProcess
from swapstats.testing.eventually import eventually

# Parts move when a real engine gets round to it: minutes, where others keep the machine busy.
pytestmark = pytest.mark.prove
DEPLOY = Path(__file__).parents[3] / "deploy" / "clickhouse"
MOVE_MS = 40_000
# Real servers look for old parts every minute or so; these look every second.
FAST_MERGES = {
    "merge_with_ttl_timeout": 1,
    "merge_selecting_sleep_ms": 200,
    "max_merge_selecting_sleep_ms": 500,
    "old_parts_lifetime": 1,
}
FAST_MOVES = {
    "background_move_processing_pool_thread_sleep_seconds": 1,
    "background_move_processing_pool_thread_sleep_seconds_if_nothing_to_do": 1,
    "background_move_processing_pool_task_sleep_seconds_when_no_work_max": 1,
    "background_processing_pool_task_sleep_seconds_when_no_work_max": 1,
}


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, ColdStorage]]:
    directory = tmp_path_factory.mktemp("s3")
    server, access = object_store(directory / "objects", directory / "log")
    server.start()
    yield (
        server,
        ColdStorage(f"{access.endpoint}/{access.bucket}/archive/", access.key_id, access.secret),
    )
    server.stop()


@pytest.fixture(scope="module")
def engine(  # one for the module: it moves parts in the background
    s3: tuple[ServerProcess, ColdStorage], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    engine = EmbeddedEngine(
        tmp_path_factory.mktemp("archive"),
        s3[1],
        settings=FAST_MOVES,
        merge_tree_settings=FAST_MERGES,
    )
    yield engine
    engine.close()


def _disks(engine: Engine, schema: ArchiveSchema) -> set[str]:
    status = archive_status(engine, schema)
    return {parts.disk for parts in status.disks if parts.table == "raw_swaps"}


def _old(first: int, age_ms: int) -> list[bytes]:
    return [message(at, NOW_MS - age_ms) for at in range(first, first + 10)]


def test_an_old_part_moves_to_s3_and_reads_back(engine: Engine) -> None:
    schema = ArchiveSchema("moves", cold_after_s=3_600, delete_after_s=86_400)
    archive = ClickHouseArchive(engine, schema, "log")
    archive.insert(batch_of(_old(0, 2 * HOUR_MS)))
    eventually(lambda: _disks(engine, schema) == {"s3_cold"}, MOVE_MS, "the part to move")
    assert count_of(engine, "moves", "raw_swaps") == 10
    assert view_differences(engine, schema) == {"hourly": [], "daily": []}
    archive.insert(batch_of(_old(0, 2 * HOUR_MS)))
    assert count_of(engine, "moves", "raw_swaps") == 10, "the name goes with the part"
    archive.insert(batch_of([message(at) for at in range(10, 20)], first=10))
    status = archive_status(engine, schema)
    assert status.oldest_hot_part is not None
    assert status.oldest_hot_part.startswith("raw_swaps/")
    assert {parts.disk: parts.rows for parts in status.disks if parts.table == "raw_swaps"} == {
        "default": 10,
        "s3_cold": 10,
    }


def test_while_s3_is_away_inserts_go_on_and_the_move_follows(
    engine: Engine, s3: tuple[ServerProcess, ColdStorage]
) -> None:
    schema = ArchiveSchema("outage", cold_after_s=3_600, delete_after_s=86_400)
    archive = ClickHouseArchive(engine, schema, "log")
    s3[0].kill()
    try:
        before = archive_status(engine, schema).s3_errors
        archive.insert(batch_of(_old(0, 2 * HOUR_MS)))

        def troubled() -> ArchiveStatus | None:
            status = archive_status(engine, schema)
            return status if status.overdue_parts and status.s3_errors > before else None

        status = eventually(troubled, MOVE_MS, "the move to fail")
        assert status is not None
        archive.insert(batch_of(_old(10, 0), first=10))
        assert count_of(engine, "outage", "raw_swaps") == 20
        assert _disks(engine, schema) == {"default"}
    finally:
        s3[0].start()
    eventually(lambda: "s3_cold" in _disks(engine, schema), MOVE_MS, "the move to follow")
    assert count_of(engine, "outage", "raw_swaps") == 20
    assert view_differences(engine, schema) == {"hourly": [], "daily": []}


def test_rows_are_deleted_by_age_and_the_views_keep_their_sums(engine: Engine) -> None:
    schema = ArchiveSchema("deletes", cold_after_s=3_600, delete_after_s=7_200)
    ClickHouseArchive(engine, schema, "log").insert(
        batch_of(_old(0, 3 * HOUR_MS) + _old(10, 0), signs={15: 0})
    )
    eventually(
        lambda: count_of(engine, "deletes", "raw_swaps") == 9, MOVE_MS, "old rows to be deleted"
    )
    assert count_of(engine, "deletes", "raw_late") == 1
    assert engine.rows("SELECT sum(trades) FROM deletes.hourly") == [["19"]]


def test_the_configuration_beside_the_server_is_up_to_date() -> None:
    assert (DEPLOY / "storage.xml").read_text(encoding="utf-8") == server_xml()


def test_no_file_holds_a_secret(tmp_path: Path) -> None:
    cold = ColdStorage("http://s3/a&b/", "the-key", "the-secret")
    content = storage_xml(tmp_path, cold, {"x": 1}, {"y": 2})
    assert "the-key" not in content
    assert "the-secret" not in content
    assert "<endpoint>http://s3/a&amp;b/</endpoint>" in content
