"""T of the process: one guard, read from any thread, held when the clock jumps."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from swapstats.adapters.system_clock import SystemClock
from swapstats.roles.service_time import ServiceTime
from swapstats.testing.manual_clock import ManualClock

START_MS = 1_704_412_800_000
HOUR_MS = 3_600_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_MS, 1_000)


def reading(time: ServiceTime) -> tuple[int, str | None]:
    return time.now_ms(), time.held


def test_it_follows_the_wall_clock(clock: ManualClock) -> None:
    time = ServiceTime(clock)
    assert (time.now_ms(), time.held) == (START_MS, None)
    clock.advance(1_234)
    assert (time.now_ms(), time.held) == (START_MS + 1_234, None)


def test_a_forward_jump_is_held_until_the_operator_confirms_it(clock: ManualClock) -> None:
    time = ServiceTime(clock, 60_000)
    time.now_ms()
    clock.jump(3 * HOUR_MS)
    assert time.now_ms() == START_MS
    assert time.held is not None
    assert time.held.startswith("wall clock jumped forward by 3 h at 2024-01-05T00:00:00Z")
    clock.advance(1_000)
    assert time.now_ms() == START_MS + 1_000, "windows go on without the jump"
    time.confirm()
    assert time.now_ms() == START_MS + 3 * HOUR_MS + 1_000
    assert time.held is None


def test_a_forward_jump_that_is_taken_back_leaves_no_trace(clock: ManualClock) -> None:
    time = ServiceTime(clock, 60_000)
    time.now_ms()
    clock.jump(HOUR_MS)
    time.now_ms()
    clock.jump(-HOUR_MS)
    clock.advance(10)
    assert (time.now_ms(), time.held) == (START_MS + 10, None)


@pytest.mark.parametrize(("jump_ms", "is_held"), [(60_000, False), (60_001, True)])
def test_the_allowance_is_that_of_the_settings(
    clock: ManualClock, jump_ms: int, is_held: bool
) -> None:
    time = ServiceTime(clock, 60_000)
    time.now_ms()
    clock.jump(jump_ms)
    time.now_ms()
    assert (time.held is not None) == is_held


def test_time_never_goes_back(clock: ManualClock) -> None:
    time = ServiceTime(clock, 60_000)
    time.now_ms()
    clock.jump(-HOUR_MS)
    assert time.now_ms() == START_MS
    assert time.held is not None
    assert "1 h behind" in time.held
    clock.advance(HOUR_MS + 5)
    assert reading(time) == (START_MS + 5, None)


def test_a_confirmation_without_a_jump_changes_nothing(clock: ManualClock) -> None:
    time = ServiceTime(clock, 60_000)
    time.confirm()
    time.now_ms()
    time.confirm()
    clock.jump(HOUR_MS)
    assert time.now_ms() == START_MS


@pytest.mark.parametrize("reads_before", [0, 1])
def test_it_goes_on_from_a_checkpoint_ahead_of_the_clock_and_says_so(
    clock: ManualClock, reads_before: int
) -> None:
    time = ServiceTime(clock, 60_000)
    for _ in range(reads_before):
        time.now_ms()
    time.go_on_from(START_MS + HOUR_MS)
    assert time.now_ms() == START_MS + HOUR_MS
    assert time.held is not None
    assert "1 h behind" in time.held
    clock.advance(HOUR_MS + 1)
    assert reading(time) == (START_MS + HOUR_MS + 1, None)


def test_a_checkpoint_of_the_past_changes_nothing(clock: ManualClock) -> None:
    time = ServiceTime(clock, 60_000)
    time.now_ms()
    clock.jump(HOUR_MS)
    time.go_on_from(START_MS - 1)
    assert time.now_ms() == START_MS, "a jump since the start is still one"
    assert time.held is not None


def test_many_threads_see_one_time() -> None:
    time = ServiceTime(SystemClock())

    def read(_number: int) -> list[int]:
        return [time.now_ms() for _ in range(2_000)]

    with ThreadPoolExecutor(4) as pool:
        for seen in pool.map(read, range(4)):
            assert seen == sorted(seen)
    assert time.held is None
