"""Windows as time passes: what lies in which, held future buckets, jumps, the cost of idleness."""

from dataclasses import astuple
from random import Random
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.core.kernels.batches import T0_MS, columns_of, every_row, swap

from swapstats.core.columns import Columns
from swapstats.core.kernels import rolling
from swapstats.core.kernels.fate import APPLIED, REMOVED
from swapstats.core.sorted_rows import SortedRows
from swapstats.core.windows import Windows
from swapstats.model.stats import TRADES, from_row
from swapstats.model.window import WindowSpec

STEP_MS = 1_000
SPEC = WindowSpec(STEP_MS, (2_000, 5_000))
MONTH_MS = 31 * 86_400_000


def windows_at(at_ms: int) -> Windows:
    windows = Windows(SPEC)
    windows.begin()
    windows.advance(T0_MS + at_ms)
    return windows


def add(windows: Windows, at_ms: int, token: int = 0, removed: bool = False) -> None:
    """Add one trade (or take it back) `at_ms` after T0_MS."""
    columns = columns_of(swap(1, at_ms, amount_usd=3))
    windows.make_room(token + 1)
    fate = np.full(1, REMOVED if removed else APPLIED, dtype=np.uint8)
    contribute(windows, at_ms, columns, np.full(1, token, dtype=np.int32), fate)


def contribute(
    windows: Windows,
    at_ms: int,
    columns: Columns,
    tokens: NDArray[np.int32],
    fate: NDArray[np.uint8],
) -> None:
    """Add rows that all lie in the bucket `at_ms` after T0_MS."""
    rows = every_row(columns)
    numbers = np.array([(T0_MS + at_ms) // STEP_MS])
    edges = np.array([0, len(rows)], dtype=np.int32)
    found = SortedRows(rows, np.zeros(len(rows), dtype=np.uint8), rows, edges, numbers, 0)
    opened = windows.buckets.open(numbers, windows.sums.stamp)
    windows.contribute(opened, found, columns, tokens, fate)


def values(row: NDArray[np.int64]) -> list[int]:
    """The fields of a row as numbers that can be added."""
    return list(astuple(from_row(row)))


def trades(windows: Windows, token: int = 0) -> list[int]:
    """Trades of a token in each window."""
    found: list[int] = windows.rolling[token, :, TRADES].tolist()
    return found


@pytest.mark.parametrize(
    ("at_ms", "seen"),
    [
        # T = T0 + 10_000: end = T0 + 11_000; windows from T0 + 9_000 and T0 + 6_000 on.
        (6_000, [[0, 1], [0, 0], [0, 0], [0, 0]]),
        (7_999, [[0, 1], [0, 1], [0, 0], [0, 0]]),
        (8_999, [[0, 1], [0, 1], [0, 1], [0, 0]]),
        (9_000, [[1, 1], [0, 1], [0, 1], [0, 1]]),
        (10_999, [[1, 1], [1, 1], [0, 1], [0, 1]]),
        (11_000, [[0, 0], [1, 1], [1, 1], [0, 1]]),  # not yet
        (12_000, [[0, 0], [0, 0], [1, 1], [1, 1]]),
        (13_999, [[0, 0], [0, 0], [0, 0], [1, 1]]),
        (14_000, [[0, 0], [0, 0], [0, 0], [0, 0]]),
    ],
)
def test_windows_an_event_lies_in_after_ticks(at_ms: int, seen: list[list[int]]) -> None:
    """Ticks to T0 + 10_000, 11_000, 12_999 and 13_000; the last two are a step apart."""
    windows = windows_at(10_000)
    add(windows, at_ms)
    found = [trades(windows)]
    for t_ms in (11_000, 12_999, 13_000):
        windows.begin()
        windows.advance(T0_MS + t_ms)
        found.append(trades(windows))
    assert found == seen


def test_the_end_of_the_windows_and_the_lowest_bucket() -> None:
    windows = Windows(SPEC)
    assert (windows.t_ms, windows.end_ms) == (0, STEP_MS)
    windows.advance(T0_MS + 10_999)
    assert windows.end_ms == T0_MS + 11_000
    assert windows.min_bucket == (T0_MS + 6_000) // STEP_MS


def test_t_never_moves_back() -> None:
    windows = windows_at(10_000)
    add(windows, 10_000)
    windows.advance(T0_MS)
    windows.advance(T0_MS + 10_000)
    assert windows.t_ms == T0_MS + 10_000
    assert trades(windows) == [1, 1]


def test_every_order_of_ticks_ends_in_the_same_sums() -> None:
    rng = Random(3)
    ends = set()
    for _ in range(12):
        windows = windows_at(0)
        for at_ms in range(0, 12_000, 700):
            add(windows, at_ms)
        for t_ms in sorted(rng.sample(range(1, 9_000), rng.randint(0, 6))):
            windows.advance(T0_MS + t_ms)
        windows.advance(T0_MS + 9_000)
        ends.add((tuple(trades(windows)), tuple(windows.buckets.numbers.tolist())))
    assert len(ends) == 1


@pytest.mark.parametrize("jump_ms", [5_000, 6_000, 100_000, MONTH_MS, 20 * MONTH_MS])
def test_a_jump_over_everything_empties_all(jump_ms: int) -> None:
    windows = windows_at(0)
    for at_ms in range(-4_000, 1_000, 500):
        add(windows, at_ms, token=at_ms % 3)
    windows.begin()
    windows.advance(T0_MS + jump_ms)
    assert not windows.rolling.any()
    assert len(windows.buckets) == 0
    assert windows.buckets.dirty_numbers.tolist() == []
    assert sorted(windows.changed().tolist()) == [0, 1, 2]
    assert windows.live_tokens(3) == []


def test_a_jump_onto_a_held_future_bucket() -> None:
    """Months ahead, as events may lie under the event clock: it enters when T gets there."""
    windows = windows_at(0)
    add(windows, 0, token=1)
    add(windows, MONTH_MS, token=2)
    assert (trades(windows, 1), trades(windows, 2)) == ([1, 1], [0, 0])
    windows.advance(T0_MS + MONTH_MS - 1)
    assert (trades(windows, 1), trades(windows, 2)) == ([0, 0], [0, 0])
    windows.begin()
    windows.advance(T0_MS + MONTH_MS)
    assert trades(windows, 2) == [1, 1]
    assert windows.changed().tolist() == [2]
    assert windows.buckets.numbers.tolist() == [(T0_MS + MONTH_MS) // STEP_MS]


def test_a_jump_may_pass_a_future_bucket_in_the_short_window_only() -> None:
    windows = windows_at(0)
    add(windows, 3_000)
    windows.advance(T0_MS + 6_000)
    assert trades(windows) == [0, 1]
    windows.advance(T0_MS + 7_000)
    assert trades(windows) == [0, 1]
    windows.advance(T0_MS + 8_000)
    assert trades(windows) == [0, 0]


def test_taking_back_in_every_place_a_bucket_can_be() -> None:
    for t_ms in (0, 1_000, 2_000, 4_000, 5_000):
        windows = windows_at(0)
        add(windows, 1_000)
        windows.advance(T0_MS + t_ms)
        add(windows, 1_000, removed=True)
        windows.advance(T0_MS + 3_000)
        assert not windows.rolling.any(), t_ms


def test_idle_tokens_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 10,000 tokens known and none at the edge of a window, a tick shifts no cell."""
    shifted: list[int] = []
    shift = rolling.shift

    def counted(*arguments: Any) -> int:
        shifted.append(len(arguments[2]))
        return shift(*arguments)

    monkeypatch.setattr(rolling, "shift", counted)
    windows = Windows(WindowSpec(STEP_MS, (60_000, 86_400_000)))
    windows.advance(T0_MS)
    columns = columns_of(*(swap(number, 0) for number in range(10_000)))
    windows.make_room(10_000)
    fate = np.full(10_000, APPLIED, dtype=np.uint8)
    windows.begin()
    contribute(windows, 0, columns, np.arange(10_000, dtype=np.int32), fate)
    assert len(windows.changed()) == 10_000
    add(windows, 500, token=7)
    for at_ms in range(1_000, 60_000, 1_000):
        windows.begin()
        windows.advance(T0_MS + at_ms)
        assert len(windows.changed()) == 0
    assert shifted == []
    windows.begin()
    windows.advance(T0_MS + 60_000)
    assert shifted == [1]
    assert len(windows.changed()) == 10_000
    windows.begin()
    windows.advance(T0_MS + 86_399_999)
    assert shifted == [1]
    assert len(windows.changed()) == 0


def test_a_bucket_put_back_counts_in_the_windows_that_cover_it() -> None:
    windows = windows_at(10_000)
    for at_ms, seen in ((6_000, [0, 1]), (9_000, [1, 1]), (11_000, [0, 0])):
        other = windows_at(10_000)
        add(other, at_ms)
        windows = windows_at(10_000)
        windows.put_back(other.freeze(everything=True).encode())
        assert trades(windows) == trades(other) == seen
        assert windows.buckets.dirty_numbers.tolist() == []
        windows.advance(T0_MS + 20_000)
        assert not windows.rolling.any()


def test_dirty_buckets_are_those_opened_and_still_held() -> None:
    windows = windows_at(0)
    add(windows, 0)
    add(windows, -4_000)
    first = T0_MS // STEP_MS
    assert windows.buckets.dirty_numbers.tolist() == [first - 4, first]
    windows.advance(T0_MS + 1_000)
    assert windows.buckets.dirty_numbers.tolist() == [first]


def test_room_grows_and_keeps_sums() -> None:
    windows = windows_at(0)
    add(windows, 0, token=3)
    windows.make_room(5_000)
    assert trades(windows, 3) == [1, 1]
    assert trades(windows, 4_999) == [0, 0]
    add(windows, 0, token=4_999)
    assert windows.live_tokens(5_000) == [3, 4_999]
    assert windows.live_tokens(4_999) == [3]


def test_quiet_buckets_are_packed_and_open_again() -> None:
    windows = windows_at(0)
    for token in range(20):
        add(windows, 0, token)
    roomy = windows.buckets.totals()
    for _ in range(100):
        windows.begin()
        windows.seal_quiet()
    assert windows.buckets.totals()[3] < roomy[3]
    add(windows, 0)
    assert trades(windows) == [2, 2]
    for _ in range(100):
        windows.begin()
        windows.seal_quiet()
    assert windows.buckets.totals()[1:] == (20, 0, 21 * 48)


def test_a_bucket_that_left_is_not_packed_any_more() -> None:
    windows = windows_at(0)
    add(windows, 0)
    windows.advance(T0_MS + 60_000)
    for _ in range(100):
        windows.begin()
        windows.seal_quiet()
    assert len(windows.buckets) == 0
    assert windows.buckets.totals() == (0, 0, 0, 0)


def test_kept_tokens_get_new_numbers_and_keep_their_sums() -> None:
    windows = windows_at(0)
    for token, at_ms in ((1, -4_000), (4, 0), (6, 3_000)):
        add(windows, at_ms, token)
    assert np.flatnonzero(windows.held_tokens(9)).tolist() == [1, 4, 6]
    windows.advance(T0_MS + 1_000)
    held = np.flatnonzero(windows.held_tokens(9))
    assert held.tolist() == [4, 6]
    windows.keep_tokens(held)
    assert (trades(windows, 0), trades(windows, 1)) == ([1, 1], [0, 0])
    windows.begin()
    add(windows, 500, token=0)
    add(windows, 500, token=2)
    windows.advance(T0_MS + 3_000)
    assert [trades(windows, token) for token in range(3)] == [[0, 2], [1, 1], [0, 1]]
    assert sorted(windows.changed().tolist()) == [0, 1, 2]


def test_forgetting_every_token() -> None:
    windows = windows_at(0)
    add(windows, 0, token=5)
    windows.advance(T0_MS + 60_000)
    windows.keep_tokens(np.flatnonzero(windows.held_tokens(6)))
    add(windows, 60_000, token=1)
    assert windows.live_tokens(2) == [1]


def test_series() -> None:
    windows = windows_at(0)
    for at_ms in (-3_000, -2_999, -1_000, 0):
        add(windows, at_ms, token=2)
    add(windows, -2_000, token=1)
    found = [(at_ms - T0_MS, stats.trades) for at_ms, stats in windows.series(2, 5_000)]
    assert found == [(-3_000, 2), (-1_000, 1), (0, 1)]
    assert [at_ms - T0_MS for at_ms, _ in windows.series(2, 1_000)] == [0]
    assert windows.series(9, 5_000) == []


def test_sums_are_those_of_the_buckets_after_any_history() -> None:
    for seed in range(20):
        rng = Random(seed)
        windows = windows_at(0)
        t_ms = 0
        for _ in range(60):
            if rng.random() < 0.2:
                t_ms += rng.choice((1, 1_000, 3_000, 50_000))
                windows.advance(T0_MS + t_ms)
            add(windows, t_ms + rng.randint(-3_900, 9_000), rng.randrange(4), rng.random() < 0.2)
        end = windows.end_ms // STEP_MS
        for token in range(4):
            for window, width_ms in enumerate(SPEC.widths_ms):
                first = end - width_ms // STEP_MS
                _, rows = windows.buckets.token_sums(token, first, end)
                wanted = [sum(column) for column in zip(*map(values, rows), strict=True)]
                found = values(windows.rolling[token, window])
                assert found == (wanted or [0] * len(found)), (seed, token, window)
