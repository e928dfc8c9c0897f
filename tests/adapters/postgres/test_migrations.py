"""Tables are made once, by whoever comes first, and never by an older version."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from swapstats.adapters.postgres.migrations import STEPS, migrate
from swapstats.errors import StoreFormat


def steps_made(dsn: str) -> int:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute("SELECT count(*) FROM swapstats.migrations").fetchone()
    assert row is not None
    return int(row[0])


def made(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        migrate(connection)


def test_several_at_once_make_each_step_once(dsn: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(made, [dsn] * 4))
    assert steps_made(dsn) == len(STEPS)
    made(dsn)
    assert steps_made(dsn) == len(STEPS)


def test_tables_of_a_newer_version_are_left_alone(dsn: str) -> None:
    made(dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("INSERT INTO swapstats.migrations (step) VALUES (99)")
    with pytest.raises(StoreFormat, match="newer version"):
        made(dsn)
