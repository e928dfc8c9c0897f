"""The health rule: tables of looks and what each must find."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapstats.core.progress_watch import ProgressWatch
from swapstats.errors import InvariantBroken


def verdicts(looks: list[tuple[int, list[int], list[int]]]) -> list[bool]:
    watch = ProgressWatch(30_000)
    return [watch.observe(*look).healthy for look in looks]


def test_a_quiet_market_is_healthy() -> None:
    assert verdicts([(0, [5], [5]), (10**9, [5], [5]), (2 * 10**9, [5], [5])]) == [True] * 3


def test_unread_records_without_progress_for_30_s_are_unhealthy() -> None:
    looks = [(0, [5], [9]), (29_999, [5], [9]), (30_000, [5], [9]), (30_001, [6], [9])]
    assert verdicts(looks) == [True, True, False, True]


def test_slow_progress_is_healthy() -> None:
    looks = [(second * 20_000, [second], [1_000_000]) for second in range(50)]
    assert verdicts(looks) == [True] * 50


def test_a_growing_log_does_not_hide_a_reader_that_stands_still() -> None:
    looks = [(second * 10_000, [5], [9 + second]) for second in range(4)]
    assert verdicts(looks) == [True, True, True, False]


def test_the_wait_counts_from_the_look_that_saw_unread_records() -> None:
    looks = [(0, [5], [5]), (60_000, [5], [9]), (89_999, [5], [9]), (90_000, [5], [9])]
    assert verdicts(looks) == [True, True, True, False]


def test_a_reader_that_caught_up_starts_anew() -> None:
    looks = [(0, [5], [9]), (29_000, [9], [9]), (50_000, [9], [12]), (79_000, [9], [12])]
    assert verdicts(looks) == [True] * 4


def test_one_stalled_partition_is_enough_and_is_named() -> None:
    watch = ProgressWatch(30_000)
    watch.observe(0, [10, 100, 7], [20, 200, 7])
    watch.observe(10_000, [20, 100, 7], [20, 200, 7])
    verdict = watch.observe(41_000, [20, 100, 7], [20, 220, 7])
    assert not verdict.healthy
    assert verdict.reason == ("partition 1 has 120 unread records and made no progress for 41 s")


def test_the_longest_wait_is_named_and_the_others_counted() -> None:
    watch = ProgressWatch(30_000)
    watch.observe(0, [1, 1], [1, 9])
    watch.observe(5_000, [1, 1], [9, 9])
    reason = watch.observe(50_000, [1, 1], [9, 9]).reason
    assert reason is not None
    assert reason.startswith("partition 1 has 8 unread")
    assert reason.endswith("for 50 s (2 partitions are stalled)")


def test_a_state_rebuilt_from_an_earlier_offset_counts_as_movement() -> None:
    looks = [(0, [900], [1_000]), (29_000, [0], [1_000]), (40_000, [0], [1_000])]
    assert verdicts(looks) == [True] * 3


def test_another_number_of_partitions_starts_anew() -> None:
    looks = [(0, [5], [9]), (29_000, [5, 0], [9, 4]), (58_000, [5, 0], [9, 4])]
    assert verdicts(looks) == [True] * 3
    assert verdicts([*looks, (59_000, [5, 0], [9, 4])])[-1] is False


def test_no_partitions_are_healthy() -> None:
    assert verdicts([(0, [], []), (10**9, [], [])]) == [True, True]


def test_different_partitions_are_a_bug() -> None:
    with pytest.raises(InvariantBroken, match="Expected as many next offsets as end offsets"):
        ProgressWatch().observe(0, [1], [1, 2])


@given(
    looks=st.lists(
        st.tuples(st.integers(0, 40_000), st.integers(0, 2), st.integers(0, 2)), max_size=60
    )
)
def test_unhealthy_means_no_look_saw_movement_or_an_empty_log_for_the_limit(
    looks: list[tuple[int, int, int]],
) -> None:
    watch = ProgressWatch(30_000)
    mono_ms = next_offset = end_offset = 0
    history: list[tuple[int, int, int]] = []
    for span_ms, read, appended in looks:
        mono_ms += span_ms
        end_offset += appended
        next_offset = min(next_offset + read, end_offset)
        history.append((mono_ms, next_offset, end_offset))
        stalled_since = mono_ms
        for at_ms, next_then, end_then in reversed(history):
            if next_then != next_offset or end_then <= next_then:
                break
            stalled_since = at_ms
        expected = end_offset <= next_offset or mono_ms - stalled_since < 30_000
        assert watch.observe(mono_ms, [next_offset], [end_offset]).healthy == expected
