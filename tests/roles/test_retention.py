"""Retention: what may be configured, and what a trim leaves alone."""

import pytest
from tests.roles.aggregator.rig import START_MS, Rig, drain, held, swap

from swapstats.errors import SettingsError
from swapstats.model.window import WindowSpec
from swapstats.roles.retention import Retention, expect_long_enough, shortest_age_ms, trim

HOUR_MS = 3_600_000
DAY = WindowSpec(5_000, (300_000, HOUR_MS, 24 * HOUR_MS))
SHORT = WindowSpec(1_000, (5_000,))


@pytest.mark.parametrize(
    ("spec", "max_ahead_ms", "shortest_ms"),
    [
        (DAY, HOUR_MS, 26 * HOUR_MS),
        (DAY, 0, 25 * HOUR_MS),
        (SHORT, HOUR_MS, 2 * HOUR_MS + 5_000),
        (WindowSpec(1_000, (60_000, 5_000)), 0, HOUR_MS + 60_000),
    ],
)
def test_the_least_retention_can_rebuild_the_windows(
    spec: WindowSpec, max_ahead_ms: int, shortest_ms: int
) -> None:
    assert shortest_age_ms(spec, max_ahead_ms) == shortest_ms
    expect_long_enough(Retention(shortest_ms, 0), spec, max_ahead_ms)
    with pytest.raises(SettingsError, match=r"at least .*\(widest window \+ max_ahead \+ 1h\)"):
        expect_long_enough(Retention(shortest_ms - 1, 0), spec, max_ahead_ms)


def hourly(rig: Rig, hours: int) -> None:
    """Append one swap an hour; the clock ends at the last."""
    for number in range(hours):
        if number:
            rig.clock.advance(HOUR_MS)
        rig.append(swap(number, rig.clock.wall_ms()))


@pytest.mark.parametrize(
    ("age_hours", "safe_offset", "first_kept"),
    [(3, 10, 6), (3, 4, 4), (0, 10, 9), (100, 10, 0), (3, 0, 0)],
)
def test_age_decides_unless_a_checkpoint_needs_it(
    rig: Rig, age_hours: int, safe_offset: int, first_kept: int
) -> None:
    hourly(rig, 10)
    dropped = trim(rig.log, Retention(age_hours * HOUR_MS, 0), rig.clock.wall_ms(), [safe_offset])
    assert (dropped, rig.log.start_offsets()) == (first_kept, [first_kept])


def test_size_drops_the_oldest_but_nothing_a_checkpoint_needs(rig: Rig) -> None:
    hourly(rig, 10)
    half = rig.log.size_bytes() // 2
    trim(rig.log, Retention(100 * HOUR_MS, half), rig.clock.wall_ms(), [10])
    assert 0 < rig.log.size_bytes() <= half
    first = rig.log.start_offsets()[0]
    trim(rig.log, Retention(100 * HOUR_MS, 1), rig.clock.wall_ms(), [first + 2])
    assert rig.log.start_offsets() == [first + 2]


def test_after_a_trim_a_restart_goes_on_and_a_rebuild_gives_the_same(rig: Rig) -> None:
    aggregator, _ = rig.living()
    for _ in range(4):
        hourly(rig, 2)
        drain(aggregator)
        aggregator.checkpoint()
        rig.clock.advance(1_000)
    retention = Retention(shortest_age_ms(SHORT, 0), 0)
    assert trim(rig.log, retention, rig.clock.wall_ms(), aggregator.safe_offsets()) > 0
    aggregator.turn()
    again, _ = rig.living()
    rebuilt, _ = rig.living(rebuild=True)
    assert held(aggregator) == held(again) == held(rebuilt) == rig.recounted(rig.clock.wall_ms())
    assert rig.clock.wall_ms() > START_MS
