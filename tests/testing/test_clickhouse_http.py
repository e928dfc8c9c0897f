from pathlib import Path

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from swapstats.testing.clickhouse_http import clickhouse_http

pytest.importorskip("chdb", reason="no chdb: pip install 'swapstats[archive]'")


def test_the_production_client_writes_reads_and_gets_errors(tmp_path: Path) -> None:
    server, dsn = clickhouse_http(tmp_path / "db", tmp_path / "log")
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
