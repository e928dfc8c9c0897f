from collections.abc import Callable
from decimal import Decimal, localcontext

import pytest
from tests.adapters.clickhouse.batches import (
    AMOUNT,
    NOW_MS,
    USD,
    batch_of,
    count_of,
    message,
    plain_batch,
    view_totals,
)

from swapstats.adapters.clickhouse.archive import ClickHouseArchive
from swapstats.adapters.clickhouse.engine import NULL_TEXT, Engine
from swapstats.adapters.clickhouse.schema import ArchiveSchema
from swapstats.adapters.clickhouse.verify import view_differences
from swapstats.ports.archive import ArchiveBatch

Open = Callable[[], ClickHouseArchive]
VIEWS = ("hourly", "daily")
MONTH_MS = 31 * 86_400_000


def test_fields_come_back_as_they_were_written(
    engine: Engine, schema: ArchiveSchema, open_archive: Open
) -> None:
    full = message(
        0,
        event_id="ü'\\x",
        block_number=19,
        block_hash="0xb",
        inclusion=3,
        pool_address="0xp",
        trader="0xt",
        ingested_time="2026-11-21T00:00:00.5Z",
        removed=True,
    )
    open_archive().insert(batch_of([full, message(3)], signs={0: -1}, first=7))
    rows = engine.rows(
        "SELECT schema_version, event_id, chain_id, log_index, block_number, block_hash, inclusion,"
        " token_symbol, pool_address, venue, trader, side, amount_token, amount_usd,"
        " toUnixTimestamp64Milli(event_time), ingested_time, removed, sign, `partition`, `offset`"
        f" FROM {schema.table('raw_swaps')} ORDER BY `offset`"
    )
    assert rows[0] == [
        *("1", "ü'\\x", "1", "0", "19", "0xb", "3", "T0", "0xp", "uniswap-v3", "0xt", "sell"),
        *(AMOUNT, USD, str(NOW_MS), "2026-11-21 00:00:00.500", "true", "-1", "0", "7"),
    ]
    assert rows[1][1] == f"1:0x{3:064x}:3"
    assert rows[1][13] == NULL_TEXT


def test_sums_are_exact_where_one_message_fills_its_type(
    engine: Engine, schema: ArchiveSchema, open_archive: Open
) -> None:
    open_archive().insert(batch_of([message(at) for at in range(100)], signs={1: -1, 50: 0}))
    with localcontext(prec=80):
        for view in VIEWS:
            totals = view_totals(engine, schema.database, view)
            assert totals["trades"] == 99 - 2
            assert totals["vol_token"] == 97 * Decimal(AMOUNT)
            assert totals["unpriced"] == 10
            assert totals["vol_usd"] == 87 * Decimal(USD)
            assert totals["buy"] + totals["sell"] == totals["trades"]
            assert totals["buy_usd"] + totals["sell_usd"] == totals["vol_usd"]
    assert count_of(engine, schema.database, "raw_late") == 1
    assert count_of(engine, schema.database, "raw_swaps") == 99


def test_the_same_batch_again_changes_nothing(
    engine: Engine, schema: ArchiveSchema, open_archive: Open
) -> None:
    batches = [
        batch_of([message(at) for at in range(first, first + 10)], first=first, signs={2: 0})
        for first in (0, 10, 20)
    ]
    for batch in [*batches, *batches, batches[0]]:
        open_archive().insert(batch)
    assert count_of(engine, schema.database, "raw_swaps") == 27
    assert count_of(engine, schema.database, "raw_late") == 3
    for view in VIEWS:
        assert view_totals(engine, schema.database, view)["trades"] == 27


def test_equal_bounds_of_other_partitions_and_logs_are_other_batches(
    engine: Engine, schema: ArchiveSchema, open_archive: Open
) -> None:
    open_archive().insert(plain_batch(10))
    open_archive().insert(plain_batch(10, partition=1))
    ClickHouseArchive(engine, schema, "another log").insert(plain_batch(10))
    assert count_of(engine, schema.database, "raw_swaps") == 30


def test_a_view_that_missed_a_batch_gets_it_when_it_is_sent_again(
    engine: Engine, schema: ArchiveSchema, open_archive: Open
) -> None:
    archive = open_archive()
    engine.run(f"DROP VIEW {schema.table('hourly_view')}")
    archive.insert(plain_batch(10))
    assert view_totals(engine, schema.database, "hourly")["trades"] == 0
    archive = open_archive()
    archive.insert(plain_batch(10))
    assert count_of(engine, schema.database, "raw_swaps") == 10
    for view in VIEWS:
        assert view_totals(engine, schema.database, view)["trades"] == 10


def test_a_batch_of_fifty_months_goes_in_as_one(
    engine: Engine, schema: ArchiveSchema, open_archive: Open
) -> None:
    months = [message(at, NOW_MS - 4 * MONTH_MS // 31) for at in range(1)]
    late = [message(at, NOW_MS - at * MONTH_MS) for at in range(1, 50)]
    batch = batch_of(months + late, signs=dict.fromkeys(range(1, 50), 0))
    for _ in range(2):
        open_archive().insert(batch)
    assert count_of(engine, schema.database, "raw_late") == 49


def _forget_names(engine: Engine, schema: ArchiveSchema) -> None:
    """Make every table forget the names of its blocks."""
    for table in ("raw_swaps", "raw_late", "hourly", "daily"):
        for blocks in (0, 1_000):
            engine.run(
                f"ALTER TABLE {schema.table(table)} "
                f"MODIFY SETTING non_replicated_deduplication_window = {blocks}"
            )


def _expect_once(engine: Engine, schema: ArchiveSchema, rows: int) -> None:
    assert count_of(engine, schema.database, "raw_swaps") == rows
    assert view_differences(engine, schema) == {"hourly": [], "daily": []}
    for view in VIEWS:
        assert view_totals(engine, schema.database, view)["trades"] == rows


@pytest.fixture
def forgotten(engine: Engine, schema: ArchiveSchema, open_archive: Open) -> ArchiveBatch:
    """A batch between others, whose name the archive forgot."""
    archive = open_archive()
    for first in (0, 10, 20):
        archive.insert(plain_batch(10, first=first))
    _forget_names(engine, schema)
    return plain_batch(10, first=10)


def test_a_forgotten_batch_would_be_doubled_and_is_verified_instead(
    engine: Engine, schema: ArchiveSchema, open_archive: Open, forgotten: ArchiveBatch
) -> None:
    open_archive().verify(forgotten)
    _expect_once(engine, schema, 30)
    open_archive().insert(forgotten)
    assert count_of(engine, schema.database, "raw_swaps") == 40, "the name was remembered"


def test_rows_that_are_missing_are_put_back(
    engine: Engine, schema: ArchiveSchema, open_archive: Open, forgotten: ArchiveBatch
) -> None:
    engine.run(
        f"ALTER TABLE {schema.table('raw_swaps')} DELETE WHERE `offset` IN (12, 15) "
        "SETTINGS mutations_sync = 1"
    )
    for view in VIEWS:
        engine.run(f"TRUNCATE TABLE {schema.table(view)}")
    for first in (0, 10, 20):
        open_archive().verify(plain_batch(10, first=first))
    _expect_once(engine, schema, 30)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_that_missed_a_forgotten_batch_is_found_and_repaired(
    engine: Engine, schema: ArchiveSchema, open_archive: Open, forgotten: ArchiveBatch, view: str
) -> None:
    engine.run(f"DROP VIEW {schema.table(f'{view}_view')}")
    missed = plain_batch(10, first=30)
    ClickHouseArchive.insert(_without_views(engine, schema), missed)
    open_archive()
    assert view_differences(engine, schema)[view]
    open_archive().verify(missed)
    _expect_once(engine, schema, 40)


def _without_views(engine: Engine, schema: ArchiveSchema) -> ClickHouseArchive:
    """A writer that does not put the views back first."""
    archive = object.__new__(ClickHouseArchive)
    archive._engine, archive._schema, archive._log_name = engine, schema, "log"
    return archive


def test_a_batch_that_never_came_is_inserted_by_verify(
    engine: Engine, schema: ArchiveSchema, open_archive: Open
) -> None:
    batch = plain_batch(10)
    open_archive().verify(batch)
    open_archive().insert(batch)
    _expect_once(engine, schema, 10)
