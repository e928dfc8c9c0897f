"""Postgres for real: one snapshot, types, a server that goes away, URLs that hold passwords."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.backfill.tables import (
    execute_postgres,
    numbered,
    read,
)
from tests.conformance.preprocess_stores import running_postgres

from swapstats.adapters.backfill.database_table import DatabaseTable, Relation, TimeOrder
from swapstats.adapters.backfill.postgres_database import PostgresDatabase
from swapstats.errors import Rejected, Transient, UsageError

MOMENT = datetime(2024, 1, 5, 0, 0, 11, 5_000, tzinfo=UTC)
MOMENT_MS = 1_704_412_811_005


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    yield from running_postgres()


def rows(url: str, sql: str) -> list[Any]:
    with closing(PostgresDatabase(url)) as database:
        return [row for found in database.stream(sql, [], 100) for row in found]


def test_values_come_exactly(url: str) -> None:
    told = (
        "'1.000000000000000001'::numeric(38,18), '\\xab01'::bytea, 7::bigint, true, "
        "'2024-01-05 01:00:11.005+01'::timestamptz, 'x'::varchar, null::text"
    )
    [found] = rows(url, f"SELECT {told}")
    amount, data, *rest = found
    assert (str(amount), bytes(data)) == ("1.000000000000000001", b"\xab\x01")
    assert isinstance(amount, Decimal)
    assert rest == [7, True, MOMENT, "x", None]


@pytest.mark.parametrize(("kind", "is_utc"), [("timestamptz", False), ("timestamp", True)])
def test_bounds_and_places_are_moments(url: str, kind: str, is_utc: bool) -> None:
    execute_postgres(
        url,
        "DROP TABLE IF EXISTS moments",
        f"CREATE TABLE moments (at {kind})",
        "SET timezone = 'UTC'",
        "INSERT INTO moments SELECT timestamptz '2024-01-05 00:00:11.005+00' AT TIME ZONE 'UTC' "
        "+ n * interval '1 second' FROM generate_series(-2, 2) AS n",
    )
    order = TimeOrder("at", 3, is_utc, MOMENT_MS)
    zone = None if is_utc else UTC
    expected = [(MOMENT + timedelta(seconds=n)).replace(tzinfo=zone) for n in range(3)]
    with closing(PostgresDatabase(url)) as database:
        table = DatabaseTable(database, Relation.of("moments", ""), order, 2)
        bound, first, *rest = table.chunks(["at"], "")
        found = [row[0] for _, row in numbered([first, *rest])]
        assert bound.passed_over == 2
        assert [at.replace(tzinfo=zone) for at in found] == expected
        assert numbered(read(table, ["at"], first.place))[0] == (2, first.rows[-1])


def test_a_moment_without_a_zone_gives_no_bound(url: str) -> None:
    execute_postgres(url, "DROP TABLE IF EXISTS moments", "CREATE TABLE moments (at timestamp)")
    execute_postgres(url, "INSERT INTO moments VALUES ('2024-01-05 00:00:11')")
    order = TimeOrder("at", 3, is_utc=False, since_ms=MOMENT_MS * 2)
    with closing(PostgresDatabase(url)) as database:
        table = DatabaseTable(database, Relation.of("moments", ""), order, 2)
        assert len(numbered(read(table, ["at"]))) == 1


def test_one_snapshot_is_read(url: str) -> None:
    execute_postgres(url, "DROP TABLE IF EXISTS t", "CREATE TABLE t AS SELECT 1 AS n")
    with closing(PostgresDatabase(url)) as database:
        assert database.columns("SELECT * FROM t LIMIT 0") == ("n",)
        execute_postgres(url, "INSERT INTO t VALUES (2)")
        assert list(database.stream("SELECT n FROM t", [], 10)) == [[(1,)]]


def test_nothing_can_be_written(url: str) -> None:
    execute_postgres(url, "DROP TABLE IF EXISTS t", "CREATE TABLE t (n int)")
    with pytest.raises(Rejected, match="read-only"):
        rows(url, "SELECT n FROM t FOR UPDATE")


def test_a_server_that_goes_away_is_worth_another_try(url: str) -> None:
    with closing(PostgresDatabase(url)) as database:
        found = database.stream("SELECT generate_series(1, 100000)", [], 1)
        assert next(found) == [(1,)]
        execute_postgres(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'swapstats backfill'",
        )
        with pytest.raises(Transient, match="start again"):
            list(found)


def test_no_server(tmp_path: Path) -> None:
    with pytest.raises(Transient, match="start again"):
        PostgresDatabase(f"postgresql://nobody:secret@/postgres?host={tmp_path}")


def test_a_password_is_never_shown(url: str) -> None:
    with pytest.raises(UsageError) as wrong:
        PostgresDatabase("postgresql://nobody:hush%@/x")
    assert "hush" not in str(wrong.value)
    with closing(PostgresDatabase(url.replace("postgres:@", "postgres:hush@"))) as database:
        assert "hush" not in database.identity
