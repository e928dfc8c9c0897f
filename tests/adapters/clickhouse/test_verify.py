from collections.abc import Callable

import numpy as np
from tests.adapters.clickhouse.batches import batch_of, message, plain_batch, view_totals

from swapstats.adapters.clickhouse.archive import ClickHouseArchive
from swapstats.adapters.clickhouse.engine import Engine
from swapstats.adapters.clickhouse.schema import DAY_S, VIEWS, ArchiveSchema
from swapstats.adapters.clickhouse.verify import missing_rows, repair_view, view_differences

Open = Callable[[], ClickHouseArchive]


def test_rows_are_known_by_their_place_and_identity(
    engine: Engine, schema: ArchiveSchema, open_archive: Open
) -> None:
    open_archive().insert(plain_batch(5))
    others = [message(at, event_id="another log's" if at == 2 else None) for at in range(6)]
    batch = batch_of(others, signs={1: -1})
    found = missing_rows(engine, schema.table("raw_swaps"), batch.run, "log", 0)
    assert np.flatnonzero(found).tolist() == [1, 2, 5]
    for other in (("log", 1), ("another log", 0)):
        assert missing_rows(engine, schema.table("raw_swaps"), batch.run, *other).all()
    none = batch.run.part(0, 0)
    assert len(missing_rows(engine, schema.table("raw_swaps"), none, "log", 0)) == 0


def test_a_difference_is_told_by_group_with_its_size(
    engine: Engine, schema: ArchiveSchema, open_archive: Open
) -> None:
    open_archive().insert(plain_batch(10))
    address = f"0x{1:040x}"
    engine.run(
        f"ALTER TABLE {schema.table('daily')} DELETE WHERE token_address = '{address}' "
        "SETTINGS mutations_sync = 1"
    )
    found = view_differences(engine, schema)
    assert found["hourly"] == []
    ((chain, token, _, log, partition, trades, *_),) = found["daily"]
    assert (chain, token, log, partition, trades) == ("1", address, "log", "0", "2")
    assert view_differences(engine, schema, partition=1) == {"hourly": [], "daily": []}


def test_a_repair_made_twice_repairs_once(
    engine: Engine, schema: ArchiveSchema, open_archive: Open
) -> None:
    batch = plain_batch(10)
    open_archive().insert(batch)
    for view in VIEWS:
        engine.run(f"TRUNCATE TABLE {schema.table(view[0])}")
        for _ in range(2):
            repair_view(engine, schema, view, "log", batch)
        assert view_totals(engine, schema.database, view[0])["trades"] == 10


def test_groups_whose_rows_may_be_deleted_are_left_alone(
    engine: Engine, schema: ArchiveSchema, open_archive: Open
) -> None:
    batch = plain_batch(10)
    open_archive().insert(batch)
    short = ArchiveSchema(schema.database, cold=False, delete_after_s=2 * DAY_S)
    engine.run(f"TRUNCATE TABLE {schema.table('raw_swaps')}")
    for view in VIEWS:
        repair_view(engine, short, view, "log", batch)
        assert view_totals(engine, schema.database, view[0])["trades"] == 10
    assert view_differences(engine, short)["hourly"] == []


def test_a_repair_leaves_what_another_log_is_inserting_alone(
    engine: Engine, schema: ArchiveSchema, open_archive: Open
) -> None:
    batch = plain_batch(10)
    open_archive().insert(batch)
    for view in VIEWS:
        engine.run(f"DROP VIEW {schema.table(f'{view[0]}_view')}")
    halfway = object.__new__(ClickHouseArchive)
    halfway._engine, halfway._schema, halfway._log_name = engine, schema, "another log"
    halfway.insert(batch)
    for view in VIEWS:
        repair_view(engine, schema, view, "log", batch)
        assert view_totals(engine, schema.database, view[0])["trades"] == 10
    ClickHouseArchive(engine, schema, "another log").insert(batch)
    assert view_differences(engine, schema) == {"hourly": [], "daily": []}
