"""SQLite beside its writer, and files that are none."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.adapters.backfill.tables import execute_sqlite, read

from swapstats.adapters.backfill.database_table import DatabaseTable, Relation
from swapstats.adapters.backfill.sqlite_database import SqliteDatabase
from swapstats.errors import Rejected


def test_its_owner_may_write_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    execute_sqlite(
        path, "PRAGMA journal_mode=WAL", "CREATE TABLE t (n)", "INSERT INTO t VALUES (1), (2)"
    )
    with closing(SqliteDatabase(f"sqlite:///{path}")) as database:
        found = database.stream("SELECT n FROM t", [], 1)
        assert next(found) == [(1,)]
        execute_sqlite(path, "INSERT INTO t VALUES (3)")
        assert list(found) == [[(2,)]]


def test_nothing_can_be_written(tmp_path: Path) -> None:
    execute_sqlite(tmp_path / "t.db", "CREATE TABLE t (n)")
    with (
        closing(SqliteDatabase(f"sqlite:///{tmp_path}/t.db")) as database,
        pytest.raises(Rejected, match="readonly"),
    ):
        list(database.stream("INSERT INTO t VALUES (1) RETURNING n", [], 1))


def test_a_text_that_is_no_utf8_is_kept(tmp_path: Path) -> None:
    execute_sqlite(tmp_path / "t.db", "CREATE TABLE t AS SELECT CAST(x'ff41' AS TEXT) AS a")
    with closing(SqliteDatabase(f"sqlite:///{tmp_path}/t.db")) as database:
        table = DatabaseTable(database, Relation.of("t", ""), None, 10)
        assert read(table, ["a"])[0].rows == [("\udcffA",)]


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="found none"):
        SqliteDatabase(f"sqlite:///{tmp_path}/none.db")
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "text.db").write_text("no database" * 100)
    with (
        closing(SqliteDatabase(f"sqlite:///{tmp_path}/text.db")) as database,
        pytest.raises(Rejected, match="not a database"),
    ):
        database.columns("SELECT 1 AS a FROM sqlite_master")


def test_a_locked_file_is_worth_another_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from swapstats.adapters.backfill import sqlite_database
    from swapstats.errors import Transient

    monkeypatch.setattr(sqlite_database, "BUSY_MS", 10)
    path = tmp_path / "t.db"
    execute_sqlite(path, "CREATE TABLE t (n)")
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as owner,
        closing(SqliteDatabase(f"sqlite:///{path}")) as database,
    ):
        owner.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Transient, match="again"):
            list(database.stream("SELECT n FROM t", [], 1))
