from collections.abc import Callable

from tests.adapters.clickhouse.batches import NOW_MS, batch_of, message

from swapstats.adapters.clickhouse.archive import ClickHouseArchive
from swapstats.adapters.clickhouse.doubled import doubled_rows
from swapstats.adapters.clickhouse.engine import Engine
from swapstats.adapters.clickhouse.schema import ArchiveSchema

DAY_MS = 86_400_000
NOON_MS = NOW_MS // DAY_MS * DAY_MS + DAY_MS // 2


def test_copies_are_counted_by_table_and_day(
    engine: Engine, schema: ArchiveSchema, open_archive: Callable[[], ClickHouseArchive]
) -> None:
    messages = [message(0, NOON_MS), message(1, NOON_MS), message(2, NOON_MS - DAY_MS)]
    batch = batch_of([*messages, message(3, NOON_MS)], signs={1: -1, 3: 0})
    open_archive().insert(batch)
    ClickHouseArchive(engine, schema, "another log").insert(batch)
    found = list(doubled_rows(engine, schema))
    assert [(day.table, day.rows, day.surplus, day.example) for day in found] == [
        ("raw_swaps", 2, 0, ""),
        ("raw_swaps", 4, 0, ""),
        ("raw_late", 2, 0, ""),
    ]
    assert found[0].day < found[1].day == found[2].day
    raw = schema.table("raw_swaps")
    engine.run(f"INSERT INTO {raw} SELECT * FROM {raw} WHERE `offset` = 1 AND log = 'log'")
    again = list(doubled_rows(engine, schema))
    assert [(day.surplus, day.example) for day in again] == [(0, ""), (1, "log/0/1"), (0, "")]
