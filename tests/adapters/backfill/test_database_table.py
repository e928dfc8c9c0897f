"""Tables of databases, on a real SQLite and a real Postgres: order, places, bounds, queries."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.backfill.tables import (
    execute_postgres,
    execute_sqlite,
    numbered,
    read,
)
from tests.conformance.preprocess_stores import running_postgres

from swapstats.adapters.backfill.database_table import (
    Database,
    DatabaseTable,
    Relation,
    TimeOrder,
    quoted,
)
from swapstats.adapters.backfill.postgres_database import PostgresDatabase
from swapstats.adapters.backfill.sqlite_database import SqliteDatabase
from swapstats.errors import Rejected, UsageError

TIMES = (50, 10, 30, None, 30, 30, 20, 40, None, 10)
ORDERED = sorted(at for at in TIMES if at is not None)


@dataclass
class Server:
    """One kind of database."""

    execute: Callable[..., None]
    connect: Callable[[], Database]
    is_sqlite: bool


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    yield from running_postgres()


@pytest.fixture(params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    if request.param == "sqlite":
        path = tmp_path / "t.db"
        yield Server(
            lambda *sql: execute_sqlite(path, *sql),
            lambda: SqliteDatabase(f"sqlite:///{path}"),
            True,
        )
        return
    url = request.getfixturevalue("postgres")
    execute_postgres(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    yield Server(lambda *sql: execute_postgres(url, *sql), lambda: PostgresDatabase(url), False)


Open = Callable[..., DatabaseTable]


@pytest.fixture
def opened(server: Server) -> Iterator[Open]:
    """Open a table or query; closed after the test."""
    with ExitStack() as stack:

        def make(
            table: str = "swaps", query: str = "", order: TimeOrder | None = None, rows: int = 2
        ) -> DatabaseTable:
            database = server.connect()
            stack.callback(database.close)
            return DatabaseTable(database, Relation.of(table, query), order, rows)

        yield make


@pytest.fixture
def swaps(server: Server) -> Server:
    """A table with equal times and rows without."""
    server.execute(
        "CREATE TABLE swaps (n integer, at bigint)",
        *(
            f"INSERT INTO swaps VALUES ({n}, {'NULL' if at is None else at})"
            for n, at in enumerate(TIMES)
        ),
    )
    return server


def by_time(since_ms: int | None = None, digits: int | None = 3) -> TimeOrder:
    return TimeOrder("at", digits, is_utc=False, since_ms=since_ms)


def times(chunks: list[Any]) -> list[Any]:
    return [row[0] for _, row in numbered(chunks)]


def test_rows_come_in_the_order_of_time_those_without_last(swaps: Server, opened: Open) -> None:
    table = opened(order=by_time())
    assert table.columns == ("n", "at")
    chunks = read(table, ["at", "n"])
    assert times(chunks) == [*ORDERED, None, None]
    assert [number for number, _ in numbered(chunks)] == list(range(1, 11))
    assert {row[1] for _, row in numbered(chunks)} == set(range(10))
    assert max(len(chunk.rows) for chunk in chunks) == 2
    assert table.progress().done == table.progress().total == 10


def test_goes_on_at_the_last_time(swaps: Server, opened: Open) -> None:
    table = opened(order=by_time())
    whole = numbered(read(table, ["at", "n"]))
    for chunk in read(opened(order=by_time()), ["at", "n"]):
        last = numbered([chunk])[-1][1][0]
        begin = next(number for number, row in whole if row[0] == last)
        rest = numbered(read(table, ["at", "n"], chunk.place))
        # Rows of one time may come in another order.
        assert [number for number, _ in rest] == list(range(begin, 11))
        assert {row for _, row in rest} == {row for number, row in whole if number >= begin}


def test_rows_that_come_and_go_meanwhile_lose_no_others(swaps: Server, opened: Open) -> None:
    first, *_ = read(opened(order=by_time(), rows=4), ["at", "n"])  # 10, 10, 20, 30
    swaps.execute("DELETE FROM swaps WHERE at = 10", "INSERT INTO swaps VALUES (77, 35)")
    rest = read(opened(order=by_time()), ["at", "n"], first.place)
    assert times(rest) == [30, 30, 30, 35, 40, 50, None, None]


def test_rows_before_a_bound_are_counted_not_read(swaps: Server, opened: Open) -> None:
    first, *rest = opened(order=by_time(30)).chunks(["at"], "")
    assert (first.rows, first.passed_over) == ([], 3)
    assert times(rest) == [30, 30, 30, 40, 50, None, None]


@pytest.mark.parametrize(("digits", "since_ms"), [(0, 30_000), (0, 30_999), (6, None), (None, 30)])
def test_a_bound_in_the_unit_of_the_column(
    swaps: Server, opened: Open, digits: int | None, since_ms: int | None
) -> None:
    first, *rest = opened(order=by_time(since_ms, digits)).chunks(["at"], "")
    assert first.passed_over == (3 if digits == 0 else 0)
    assert len(times(rest)) == (7 if digits == 0 else 10)


def test_without_an_order_there_is_no_place(swaps: Server, opened: Open) -> None:
    for order in (None, TimeOrder("gone", 3, is_utc=False, since_ms=5)):
        chunks = read(opened(order=order), ["n"])
        assert sorted(times(chunks)) == list(range(10))
        assert {chunk.place for chunk in chunks} == {""}


def test_an_empty_table(server: Server, opened: Open) -> None:
    server.execute("CREATE TABLE swaps (at bigint)")
    assert read(opened(order=by_time(5)), ["at"]) == []


def test_a_query(swaps: Server, opened: Open) -> None:
    query = "SELECT n * 2 AS twice, at FROM swaps WHERE at % 20 = 10 -- odd;\n ;"
    table = opened("", query, by_time(20))
    assert table.columns == ("twice", "at")
    first, *rest = table.chunks(["at", "twice"], "")
    assert first.passed_over == 2
    assert sorted(row for _, row in numbered(rest)) == [(30, 4), (30, 8), (30, 10), (50, 0)]


def test_names_are_names(server: Server, opened: Open) -> None:
    odd = 'a "b" %s; --'
    server.execute(f"CREATE TABLE {quoted(odd)} ({quoted(odd)} bigint)")
    server.execute(f"INSERT INTO {quoted(odd)} VALUES (7)")
    order = TimeOrder(odd, 3, is_utc=False, since_ms=5)
    assert numbered(read(opened(odd, order=order), [odd])) == [(1, (7,))]


def test_two_columns_of_one_name(swaps: Server, opened: Open) -> None:
    query = "SELECT n AS twice, at AS twice FROM swaps"
    if swaps.is_sqlite:  # which gives the second one another name
        assert len(set(opened("", query).columns)) == 2
        return
    with pytest.raises((UsageError, Rejected), match=r"twice|once"):
        opened("", query)


@pytest.mark.parametrize(
    ("table", "query"), [("gone", ""), ("", "SELEC 1"), ("", "DROP TABLE swaps")]
)
def test_what_the_database_refuses(swaps: Server, opened: Open, table: str, query: str) -> None:
    with pytest.raises(Rejected, match="check table"):
        opened(table, query)
    assert len(read(opened(), ["n"])) == 5


@pytest.mark.parametrize(("table", "query"), [("", ""), ("t", "SELECT 1"), ("", " ; ")])
def test_a_table_or_a_query(table: str, query: str) -> None:
    with pytest.raises(UsageError, match="--table NAME or --query"):
        Relation.of(table, query)


def test_a_place_that_is_none(swaps: Server, opened: Open) -> None:
    with pytest.raises(Rejected, match="--again"):
        read(opened(order=by_time()), ["at"], "7")
