"""How long a market may be silent."""

import pytest

from swapstats.adapters.sources.exchange.pulse import SILENCE_FACTOR, Pulse, SilenceBounds

BOUNDS = SilenceBounds(1_000, 60_000)


def test_a_busy_market_is_looked_at_soon_and_a_slow_one_later() -> None:
    busy, slow = Pulse(BOUNDS, 0), Pulse(BOUNDS, 0)
    for now_ms in range(100, 20_001, 100):
        busy.beat(1, now_ms)
    for now_ms in range(1_000, 20_001, 1_000):
        slow.beat(1, now_ms)
    assert busy.look_ms - 20_000 == pytest.approx(100 * SILENCE_FACTOR, abs=2)
    assert slow.look_ms - 20_000 == pytest.approx(1_000 * SILENCE_FACTOR, abs=2)


def test_bounds_hold() -> None:
    one = Pulse(BOUNDS, 0)
    one.beat(1_000, 10)
    assert one.look_ms == 10 + BOUNDS.min_ms
    for now_ms in range(100_000, 1_000_001, 100_000):
        one.beat(1, now_ms)
    assert one.look_ms <= 1_000_000 + BOUNDS.max_ms


def test_trades_of_long_ago_hardly_count() -> None:
    one = Pulse(BOUNDS, 0)
    one.beat(100_000, 10_000)
    for now_ms in range(110_000, 12_000_001, 100_000):
        one.beat(1, now_ms)
    assert one.look_ms - 11_910_000 > 30_000


def test_looks_that_find_nothing_thin_out() -> None:
    one = Pulse(BOUNDS, 0)
    one.beat(100, 1_000)
    looks = []
    for _ in range(8):
        looks.append(one.look_ms)
        one.quiet(one.look_ms)
    assert looks == [2_000, 3_000, 5_000, 9_000, 17_000, 33_000, 65_000, 125_000]


def test_a_connection_that_begins_is_not_to_blame() -> None:
    one = Pulse(BOUNDS, 0)
    one.beat(1, 40_000)
    assert not one.catches_up
    one.soon(50_000)
    assert one.catches_up
    assert one.look_ms == 51_000
    one.again(51_000)
    assert (one.look_ms, one.catches_up) == (51_000, True)
    one.quiet(51_000)
    assert not one.catches_up
    one.soon(52_000)
    one.beat(1, 52_000)
    assert not one.catches_up
