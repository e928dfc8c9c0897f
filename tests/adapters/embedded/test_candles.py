"""Candles in a file: what the port's suite does not ask."""

from pathlib import Path

import pytest

from swapstats.adapters.embedded import candles
from swapstats.adapters.embedded.candles import EmbeddedCandleStore
from swapstats.adapters.embedded.states import EmbeddedStateStore
from swapstats.errors import StoreCorrupt
from swapstats.model.preprocessed import Candle
from swapstats.model.writer import Writer

WRITER = Writer("raw/0", 1)


def candle(minute_ms: int) -> Candle:
    return Candle(
        token="T",
        minute_ms=minute_ms,
        open="1",
        high="1",
        low="1",
        close="1",
        volume_usd="1",
        volume_token="1",
        trades=1,
    )


def test_a_long_trim_goes_by_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candles, "TRIM_ROWS_MAX", 7)
    store = EmbeddedCandleStore(tmp_path / "candles.db")
    store.put([candle(minute) for minute in range(40)], WRITER)
    assert store.trim(35) == 35
    assert [kept.minute_ms for kept in store.scan("T", 0, 100)] == list(range(35, 40))
    store.close()


def test_another_store_is_refused(tmp_path: Path) -> None:
    EmbeddedStateStore(tmp_path / "candles.db").close()
    with pytest.raises(StoreCorrupt, match="candle store"):
        EmbeddedCandleStore(tmp_path / "candles.db")
