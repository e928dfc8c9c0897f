"""The machine's clocks against the standard library's."""

import sys
import time
from typing import TYPE_CHECKING

import pytest

from swapstats.adapters.system_clock import SystemClock

if TYPE_CHECKING:
    from swapstats.ports.clock import Clock


def test_is_a_clock() -> None:
    clock: Clock = SystemClock()
    assert isinstance(clock.wall_ms(), int)
    assert isinstance(clock.monotonic_ms(), int)


def test_wall_time_is_the_epoch_in_milliseconds() -> None:
    before_ms = time.time_ns() // 1_000_000
    wall_ms = SystemClock().wall_ms()
    assert before_ms <= wall_ms <= time.time_ns() // 1_000_000


def test_monotonic_time_moves_with_time_and_never_back() -> None:
    clock = SystemClock()
    early_ns, start_ms, late_ns = time.monotonic_ns(), clock.monotonic_ms(), time.monotonic_ns()
    seen_ms = start_ms
    while time.monotonic_ns() < late_ns + 20_000_000:
        now_ms = clock.monotonic_ms()
        assert now_ms >= seen_ms
        seen_ms = now_ms
    span_ns_min = time.monotonic_ns() - late_ns
    span_ms = clock.monotonic_ms() - start_ms
    span_ns_max = time.monotonic_ns() - early_ns
    assert span_ns_min // 1_000_000 - 1 <= span_ms <= span_ns_max // 1_000_000 + 1


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone counts suspended time")
def test_monotonic_time_counts_suspended_time() -> None:
    before_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    monotonic_ms = SystemClock().monotonic_ms()
    assert before_ms <= monotonic_ms <= time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
