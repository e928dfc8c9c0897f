"""The tables in Postgres, and how they came to be: each step is made once, in order.

What is made is noted in `swapstats.migrations`; several processes may start at once.
"""

from typing import Final

import psycopg

from swapstats.errors import StoreFormat

_LOCK: Final = 0x5357_4150
"""Advisory lock: one process makes steps at a time."""

STEPS: Final = (
    """CREATE TABLE swapstats.candles (
        token TEXT NOT NULL,
        minute TIMESTAMPTZ NOT NULL,
        open NUMERIC NOT NULL,
        high NUMERIC NOT NULL,
        low NUMERIC NOT NULL,
        close NUMERIC NOT NULL,
        volume_usd NUMERIC NOT NULL,
        volume_token NUMERIC NOT NULL,
        trades BIGINT NOT NULL,
        PRIMARY KEY (token, minute))""",
    "CREATE INDEX candles_by_minute ON swapstats.candles (minute)",
    "CREATE TABLE swapstats.candle_writers (name TEXT PRIMARY KEY, epoch BIGINT NOT NULL)",
)
"""Statements in the order they were added; never changed, only added to."""


def migrate(connection: psycopg.Connection) -> None:
    """Bring the tables up to this version.

    Raises:
        StoreFormat: a newer version made them.
        psycopg.Error: Postgres refuses it.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        connection.execute("CREATE SCHEMA IF NOT EXISTS swapstats")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS swapstats.migrations ("
            "step INTEGER PRIMARY KEY, made TIMESTAMPTZ NOT NULL DEFAULT now())"
        )
        row = connection.execute("SELECT count(*) FROM swapstats.migrations").fetchone()
        made = int(row[0]) if row else 0
        if made > len(STEPS):
            raise StoreFormat(
                f"Expected at most {len(STEPS)} steps of the tables in Postgres, was {made}: run "
                f"the newer version of swapstats that made them"
            )
        for number, statement in enumerate(STEPS[made:], made + 1):
            connection.execute(statement)
            connection.execute("INSERT INTO swapstats.migrations (step) VALUES (%s)", (number,))
