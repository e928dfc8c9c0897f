from pathlib import Path

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from tests.adapters.clickhouse.batches import count_of, plain_batch

from swapstats.adapters.clickhouse.archive import ClickHouseArchive
from swapstats.adapters.clickhouse.schema import ArchiveSchema
from swapstats.adapters.clickhouse.server import ServerEngine
from swapstats.adapters.clickhouse.status import archive_status
from swapstats.adapters.clickhouse.storage import ColdStorage
from swapstats.adapters.clickhouse.tables import has_cold_volume
from swapstats.adapters.clickhouse.verify import view_differences
from swapstats.errors import UsageError
from swapstats.stack import clickhouse as stack_clickhouse
from swapstats.stack.clickhouse import clickhouse
from swapstats.stack.versitygw import versitygw

pytest.importorskip("chdb", reason="no chdb: pip install 'swapstats[archive]'")


def test_the_production_client_writes_reads_and_gets_errors(tmp_path: Path) -> None:
    server, dsn = clickhouse(tmp_path)
    server.start()
    try:
        client = clickhouse_connect.get_client(dsn=dsn, autogenerate_session_id=False)
        client.command("CREATE TABLE t (a UInt8, b String) ENGINE = MergeTree ORDER BY a")
        client.insert("t", [[1, "x"], [2, "ü"]], column_names=["a", "b"])
        found = client.query("SELECT a, b FROM t WHERE a > 1")
        assert found.result_rows == [(2, "ü")]
        with pytest.raises(DatabaseError, match="no_such_table"):
            client.query("SELECT * FROM no_such_table")
        client.close()
    finally:
        server.stop()


def test_it_goes_on_after_a_kill_where_it_was(tmp_path: Path) -> None:
    server, dsn = clickhouse(tmp_path)
    server.start()
    try:
        engine = ServerEngine(dsn)
        archive = ClickHouseArchive(engine, ArchiveSchema(cold=False), "log")
        archive.insert(plain_batch(10))
        for _ in range(2):
            server.kill()
            server.start()
            archive.insert(plain_batch(10))
            assert count_of(engine, "swapstats", "raw_swaps") == 10
        assert view_differences(engine, ArchiveSchema(cold=False)) == {"hourly": [], "daily": []}
        engine.close()
    finally:
        server.stop()
    again, dsn = clickhouse(tmp_path)
    again.start()
    try:
        engine = ServerEngine(dsn)
        assert count_of(engine, "swapstats", "raw_swaps") == 10
        engine.close()
    finally:
        again.stop()


def test_old_parts_go_to_the_s3_server(tmp_path: Path) -> None:
    try:
        s3, access = versitygw(tmp_path / "s3")
    except UsageError as error:
        pytest.skip(str(error))
    cold = ColdStorage(f"{access.endpoint}/{access.bucket}/archive/", access.key_id, access.secret)
    server, dsn = clickhouse(tmp_path / "clickhouse", cold=cold)
    s3.start()
    server.start()
    try:
        engine = ServerEngine(dsn)
        assert has_cold_volume(engine)
        schema = ArchiveSchema()
        ClickHouseArchive(engine, schema, "log").insert(plain_batch(10))
        (month,) = engine.rows(f"SELECT toYYYYMM(max(event_time)) FROM {schema.table('raw_swaps')}")
        engine.run(
            f"ALTER TABLE {schema.table('raw_swaps')} MOVE PARTITION {month[0]} TO VOLUME 'cold'"
        )
        status = archive_status(engine, schema)
        assert {part.disk for part in status.disks if part.table == "raw_swaps"} == {"s3_cold"}
        assert count_of(engine, "swapstats", "raw_swaps") == 10
        assert any((tmp_path / "s3" / "objects" / access.bucket / "archive").rglob("*"))
        engine.close()
    finally:
        server.stop()
        s3.stop()
    assert access.secret not in (tmp_path / "clickhouse" / "config.xml").read_text()


def test_without_chdb_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack_clickhouse, "is_installed", lambda: False)
    with pytest.raises(UsageError, match=r"pip install 'swapstats\[archive\]'"):
        clickhouse(tmp_path)
