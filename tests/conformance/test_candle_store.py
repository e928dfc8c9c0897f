"""What every store of candles must do: the port's promises, on each adapter."""

import contextlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conformance.preprocess_stores import CANDLES, Place, new_database, running_postgres

from swapstats.errors import Fenced
from swapstats.model.preprocessed import MINUTE_MS, Candle
from swapstats.model.writer import Writer
from swapstats.ports.candles import CandleStore

WRITER = Writer("raw/0", 1)

Open = Callable[[], CandleStore]


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    yield from running_postgres()


@pytest.fixture(params=CANDLES)
def open_candles(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the test's candles; there may be more than one."""
    server = ""
    if request.param == "postgres":
        server = new_database(request.getfixturevalue("postgres_dsn"), tmp_path.name)
    with contextlib.ExitStack() as stack:

        def opened() -> CandleStore:
            store = CANDLES[request.param](Place(tmp_path, server))
            return stack.enter_context(contextlib.closing(store))

        yield opened


def candle(token: str, minute: int, close: str = "2.50", trades: int = 3) -> Candle:
    return Candle(
        token=token,
        minute_ms=minute * MINUTE_MS,
        open="1",
        high="123456789012345678901234567890.123456789012345678",
        low="0.000000000000000001",
        close=close,
        volume_usd="3.000001",
        volume_token="4.5",
        trades=trades,
    )


def test_whole_candles_take_the_place_of_what_was_there(open_candles: Open) -> None:
    store = open_candles()
    store.put([candle("1:0xa", 1), candle("1:0xa", 2), candle("B ü", 1)], WRITER)
    store.put([candle("1:0xa", 2, "9", 4)], WRITER)
    assert store.scan("1:0xa", 0, 10 * MINUTE_MS) == [
        candle("1:0xa", 1),
        candle("1:0xa", 2, "9", 4),
    ]
    store.close()
    again = open_candles()
    assert again.scan("B ü", 0, 10 * MINUTE_MS) == [candle("B ü", 1)]
    assert again.scan("none", 0, 10 * MINUTE_MS) == []


def test_a_candle_without_trades_is_deleted(open_candles: Open) -> None:
    store = open_candles()
    store.put([candle("T", 1), candle("T", 2)], WRITER)
    store.put([candle("T", 1, trades=0), candle("U", 1, trades=0)], WRITER)
    assert store.scan("T", 0, 10 * MINUTE_MS) == [candle("T", 2)]
    assert store.scan("U", 0, 10 * MINUTE_MS) == []


def test_a_scan_takes_its_first_minute_and_not_its_last(open_candles: Open) -> None:
    store = open_candles()
    store.put([candle("T", minute) for minute in (5, 3, 4, 2)], WRITER)
    found = store.scan("T", 3 * MINUTE_MS, 5 * MINUTE_MS)
    assert [kept.minute_ms // MINUTE_MS for kept in found] == [3, 4]


def test_old_candles_are_dropped(open_candles: Open) -> None:
    store = open_candles()
    store.put([candle(token, minute) for token in ("T", "U") for minute in range(6)], WRITER)
    assert store.trim(3 * MINUTE_MS) == 6
    assert store.trim(3 * MINUTE_MS) == 0
    assert [kept.minute_ms // MINUTE_MS for kept in store.scan("T", 0, 60 * MINUTE_MS)] == [3, 4, 5]


def test_putting_the_same_again_in_any_order_changes_nothing(open_candles: Open) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    first, second = open_candles(), open_candles()
    candles = [candle(f"T{at % 7}", at // 7, str(at)) for at in range(200)]
    first.put(candles, WRITER)
    chance.shuffle(candles)
    second.put(candles[:120], WRITER)
    first.put(candles[100:], WRITER)
    found = [kept for at in range(7) for kept in second.scan(f"T{at}", 0, 60 * MINUTE_MS)]
    assert sorted(found, key=lambda kept: int(kept.close)) == sorted(
        candles, key=lambda kept: int(kept.close)
    )


def test_a_former_owner_is_refused_once_a_newer_one_has_put(open_candles: Open) -> None:
    old, new, elsewhere = open_candles(), open_candles(), Writer("raw/1", 1)
    old.put([candle("T", 1, "1")], Writer("raw/0", 4))
    new.put([candle("T", 1, "2")], Writer("raw/0", 5))
    with pytest.raises(Fenced, match=r"epoch 5.*raw/0.*was 4"):
        old.put([candle("T", 1, "3"), candle("T", 2)], Writer("raw/0", 4))
    old.put([candle("U", 1)], elsewhere)
    new.put([], Writer("raw/1", 2))
    with pytest.raises(Fenced):
        old.put([candle("U", 1, trades=0)], elsewhere)
    assert new.scan("T", 0, 10 * MINUTE_MS) == [candle("T", 1, "2")]
    assert new.scan("U", 0, 10 * MINUTE_MS) == [candle("U", 1)]
