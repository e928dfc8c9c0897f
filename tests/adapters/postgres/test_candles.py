"""Candles in Postgres: what the port's suite does not ask."""

import pytest
from tests.adapters.embedded.test_candles import candle

from swapstats.adapters.postgres import candles
from swapstats.adapters.postgres.candles import PostgresCandleStore
from swapstats.model.writer import Writer

WRITER = Writer("raw/0", 1)


def test_a_long_trim_goes_by_parts(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candles, "TRIM_ROWS_MAX", 7)
    store = PostgresCandleStore(dsn)
    store.put([candle(minute * 60_000) for minute in range(40)], WRITER)
    assert store.trim(35 * 60_000) == 35
    assert [kept.minute_ms // 60_000 for kept in store.scan("T", 0, 1 << 40)] == list(range(35, 40))
    store.close()
