from collections.abc import Callable

from tests.adapters.clickhouse.batches import HOUR_MS, NOW_MS, batch_of, message

from swapstats.adapters.clickhouse.archive import ClickHouseArchive
from swapstats.adapters.clickhouse.engine import Engine
from swapstats.adapters.clickhouse.schema import ArchiveSchema
from swapstats.adapters.clickhouse.status import archive_status


def test_an_empty_archive_has_no_parts(
    engine: Engine, schema: ArchiveSchema, open_archive: Callable[[], ClickHouseArchive]
) -> None:
    open_archive()
    status = archive_status(engine, schema)
    assert status.disks == ()
    assert (status.oldest_hot_part, status.oldest_hot_time) == (None, None)
    assert (status.overdue_parts, status.moving_parts) == (0, 0)


def test_parts_are_told_by_table_and_disk_with_the_oldest(
    engine: Engine, schema: ArchiveSchema, open_archive: Callable[[], ClickHouseArchive]
) -> None:
    messages = [message(at, NOW_MS - at * HOUR_MS) for at in range(5)]
    open_archive().insert(batch_of(messages, signs={0: 0}))
    status = archive_status(engine, schema)
    rows = {parts.table: parts.rows for parts in status.disks}
    assert rows["raw_swaps"] == 4
    assert rows["raw_late"] == 1
    assert {parts.disk for parts in status.disks} == {"default"}
    assert all(parts.size_bytes > 0 for parts in status.disks)
    oldest = engine.rows(
        f"SELECT toStartOfSecond(min(event_time)) FROM {schema.table('raw_swaps')}"
    )
    assert status.oldest_hot_part is not None
    assert status.oldest_hot_part.startswith("raw_swaps/")
    assert status.oldest_hot_time is not None
    assert oldest[0][0].startswith(status.oldest_hot_time)
