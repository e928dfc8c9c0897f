"""Minute candles in one SQLite file: whole rows, put in place of what was there."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from swapstats.adapters.embedded.database import (
    Durability,
    StoreKind,
    open_writer,
    reclaim,
    translated,
    write_transaction,
)
from swapstats.errors import Fenced
from swapstats.model.preprocessed import Candle
from swapstats.model.writer import Writer

TRIM_ROWS_MAX: Final = 20_000
"""Candles dropped in one transaction, so that a put waits no longer for it."""

CANDLE_KIND: Final = StoreKind(
    name="candle store",
    application_id=0x53574344,
    version=1,
    schema=(
        """CREATE TABLE candles (
            token TEXT NOT NULL,
            minute_ms INTEGER NOT NULL,
            open TEXT NOT NULL,
            high TEXT NOT NULL,
            low TEXT NOT NULL,
            close TEXT NOT NULL,
            volume_usd TEXT NOT NULL,
            volume_token TEXT NOT NULL,
            trades INTEGER NOT NULL,
            PRIMARY KEY (token, minute_ms)) WITHOUT ROWID""",
        "CREATE INDEX candles_by_minute ON candles (minute_ms)",
    ),
)
# Of its own, for files that were made before there were writers.
_WRITERS: Final = (
    "CREATE TABLE IF NOT EXISTS writers (name TEXT PRIMARY KEY, epoch INTEGER NOT NULL) "
    "WITHOUT ROWID"
)
_COLUMNS = "token, minute_ms, open, high, low, close, volume_usd, volume_token, trades"


class EmbeddedCandleStore:
    """Candles in a file; from any thread.

    Args:
        path: the store's file; created if there is none.
        durability: `process` or `full`.

    Raises:
        StoreFull: no space to create the file.
        StoreCorrupt: not a candle store, or damaged.
        StoreFormat: written by a newer version.
    """

    def __init__(self, path: Path, *, durability: Durability = "process") -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection = open_writer(path, CANDLE_KIND, durability)
        with write_transaction(self._connection, path, CANDLE_KIND) as connection:
            connection.execute(_WRITERS)

    def put(self, candles: Sequence[Candle], writer: Writer) -> None:
        """Put whole candles in place of what was there; see `CandleStore.put`."""
        gone = [(candle.token, candle.minute_ms) for candle in candles if not candle.trades]
        kept = [
            (
                candle.token,
                candle.minute_ms,
                candle.open,
                candle.high,
                candle.low,
                candle.close,
                candle.volume_usd,
                candle.volume_token,
                candle.trades,
            )
            for candle in candles
            if candle.trades
        ]
        with self._lock, write_transaction(self._connection, self._path, CANDLE_KIND) as connection:
            (newest,) = connection.execute(
                "INSERT INTO writers VALUES (?, ?) ON CONFLICT (name) "
                "DO UPDATE SET epoch = max(epoch, excluded.epoch) RETURNING epoch",
                (writer.name, writer.epoch),
            ).fetchone()
            if newest > writer.epoch:
                raise Fenced(writer.refused(newest, f"the writers of {self._path}"))
            connection.executemany(
                "INSERT OR REPLACE INTO candles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", kept
            )
            connection.executemany("DELETE FROM candles WHERE token = ? AND minute_ms = ?", gone)

    def scan(self, token: str, from_ms: int, to_ms: int) -> list[Candle]:
        """Candles of a token whose minutes begin in [from_ms, to_ms), oldest first."""
        with self._lock, translated(self._path, CANDLE_KIND):
            rows = self._connection.execute(
                f"SELECT {_COLUMNS} FROM candles "  # noqa: S608 - constants only
                "WHERE token = ? AND minute_ms >= ? AND minute_ms < ? ORDER BY minute_ms",
                (token, from_ms, to_ms),
            ).fetchall()
        return [candle_of(row) for row in rows]

    def trim(self, before_ms: int) -> int:
        """Drop candles whose minutes begin earlier, a bounded number a transaction."""
        dropped = 0
        while True:
            with (
                self._lock,
                write_transaction(self._connection, self._path, CANDLE_KIND) as connection,
            ):
                count = connection.execute(
                    "DELETE FROM candles WHERE (token, minute_ms) IN (SELECT token, minute_ms "
                    "FROM candles WHERE minute_ms < ? LIMIT ?)",
                    (before_ms, TRIM_ROWS_MAX),
                ).rowcount
            dropped += count
            if count < TRIM_ROWS_MAX:
                break
        with self._lock:
            reclaim(self._connection)
        return dropped

    def close(self) -> None:
        """Release files and connections."""
        with self._lock:
            self._connection.close()


def candle_of(row: Sequence[object]) -> Candle:
    """Make a candle of a row in the order of its columns."""
    token, minute_ms, opened, high, low, close, volume_usd, volume_token, trades = row
    return Candle(
        token=str(token),
        minute_ms=int(str(minute_ms)),
        open=str(opened),
        high=str(high),
        low=str(low),
        close=str(close),
        volume_usd=str(volume_usd),
        volume_token=str(volume_token),
        trades=int(str(trades)),
    )
