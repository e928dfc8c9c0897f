from pathlib import Path

import pytest

from swapstats.adapters.clickhouse.schema import ArchiveSchema, dedup_blocks, script, statements
from swapstats.errors import SettingsError

DEPLOY = Path(__file__).parents[3] / "deploy" / "clickhouse"


def test_the_script_beside_the_server_is_up_to_date() -> None:
    assert (DEPLOY / "schema.sql").read_text(encoding="utf-8") == script(ArchiveSchema())


def test_ages_and_the_memory_for_names_are_parameters() -> None:
    schema = ArchiveSchema(cold_after_s=90, delete_after_s=86_400 * 7, dedup_blocks=5, fsync=True)
    raw = next(text for text in statements(schema) if "raw_swaps` (" in text)
    assert "INTERVAL 90 SECOND TO VOLUME 'cold'" in raw
    assert "INTERVAL 7 DAY DELETE" in raw
    assert "non_replicated_deduplication_window = 5" in raw
    assert "fsync_after_insert = 1" in raw


def test_without_object_storage_nothing_is_moved() -> None:
    assert not any("hot_to_s3" in text for text in statements(ArchiveSchema(cold=False)))


def test_every_table_that_takes_rows_remembers_names() -> None:
    tables = [text for text in statements(ArchiveSchema()) if "ENGINE" in text]
    assert len(tables) == 4
    assert all("non_replicated_deduplication_window" in text for text in tables)


def test_twice_the_rate_times_the_pause_is_remembered() -> None:
    assert dedup_blocks(20, 600, instances=2) == 48_000


def test_a_database_name_cannot_carry_sql() -> None:
    with pytest.raises(SettingsError, match="letters, digits"):
        ArchiveSchema(database="a`; DROP")


def test_rows_turn_cold_before_they_are_deleted() -> None:
    with pytest.raises(SettingsError, match="later than they turn cold"):
        ArchiveSchema(cold_after_s=100, delete_after_s=100)
