from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped] # has no types
import pytest
from tests.adapters.clickhouse.batches import AMOUNT, NOW_MS, batch_of, message

from swapstats.adapters.clickhouse.archive import ClickHouseArchive
from swapstats.adapters.clickhouse.engine import Engine
from swapstats.adapters.clickhouse.export import (
    export_to_directory,
    export_to_store,
    parse_day,
)
from swapstats.adapters.clickhouse.schema import COLUMNS, ArchiveSchema
from swapstats.adapters.clickhouse.storage import ColdStorage
from swapstats.errors import Transient, UsageError
from swapstats.stack.object_store import object_store

Open = Callable[[], ClickHouseArchive]
DAY_MS = 86_400_000
MIDNIGHT_MS = NOW_MS // DAY_MS * DAY_MS
TODAY = datetime.fromtimestamp(MIDNIGHT_MS / 1_000, UTC).date()


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ColdStorage, Path]]:
    directory = tmp_path_factory.mktemp("s3")
    server, access = object_store(directory / "objects", directory / "log")
    server.start()
    url = f"{access.endpoint}/{access.bucket}/exports/"
    yield (
        ColdStorage(url, access.key_id, access.secret),
        directory / "objects" / access.bucket / "exports",
    )
    server.stop()


@pytest.fixture
def filled(open_archive: Open) -> ClickHouseArchive:
    """Rows right before, in and right after today."""
    times = (MIDNIGHT_MS - 1, MIDNIGHT_MS, MIDNIGHT_MS + DAY_MS - 1, MIDNIGHT_MS + DAY_MS)
    archive = open_archive()
    archive.insert(batch_of([message(at, time) for at, time in enumerate(times)], signs={2: -1}))
    return archive


def _check(path: Path) -> None:
    table = pq.read_table(path)
    assert table.column_names == [name for name, _ in COLUMNS]
    assert table["offset"].to_pylist() == [1, 2]
    assert table["sign"].to_pylist() == [1, -1]
    assert [str(amount) for amount in table["amount_token"].to_pylist()] == [AMOUNT] * 2


def test_a_day_is_written_to_a_directory_and_written_anew(
    engine: Engine, schema: ArchiveSchema, filled: ClickHouseArchive, tmp_path: Path
) -> None:
    for _ in range(2):
        done = export_to_directory(engine, schema, TODAY, tmp_path / "exports")
        assert done.rows == 2
        _check(Path(done.place))
    assert [path.name for path in (tmp_path / "exports").iterdir()] == [
        f"raw_swaps-{TODAY}.parquet"
    ]


def test_a_day_is_written_to_object_storage_and_written_anew(
    engine: Engine, schema: ArchiveSchema, filled: ClickHouseArchive, s3: tuple[ColdStorage, Path]
) -> None:
    store, directory = s3
    for _ in range(2):
        done = export_to_store(engine, schema, TODAY, store)
        assert done.place == f"{store.endpoint}raw_swaps-{TODAY}.parquet"
        _check(directory / f"raw_swaps-{TODAY}.parquet")


def test_a_store_that_is_away_is_worth_another_try(
    engine: Engine, schema: ArchiveSchema, filled: ClickHouseArchive
) -> None:
    away = ColdStorage("http://127.0.0.1:9/bucket/", "key", "secret")
    with pytest.raises(Transient):
        export_to_store(engine, schema, TODAY, away)


def test_a_day_without_rows_and_a_day_that_is_none_are_refused(
    engine: Engine, schema: ArchiveSchema, filled: ClickHouseArchive, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="rows of 2020-01-01"):
        export_to_directory(engine, schema, date(2020, 1, 1), tmp_path)
    with pytest.raises(UsageError, match="such as 2026-11-21"):
        parse_day("yesterday")
    assert parse_day("2020-01-01") == date(2020, 1, 1)
