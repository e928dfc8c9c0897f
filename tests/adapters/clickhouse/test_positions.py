from collections.abc import Callable

from tests.adapters.clickhouse.batches import NOW_MS, batch_of, message, plain_batch

from swapstats.adapters.clickhouse.archive import ClickHouseArchive
from swapstats.adapters.clickhouse.engine import Engine
from swapstats.adapters.clickhouse.positions import end_offset, first_offset
from swapstats.adapters.clickhouse.schema import ArchiveSchema

Open = Callable[[], ClickHouseArchive]
MONTH_MS = 31 * 86_400_000


def test_the_end_is_that_of_the_log_and_the_partition(
    engine: Engine, schema: ArchiveSchema, open_archive: Open
) -> None:
    archive = open_archive()
    assert archive.end_offset(0) == 0
    archive.insert(plain_batch(1))
    assert archive.end_offset(0) == 1, "offset 0 is a row"
    archive.insert(plain_batch(10, first=20))
    archive.insert(plain_batch(10, first=100, partition=1))
    other = ClickHouseArchive(engine, schema, "another log")
    other.insert(plain_batch(10, first=500))
    assert archive.end_offset(0) == 30
    assert archive.end_offset(1) == 110
    assert archive.end_offset(2) == 0
    assert other.end_offset(0) == 510
    assert end_offset(engine, schema, "a third log", 0) == 0
    assert first_offset(engine, schema, "log", 0) == 0
    assert first_offset(engine, schema, "log", 1) == 100
    assert first_offset(engine, schema, "another log", 0) == 500
    assert first_offset(engine, schema, "a third log", 0) == 0


def test_the_newest_row_may_be_late_or_of_an_old_month(
    engine: Engine, schema: ArchiveSchema, open_archive: Open
) -> None:
    archive = open_archive()
    archive.insert(plain_batch(10))
    archive.insert(batch_of([message(10)], first=10, signs={0: 0}))
    assert archive.end_offset(0) == 11
    old = [message(at, NOW_MS - at * MONTH_MS) for at in range(1, 4)]
    archive.insert(batch_of(old, first=40))
    archive.insert(plain_batch(1, first=41, partition=1))
    assert archive.end_offset(0) == 43


def test_the_first_row_may_be_late_or_of_a_new_month(
    engine: Engine, schema: ArchiveSchema, open_archive: Open
) -> None:
    archive = open_archive()
    archive.insert(batch_of([message(30, NOW_MS - 3 * MONTH_MS), message(31)], first=30))
    assert first_offset(engine, schema, "log", 0) == 30
    archive.insert(batch_of([message(20)], first=20))
    assert first_offset(engine, schema, "log", 0) == 20
    archive.insert(batch_of([message(19)], first=19, signs={0: 0}))
    assert first_offset(engine, schema, "log", 0) == 19
