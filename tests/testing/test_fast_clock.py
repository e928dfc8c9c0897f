import time

from swapstats.testing.fast_clock import FastClock


async def test_its_seconds_pass_quickly() -> None:
    clock = FastClock(1_000)
    wall_ms, monotonic_ms = clock.wall_ms(), clock.monotonic_ms()
    await clock.sleep(60)
    assert clock.monotonic_ms() - monotonic_ms >= 60_000
    assert clock.wall_ms() - wall_ms >= 60_000


def test_it_begins_at_the_machines_wall_time() -> None:
    before_ms = time.time_ns() // 1_000_000
    assert before_ms <= FastClock(2).wall_ms()
