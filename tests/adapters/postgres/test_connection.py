"""A connection that breaks is made again; errors are told without secrets."""

import psycopg
import pytest

from swapstats.adapters.postgres.connection import PostgresLine
from swapstats.errors import SettingsError, StoreError, Transient
from swapstats.stack.process import free_port


def one(line: PostgresLine) -> object:
    return line.run(lambda connection: connection.execute("SELECT 1").fetchone())


def test_a_broken_connection_is_told_once_and_made_again(dsn: str) -> None:
    prepared: list[psycopg.Connection] = []
    line = PostgresLine(dsn, prepared.append)
    assert one(line) == (1,)
    with psycopg.connect(dsn, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'swapstats' AND datname = current_database()"
        )
    with pytest.raises(Transient, match="trying again goes on"):
        one(line)
    assert one(line) == (1,)
    assert len(prepared) == 2
    line.close()


def test_a_server_that_is_away_is_told_without_its_password() -> None:
    line = PostgresLine(f"postgresql://me:hidden-word@127.0.0.1:{free_port()}/none", lambda _: None)
    with pytest.raises(Transient) as caught:
        one(line)
    assert "hidden-word" not in str(caught.value)


def test_a_database_that_is_not_there_is_a_wrong_setting(dsn: str) -> None:
    line = PostgresLine(dsn.replace("?", "-not-there?"), lambda _: None)
    with pytest.raises((SettingsError, Transient), match="does not exist"):
        one(line)


def test_what_it_refuses_changes_nothing(dsn: str) -> None:
    line = PostgresLine(dsn, lambda _: None)
    line.run(lambda connection: connection.execute("CREATE TABLE kept (n int UNIQUE)"))

    def twice(connection: "psycopg.Connection") -> None:
        connection.execute("INSERT INTO kept VALUES (1)")
        connection.execute("INSERT INTO kept VALUES (1)")

    with pytest.raises(StoreError, match="duplicate key"):
        line.run(twice)
    assert line.run(lambda c: c.execute("SELECT count(*) FROM kept").fetchone()) == (0,)
    line.close()
