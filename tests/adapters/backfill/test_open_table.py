"""The right reader for a source, and refusals that say what to give."""

from contextlib import closing
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from tests.adapters.backfill.tables import execute_sqlite

from swapstats.adapters.backfill.open_table import is_database, open_table
from swapstats.errors import Rejected, UsageError
from swapstats.ports.table import Table


def opened(source: str, table: str = "", query: str = "") -> Table:
    return open_table(source, table=table, query=query, order=None, delimiter=",", chunk_rows=10)


def test_by_first_bytes_and_url(tmp_path: Path) -> None:
    (tmp_path / "any.data").write_text("a,b\n")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.data")
    execute_sqlite(tmp_path / "t.db", "CREATE TABLE t (a)")
    for source, table, kind in (
        (str(tmp_path / "any.data"), "", "CsvTable"),
        (str(tmp_path / "other.data"), "", "ParquetTable"),
        (f"sqlite:///{tmp_path}/t.db", "t", "DatabaseTable"),
    ):
        with closing(opened(source, table)) as found:
            assert type(found).__name__ == kind


def test_refusals(tmp_path: Path) -> None:
    execute_sqlite(tmp_path / "t.db", "CREATE TABLE t (a)")
    (tmp_path / "t.csv").write_text("a\n")
    with pytest.raises(UsageError, match="sqlite:///"):
        opened(str(tmp_path / "t.db"))
    with pytest.raises(UsageError, match="another kind"):
        opened("mysql://x/y")
    with pytest.raises(UsageError, match="database only"):
        opened(str(tmp_path / "t.csv"), "t")
    with pytest.raises(UsageError, match="--table"):
        opened(f"sqlite:///{tmp_path}/t.db")
    with pytest.raises(Rejected, match="check table"):
        opened(f"sqlite:///{tmp_path}/t.db", "gone")
    with pytest.raises(Rejected, match="check the path"):
        opened(str(tmp_path / "none"))


def test_urls_of_databases() -> None:
    urls = ("sqlite:///t.db", "postgresql://x/y", "postgres://x/y")
    assert all(is_database(url) for url in urls)
    assert not is_database("t.csv")
