"""The clock that moves only when told."""

from typing import TYPE_CHECKING

import pytest

from swapstats.errors import UsageError
from swapstats.testing.manual_clock import ManualClock

if TYPE_CHECKING:
    from swapstats.ports.clock import Clock


def test_stands_still_until_told() -> None:
    clock: Clock = ManualClock(wall=1_000, monotonic=5)
    assert (clock.wall_ms(), clock.monotonic_ms()) == (1_000, 5)
    assert (clock.wall_ms(), clock.monotonic_ms()) == (1_000, 5)


def test_time_passes_on_both_clocks_and_jumps_on_one() -> None:
    clock = ManualClock(wall=1_000, monotonic=5)
    clock.advance(250)
    assert (clock.wall_ms(), clock.monotonic_ms()) == (1_250, 255)
    clock.jump(-500)
    assert (clock.wall_ms(), clock.monotonic_ms()) == (750, 255)


def test_refuses_to_let_time_go_back() -> None:
    with pytest.raises(UsageError, match="Expected a span of 0 ms or more, was -1"):
        ManualClock().advance(-1)
