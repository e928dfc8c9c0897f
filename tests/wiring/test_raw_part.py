"""Raw events within one process: from a source to the API, over restarts, with what is kept."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.wiring.test_service import Given, Life, start  # noqa: F401 - a fixture

from swapstats.adapters.embedded.candles import EmbeddedCandleStore
from swapstats.adapters.embedded.dead_letters import EmbeddedDeadLetterReader
from swapstats.adapters.memory.no_candles import NoCandles
from swapstats.adapters.system_clock import SystemClock
from swapstats.errors import Rejected, SettingsError, SettingsMismatch
from swapstats.settings import Settings, load
from swapstats.wiring.raw_part import candle_store

Start = Callable[..., Life]
HOUR_MS = 3_600_000


def trades(count: int, first: int = 0) -> list[bytes]:
    """Trades of the last minute, each worth 600 USD."""
    begin_ms = SystemClock().wall_ms() - 60_000
    return [
        json.dumps(
            {
                "kind": "exchange_trade",
                "version": 1,
                "venue": "binance",
                "market": "BTCUSDT",
                "trade_id": str(number),
                "base": "BTC",
                "quote": "USDT",
                "price": "60000.00",
                "quantity": "0.01",
                "side": "buy" if number % 2 else "sell",
                "event_time": begin_ms + number * 10,
            }
        ).encode()
        for number in range(first, first + count)
    ]


async def stats(life: Life) -> dict[str, Any]:
    _, answer = await life.get("/api/tokens/BTC/stats")
    window: dict[str, Any] = answer["w5m"]
    return window


async def test_raw_events_become_windows_candles_and_letters(
    start: Start,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    begin_ms = SystemClock().wall_ms() - 2 * 60_000
    life = start(raw=[Given(*trades(40), b"nonsense", name="binance")])
    await life.applied(40)
    found = await stats(life)
    assert (found["trades"], found["buy"], found["vol_usd"]) == (40, 20, 24_000)
    await life.end()
    reader = EmbeddedDeadLetterReader(tmp_path / "data" / "raw-dead-letters.db")
    assert [(letter.offset, letter.message) for letter in reader.scan()] == [(40, b"nonsense")]
    reader.close()
    candles = EmbeddedCandleStore(tmp_path / "data" / "candles.db")
    kept = candles.scan("BTC", begin_ms - 60_000, begin_ms + 10 * 60_000)
    assert sum(candle.trades for candle in kept) == 40
    assert {candle.close for candle in kept} <= {"60000", "60000.00"}
    candles.close()


async def test_a_restart_goes_on_and_doubles_nothing(start: Start) -> None:  # noqa: F811
    life = start(raw=[Given(*trades(30), name="binance")])
    await life.applied(30)
    await life.end()
    life = start(raw=[Given(*trades(10, first=30), name="another")])
    status = await life.applied(40)
    assert status["counters"]["duplicates"] == 0
    assert sum(part["offset"] for part in status["partitions"]) == 40
    await life.end()


async def test_what_is_left_of_raw_events_is_finished_without_their_source(
    start: Start,  # noqa: F811
) -> None:
    life = start(raw=[Given(*trades(30), name="binance")])
    await life.applied(30)
    await life.end()
    life = start()
    assert (await life.applied(30))["counters"]["duplicates"] == 0
    await life.end()


async def test_both_kinds_of_sources_run_beside_each_other(start: Start) -> None:  # noqa: F811
    from tests.wiring.test_service import messages

    life = start(Given(*messages(20)), raw=[Given(*trades(10), name="binance")])
    await life.applied(30)
    await life.end()


async def test_a_source_that_fails_is_told_and_the_rest_goes_on(start: Start) -> None:  # noqa: F811
    class Failing(Given):
        def status(self) -> Any:
            from swapstats.ports.source import SourceStatus

            return SourceStatus(
                "failed", "Expected a chain that stands, was a reorg beyond finality"
            )

    life = start(raw=[Failing(*trades(5), then="fails", name="evm:base")])
    await life.applied(5)
    status = (await life.get("/api/status"))[1]
    assert status["source"]["state"] == "failed"
    assert any("evm:base" in said for said in status["warnings"])
    code, ready = await life.get("/readyz")
    assert code == 200
    assert "beyond finality" in json.dumps(ready)
    await life.end()


async def test_other_rules_are_told_and_a_rebuild_goes_on(start: Start) -> None:  # noqa: F811
    life = start(raw=[Given(*trades(10), name="binance")])
    await life.applied(10)
    await life.end()
    life = start(preprocess__dust="1")
    with pytest.raises(Rejected, match="--rebuild"):
        await life.task
    life = start(rebuild=True, preprocess__dust="1")
    status = await life.applied(10)
    assert status["counters"]["duplicates"] == 0
    await life.end()


async def test_another_number_of_raw_partitions_is_refused(start: Start) -> None:  # noqa: F811
    life = start(raw=[Given(*trades(1), name="binance")])
    await life.applied(1)
    await life.end()
    life = start(ingest__raw_partitions=3)
    with pytest.raises(SettingsMismatch, match="partitions"):
        await life.task


def settings_of(**flags: Any) -> Settings:
    return load(environ={}, flags={name.replace("__", "."): value for name, value in flags.items()})


def test_where_candles_go(tmp_path: Path) -> None:
    path = tmp_path / "candles.db"
    store = candle_store(settings_of(), path)
    assert isinstance(store, EmbeddedCandleStore)
    store.close()
    assert isinstance(candle_store(settings_of(), None), NoCandles)
    assert isinstance(candle_store(settings_of(preprocess__candles="off"), path), NoCandles)
    with pytest.raises(SettingsError, match=r"stores\.postgres\.dsn"):
        candle_store(settings_of(preprocess__candles="postgres"), path)
    with pytest.raises(SettingsError, match="without a data directory"):
        candle_store(settings_of(preprocess__candles="sqlite"), None)
