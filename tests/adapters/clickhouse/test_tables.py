from collections.abc import Callable
from dataclasses import replace

from tests.adapters.clickhouse.batches import NOW_MS, batch_of, message

from swapstats.adapters.clickhouse.archive import ClickHouseArchive
from swapstats.adapters.clickhouse.engine import Engine
from swapstats.adapters.clickhouse.schema import DAY_S, ArchiveSchema
from swapstats.adapters.clickhouse.tables import has_cold_volume, has_tables, make_tables
from swapstats.testing.eventually import eventually


def _engine_full(engine: Engine, schema: ArchiveSchema, table: str) -> str:
    (row,) = engine.rows(
        "SELECT engine_full FROM system.tables "
        f"WHERE database = '{schema.database}' AND name = '{table}'"
    )
    return row[0]


def test_tables_are_made_once(engine: Engine, schema: ArchiveSchema) -> None:
    assert not has_tables(engine, schema)
    for _ in range(2):
        make_tables(engine, schema)
    assert has_tables(engine, schema)
    assert not has_cold_volume(engine)
    (mutations,) = engine.rows(
        f"SELECT count() FROM system.mutations WHERE database = '{schema.database}'"
    )
    assert mutations == ["0"], "nothing was to be altered"


def test_another_age_is_followed_by_old_parts_too(
    engine: Engine, schema: ArchiveSchema, open_archive: Callable[[], ClickHouseArchive]
) -> None:
    open_archive().insert(batch_of([message(0), message(1)], signs={1: 0}))
    make_tables(engine, replace(schema, delete_after_s=400 * DAY_S))
    for table in ("raw_swaps", "raw_late"):
        assert "toIntervalDay(400)" in _engine_full(engine, schema, table)
    wanted_s = NOW_MS // 1_000 + 400 * DAY_S

    def deleted_at_s() -> int:
        (row,) = engine.rows(
            "SELECT toUnixTimestamp(max(delete_ttl_info_max)) FROM system.parts "
            f"WHERE database = '{schema.database}' AND table = 'raw_swaps' AND active"
        )
        return int(row[0])

    eventually(lambda: abs(deleted_at_s() - wanted_s) <= 1, 60_000, "the age to be reckoned anew")
