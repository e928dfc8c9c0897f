"""T in service: tables of readings, and properties over random clocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapstats.core.clock_guard import ClockGuard, GuardedTime, _moment, _span
from swapstats.errors import InvariantBroken

START_MS = 1_763_700_000_000
JUMP_MS_MAX = 60_000
HOUR_MS = 3_600_000


def guard_at_start(initial_ms: int = 0) -> ClockGuard:
    guard = ClockGuard(JUMP_MS_MAX, initial_ms)
    guard.read(START_MS, 0)
    return guard


def test_follows_the_wall_clock() -> None:
    guard = ClockGuard(JUMP_MS_MAX)
    assert guard.read(START_MS, 500).t_ms == START_MS
    assert guard.read(START_MS + 1_007, 1_500).t_ms == START_MS + 1_007
    assert guard.t_ms == START_MS + 1_007


def test_a_forward_step_of_the_allowance_is_taken_and_one_more_is_held() -> None:
    taken = guard_at_start().read(START_MS + 1_000 + JUMP_MS_MAX, 1_000)
    assert (taken.t_ms, taken.held) == (START_MS + 1_000 + JUMP_MS_MAX, None)
    held = guard_at_start().read(START_MS + 1_001 + JUMP_MS_MAX, 1_000)
    assert held.t_ms == START_MS + 1_000
    assert held.held is not None


def test_says_by_how_much_and_when() -> None:
    held = guard_at_start().read(START_MS + 3 * HOUR_MS + 120_000, 0).held
    assert held is not None
    assert held.startswith("wall clock jumped forward by 3 h 2 min at 2025-11-21T04:40:00Z")


def test_goes_on_with_monotonic_time_while_held() -> None:
    guard = guard_at_start()
    for second in range(1, 200):
        reading = guard.read(START_MS + HOUR_MS + second * 1_000, second * 1_000)
        assert reading.t_ms == START_MS + second * 1_000
        assert reading.held is not None


def test_a_second_jump_while_held_is_named() -> None:
    guard = guard_at_start()
    first = guard.read(START_MS + HOUR_MS, 0).held
    assert guard.read(START_MS + HOUR_MS + 5_000, 5_000).held == first
    second = guard.read(START_MS + 2 * HOUR_MS + 6_000, 6_000)
    assert second.held is not None
    assert "2 h" in second.held
    assert second.t_ms == START_MS + 6_000


def test_the_operator_confirms_this_jump_and_no_other() -> None:
    guard = guard_at_start()
    guard.read(START_MS + HOUR_MS, 0)
    guard.confirm()
    resumed = guard.read(START_MS + HOUR_MS + 1_000, 1_000)
    assert (resumed.t_ms, resumed.held) == (START_MS + HOUR_MS + 1_000, None)
    assert guard.read(START_MS + 3 * HOUR_MS, 2_000).held is not None


def test_a_confirmation_without_a_jump_changes_nothing() -> None:
    guard = guard_at_start()
    guard.confirm()
    guard.confirm_append_ms(START_MS + 9 * HOUR_MS)
    assert guard.read(START_MS + HOUR_MS, 1_000).held is not None
    unread = ClockGuard()
    unread.confirm()
    unread.confirm_append_ms(START_MS)
    assert unread.read(START_MS, 0).t_ms == START_MS


def test_append_times_confirm_from_the_jumped_clock_less_the_allowance() -> None:
    guard = guard_at_start()
    jumped_ms = START_MS + HOUR_MS
    guard.read(jumped_ms, 0)
    guard.confirm_append_ms(jumped_ms - JUMP_MS_MAX - 1)
    assert guard.read(jumped_ms, 0).held is not None
    guard.confirm_append_ms(jumped_ms - JUMP_MS_MAX)
    resumed = guard.read(jumped_ms, 0)
    assert (resumed.t_ms, resumed.held) == (jumped_ms, None)


def test_the_wall_clock_comes_back() -> None:
    guard = guard_at_start()
    guard.read(START_MS + HOUR_MS, 0)
    back = guard.read(START_MS + 10_000 + JUMP_MS_MAX, 10_000)
    assert (back.t_ms, back.held) == (START_MS + 10_000 + JUMP_MS_MAX, None)


def test_a_small_step_back_stands_still_without_a_word() -> None:
    guard = guard_at_start()
    for wall_ms, mono_ms, t_ms in (
        (START_MS - 2_000, 0, START_MS),
        (START_MS - 1_000, 1_000, START_MS),
        (START_MS, 2_000, START_MS),
        (START_MS + 1_000, 3_000, START_MS + 1_000),
    ):
        reading = guard.read(wall_ms, mono_ms)
        assert (reading.t_ms, reading.held) == (t_ms, None)


def test_a_large_step_back_stands_still_and_says_so_until_caught_up() -> None:
    guard = guard_at_start()
    back = guard.read(START_MS - HOUR_MS, 0)
    assert back.t_ms == START_MS
    assert back.held is not None
    assert back.held.startswith("wall clock is 1 h behind")
    caught_up = guard.read(START_MS, HOUR_MS)
    assert (caught_up.t_ms, caught_up.held) == (START_MS, None)


def test_a_step_back_undone_is_not_a_jump() -> None:
    guard = guard_at_start()
    guard.read(START_MS - HOUR_MS, 0)
    guard.read(START_MS - HOUR_MS + 600_000, 600_000)
    right = guard.read(START_MS + 601_000, 601_000)
    assert (right.t_ms, right.held) == (START_MS + 601_000, None)


def test_a_jump_after_a_step_back_counts_from_the_clock_that_was_good() -> None:
    guard = guard_at_start()
    guard.read(START_MS - 10_000, 0)
    held = guard.read(START_MS + HOUR_MS, 4_000)
    assert held.held is not None
    assert held.t_ms == START_MS
    assert guard.read(START_MS + HOUR_MS + 9_000, 13_000).t_ms == START_MS + 3_000


@pytest.mark.parametrize(
    ("ahead_ms", "t_ms", "says"),
    [(-5_000, START_MS, False), (JUMP_MS_MAX, START_MS + JUMP_MS_MAX, False),
     (JUMP_MS_MAX + 1, START_MS + JUMP_MS_MAX + 1, True)],
)  # fmt: skip
def test_restart_takes_the_later_of_checkpoint_and_wall(
    ahead_ms: int, t_ms: int, says: bool
) -> None:
    reading = ClockGuard(JUMP_MS_MAX, START_MS + ahead_ms).read(START_MS, 77)
    assert reading.t_ms == t_ms
    assert (reading.held is not None) == says


def test_monotonic_time_that_goes_back_is_a_bug() -> None:
    guard = ClockGuard()
    guard.read(START_MS, 10)
    with pytest.raises(InvariantBroken, match="Expected monotonic time of 10 ms or more, was 9"):
        guard.read(START_MS, 9)


@pytest.mark.parametrize(
    ("span_ms", "text"),
    [(10_920_000, "3 h 2 min"), (61_500, "1 min 1 s"), (HOUR_MS, "1 h"), (999, "999 ms"),
     (86_400_000, "1 d"), (200_000_000, "2 d 7 h"), (3_601_000, "1 h"), (1_000, "1 s")],
)  # fmt: skip
def test_spans_for_people(span_ms: int, text: str) -> None:
    assert _span(span_ms) == text


def test_moments_beyond_the_calendar() -> None:
    assert _moment(START_MS) == "2025-11-21T04:40:00Z"
    assert _moment(10**17) == f"{10**17} ms after 1970"


SPANS = st.integers(0, 5_000)
STEPS = st.lists(
    st.tuples(SPANS, st.one_of(st.just(0), st.integers(-(10**8), 10**8))), min_size=1, max_size=40
)


@given(steps=STEPS, initial_ms=st.integers(0, START_MS + HOUR_MS))
def test_t_never_goes_back_and_never_outruns_time_by_more_than_the_allowance_a_reading(
    steps: list[tuple[int, int]], initial_ms: int
) -> None:
    guard = ClockGuard(JUMP_MS_MAX, initial_ms)
    wall_ms, mono_ms = START_MS, 0
    t_ms = guard.read(wall_ms, mono_ms).t_ms
    lead_ms, lead_mono_ms = t_ms, mono_ms
    for span_ms, jump_ms in steps:
        wall_ms, mono_ms = wall_ms + span_ms + jump_ms, mono_ms + span_ms
        reading = guard.read(wall_ms, mono_ms)
        assert reading.t_ms >= t_ms
        assert reading.t_ms <= lead_ms + (mono_ms - lead_mono_ms) + JUMP_MS_MAX
        if reading.t_ms > lead_ms + (mono_ms - lead_mono_ms):
            lead_ms, lead_mono_ms = reading.t_ms, mono_ms
        if reading.held is None:
            assert reading.t_ms >= wall_ms
            assert reading.t_ms - wall_ms <= JUMP_MS_MAX
        t_ms = reading.t_ms


@given(spans=st.lists(SPANS, max_size=40))
def test_without_jumps_t_is_the_wall_clock(spans: list[int]) -> None:
    guard = guard_at_start()
    wall_ms, mono_ms = START_MS, 0
    for span_ms in spans:
        wall_ms, mono_ms = wall_ms + span_ms, mono_ms + span_ms
        assert guard.read(wall_ms, mono_ms) == GuardedTime(wall_ms)


@given(
    spans=st.lists(SPANS, max_size=20),
    jump_ms=st.integers(JUMP_MS_MAX + 1, 10**12),
    after=st.lists(SPANS, min_size=1, max_size=20),
    by_append=st.booleans(),
)
def test_any_wide_jump_is_held_until_confirmed(
    spans: list[int], jump_ms: int, after: list[int], by_append: bool
) -> None:
    guard = guard_at_start()
    mono_ms = 0
    for span_ms in spans:
        mono_ms += span_ms
        guard.read(START_MS + mono_ms, mono_ms)
    for span_ms in after:
        mono_ms += span_ms
        held = guard.read(START_MS + mono_ms + jump_ms, mono_ms)
        assert held.held is not None
        assert held.t_ms == START_MS + mono_ms
    if by_append:
        guard.confirm_append_ms(START_MS + mono_ms + jump_ms)
    else:
        guard.confirm()
    for span_ms in after:
        mono_ms += span_ms
        resumed = guard.read(START_MS + mono_ms + jump_ms, mono_ms)
        assert (resumed.t_ms, resumed.held) == (START_MS + mono_ms + jump_ms, None)
