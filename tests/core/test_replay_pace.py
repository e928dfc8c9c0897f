"""Pace of a replay: tables of event times, speed and rate, and what is due when."""

import numpy as np
import pytest

from swapstats.core.replay_pace import (
    NO_TIME_MS,
    STRAY_MS,
    ReplayPace,
    parse_speed,
    stray_times,
)
from swapstats.errors import UsageError

START_MS = 5_000


def due_times(
    event_ms: list[int], speed: float | None, rate: float | None, last_ms: int = 100_000
) -> list[int]:
    """Milliseconds after the start at which each message is due, by asking at every ms."""
    pace = ReplayPace(speed, rate, START_MS)
    pace.begin_file(START_MS)
    pace.offer(np.array(event_ms, dtype=np.int64))
    due: list[int] = []
    for elapsed_ms in range(last_ms):
        count = pace.due_count(START_MS + elapsed_ms)
        due += [elapsed_ms] * count
        pace.take(count)
        if not pace.left_count:
            break
    return due


@pytest.mark.parametrize(
    ("event_ms", "speed", "rate", "expected"),
    [
        ([1_000, 1_010, 1_050], 1.0, None, [0, 10, 50]),
        ([1_000, 1_010, 1_050], 10.0, None, [0, 1, 5]),
        ([1_000, 1_010, 1_050], 0.5, None, [0, 20, 100]),
        ([1_000, 900, 1_050], 1.0, None, [0, 0, 50]),  # late: due with the one before
        ([1_000, NO_TIME_MS, 1_050, NO_TIME_MS], 1.0, None, [0, 0, 50, 50]),
        ([NO_TIME_MS, NO_TIME_MS, 700, 720], 1.0, None, [0, 0, 0, 20]),
        ([NO_TIME_MS, NO_TIME_MS], 1.0, None, [0, 0]),
        ([7, 7, 7, 7], None, 100.0, [0, 10, 20, 30]),
        ([7, 7, 7, 7], None, 3_000.0, [0, 0, 0, 1]),
        ([1_000, 1_001, 1_100], 1.0, 100.0, [0, 10, 100]),  # the later of both
        ([1_000, 1_000 + 2 * STRAY_MS, 1_020, 1_030], 1.0, None, [0, 0, 20, 30]),  # stray
        ([9 * STRAY_MS, 1_000, 1_020, 1_030], 1.0, None, [0, 0, 20, 30]),  # stray origin
    ],
)
def test_when_messages_are_due(
    event_ms: list[int], speed: float | None, rate: float | None, expected: list[int]
) -> None:
    assert due_times(event_ms, speed, rate) == expected


def test_without_speed_and_rate_all_is_due_at_once() -> None:
    pace = ReplayPace(None, None, START_MS)
    pace.begin_file(START_MS)
    pace.offer(np.array([10**15, 3, NO_TIME_MS], dtype=np.int64))
    assert not pace.is_paced
    assert pace.due_count(0) == 3
    assert pace.wait_ms(0) == 0


def test_a_real_pause_is_kept() -> None:
    """An hour without messages is an hour, since every later message confirms it."""
    event_ms = [1_000, 2_000, 2_000 + 3 * STRAY_MS, 2_001 + 3 * STRAY_MS]
    pace = ReplayPace(1.0, None, 0)
    pace.begin_file(0)
    pace.offer(np.array(event_ms, dtype=np.int64))
    assert pace.due_count(3 * STRAY_MS) == 2
    assert pace.due_count(3 * STRAY_MS + 1_000) == 3


def test_blocks_and_files_go_on_where_the_last_ended() -> None:
    pace = ReplayPace(1.0, None, 0)
    pace.begin_file(0)
    pace.offer(np.array([100, 200], dtype=np.int64))
    assert pace.due_count(100) == 2
    pace.take(2)
    pace.offer(np.array([150, 300], dtype=np.int64))
    assert (pace.due_count(199), pace.wait_ms(150)) == (1, 0)
    pace.take(1)
    assert pace.wait_ms(150) == 50
    assert pace.due_count(200) == 1
    pace.take(1)
    pace.begin_file(1_000)  # its own recorded time, whatever the year
    pace.offer(np.array([7, 57], dtype=np.int64))
    assert pace.due_count(1_000) == 1
    assert pace.due_count(1_050) == 2


def test_a_given_origin_lets_a_resumed_replay_catch_up() -> None:
    pace = ReplayPace(2.0, None, 10_000)
    pace.begin_file(4_000, origin_ms=50_000)
    pace.offer(np.array([61_000, 62_000, 63_000], dtype=np.int64))
    assert pace.due_count(10_000) == 2
    assert pace.wait_ms(10_000) == 0
    pace.take(2)
    assert pace.wait_ms(10_000) == 500


def test_the_rate_counts_over_blocks_and_files() -> None:
    pace = ReplayPace(None, 10.0, 0)
    nothing = np.full(3, NO_TIME_MS, dtype=np.int64)
    pace.begin_file(0)
    pace.offer(nothing)
    pace.take(pace.due_count(200))
    assert pace.left_count == 0
    pace.begin_file(200)
    pace.offer(nothing)
    assert [pace.due_count(ms) for ms in (299, 300, 400, 500)] == [0, 1, 2, 3]


def test_an_empty_block_is_no_message() -> None:
    pace = ReplayPace(1.0, 1.0, 0)
    pace.begin_file(0)
    pace.offer(np.empty(0, dtype=np.int64))
    assert (pace.left_count, pace.due_count(10**9), pace.wait_ms(0)) == (0, 0, 0)


def test_stray_times_need_a_majority_after_them() -> None:
    late_by_far = np.array([10 * STRAY_MS, 1, 10 * STRAY_MS, 10 * STRAY_MS], dtype=np.int64)
    assert stray_times(late_by_far).tolist() == [False] * 4
    wild = np.array([1, 10 * STRAY_MS, 10 * STRAY_MS, 2, 3, 4, 5], dtype=np.int64)
    assert stray_times(wild).tolist() == [False, True, True, False, False, False, False]


@pytest.mark.parametrize(
    ("text", "speed"), [("max", None), ("1x", 1.0), ("10x", 10.0), ("0.25x", 0.25)]
)
def test_speeds(text: str, speed: float | None) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["", "10", "x", "0x", "-1x", "1e3x", "fast", "99999999x"])
def test_no_speeds(text: str) -> None:
    with pytest.raises(UsageError, match="Expected a speed"):
        parse_speed(text)


@pytest.mark.parametrize(("speed", "rate"), [(0.0, None), (-1.0, None), (None, 0.0), (None, 1e12)])
def test_paces_out_of_bounds(speed: float | None, rate: float | None) -> None:
    with pytest.raises(UsageError, match="Expected a"):
        ReplayPace(speed, rate, 0)
