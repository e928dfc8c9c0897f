"""Minute candles in Postgres: whole rows, put in place of what was there."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import psycopg

from swapstats.adapters.postgres.connection import PostgresLine
from swapstats.adapters.postgres.migrations import migrate
from swapstats.errors import Fenced
from swapstats.model.preprocessed import Candle
from swapstats.model.writer import Writer

TRIM_ROWS_MAX: Final = 20_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_PUT: Final = """INSERT INTO swapstats.candles
    VALUES (%s, %s, %s::numeric, %s::numeric, %s::numeric, %s::numeric, %s::numeric, %s::numeric,
        %s)
    ON CONFLICT (token, minute) DO UPDATE SET open = excluded.open, high = excluded.high,
        low = excluded.low, close = excluded.close, volume_usd = excluded.volume_usd,
        volume_token = excluded.volume_token, trades = excluded.trades"""
# The row stays locked until the transaction ends: what two writers put never mixes.
_CLAIM: Final = """INSERT INTO swapstats.candle_writers AS known VALUES (%s, %s)
    ON CONFLICT (name) DO UPDATE SET epoch = greatest(known.epoch, excluded.epoch)
    RETURNING epoch"""
_SCAN: Final = """SELECT token, minute, open, high, low, close, volume_usd, volume_token, trades
    FROM swapstats.candles WHERE token = %s AND minute >= %s AND minute < %s ORDER BY minute"""
_TRIM: Final = """DELETE FROM swapstats.candles WHERE ctid IN (
    SELECT ctid FROM swapstats.candles WHERE minute < %s LIMIT %s)"""


class PostgresCandleStore:
    """Candles in a database; from any thread. Tables are made with the first use.

    Args:
        dsn: where the database is; holds the password, so it is never shown.
    """

    def __init__(self, dsn: str) -> None:
        self._line = PostgresLine(dsn, migrate)

    def put(self, candles: Sequence[Candle], writer: Writer) -> None:
        """Put whole candles in place of what was there; see `CandleStore.put`."""
        # In one order everywhere: two processes at once must not wait for each other's rows.
        ordered = sorted(candles, key=lambda candle: (candle.token, candle.minute_ms))
        kept = [_row(candle) for candle in ordered if candle.trades]
        gone = [_row(candle)[:2] for candle in ordered if not candle.trades]

        def work(connection: psycopg.Connection) -> None:
            with connection.cursor() as cursor:
                claimed = cursor.execute(_CLAIM, (writer.name, writer.epoch)).fetchone()
                if claimed is not None and claimed[0] > writer.epoch:
                    raise Fenced(writer.refused(claimed[0], "swapstats.candle_writers"))
                if kept:
                    cursor.executemany(_PUT, kept)
                if gone:
                    cursor.executemany(
                        "DELETE FROM swapstats.candles WHERE token = %s AND minute = %s", gone
                    )

        self._line.run(work)

    def scan(self, token: str, from_ms: int, to_ms: int) -> list[Candle]:
        """Candles of a token whose minutes begin in [from_ms, to_ms), oldest first."""
        asked = (token, _moment(from_ms), _moment(to_ms))
        rows = self._line.run(lambda connection: connection.execute(_SCAN, asked).fetchall())
        return [
            Candle(
                token=row[0],
                minute_ms=(row[1] - _EPOCH) // timedelta(milliseconds=1),
                open=_text(row[2]),
                high=_text(row[3]),
                low=_text(row[4]),
                close=_text(row[5]),
                volume_usd=_text(row[6]),
                volume_token=_text(row[7]),
                trades=row[8],
            )
            for row in rows
        ]

    def trim(self, before_ms: int) -> int:
        """Drop candles whose minutes begin earlier, a bounded number a transaction."""
        dropped, count = 0, TRIM_ROWS_MAX
        asked = (_moment(before_ms), TRIM_ROWS_MAX)
        while count == TRIM_ROWS_MAX:
            count = self._line.run(lambda connection: connection.execute(_TRIM, asked).rowcount)
            dropped += count
        return dropped

    def close(self) -> None:
        """Release connections."""
        self._line.close()


def _row(candle: Candle) -> tuple[object, ...]:
    return (
        candle.token,
        _moment(candle.minute_ms),
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        candle.volume_usd,
        candle.volume_token,
        candle.trades,
    )


def _moment(at_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at_ms)


def _text(number: Decimal) -> str:
    """A number as it was written: plain digits."""
    return format(number, "f")
