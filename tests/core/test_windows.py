"""Windows as time passes: what lies in which, held future buckets, jumps, the cost of idleness."""

from random import Random

import numpy as np
import pytest
from tests.core.kernels.batches import T0_MS, columns_of, every_row, swap

from swapstats.core.bucket import Bucket
from swapstats.core.kernels.fate import APPLIED, REMOVED
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
    number = (T0_MS + at_ms) // STEP_MS
    windows.make_room(token + 1)
    windows.open_bucket(number)
    fate = np.full(1, REMOVED if removed else APPLIED, dtype=np.uint8)
    tokens = np.full(1, token, dtype=np.int32)
    windows.contribute(number, every_row(columns), columns, tokens, fate)


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
        ends.add((tuple(trades(windows)), tuple(sorted(windows.buckets))))
    assert len(ends) == 1


@pytest.mark.parametrize("jump_ms", [5_000, 6_000, 100_000, MONTH_MS, 20 * MONTH_MS])
def test_a_jump_over_everything_empties_all(jump_ms: int) -> None:
    windows = windows_at(0)
    for at_ms in range(-4_000, 1_000, 500):
        add(windows, at_ms, token=at_ms % 3)
    windows.begin()
    windows.advance(T0_MS + jump_ms)
    assert not windows.rolling.any()
    assert windows.buckets == {}
    assert windows.dirty == set()
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
    assert list(windows.buckets) == [(T0_MS + MONTH_MS) // STEP_MS]


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


class _CountedBucket(Bucket):
    """Notes every shift of every bucket."""

    shifts = 0

    def shift(self, *arguments: object) -> int:
        type(self).shifts += 1
        return super().shift(*arguments)  # type: ignore[arg-type] # passed on as they are


def test_idle_tokens_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 10,000 tokens known and none at the edge of a window, a tick shifts nothing."""
    monkeypatch.setattr("swapstats.core.windows.Bucket", _CountedBucket)
    windows = Windows(WindowSpec(STEP_MS, (60_000, 86_400_000)))
    windows.advance(T0_MS)
    columns = columns_of(*(swap(number, 0) for number in range(10_000)))
    windows.make_room(10_000)
    windows.open_bucket(T0_MS // STEP_MS)
    fate = np.full(10_000, APPLIED, dtype=np.uint8)
    tokens = np.arange(10_000, dtype=np.int32)
    windows.begin()
    windows.contribute(T0_MS // STEP_MS, every_row(columns), columns, tokens, fate)
    assert len(windows.changed()) == 10_000
    add(windows, 500, token=7)
    _CountedBucket.shifts = 0
    for at_ms in range(1_000, 60_000, 1_000):
        windows.begin()
        windows.advance(T0_MS + at_ms)
        assert len(windows.changed()) == 0
    assert _CountedBucket.shifts == 0
    windows.begin()
    windows.advance(T0_MS + 60_000)
    assert _CountedBucket.shifts == 1
    assert len(windows.changed()) == 10_000
    windows.begin()
    windows.advance(T0_MS + 86_399_999)
    assert _CountedBucket.shifts == 1
    assert len(windows.changed()) == 0


def test_a_bucket_put_back_counts_in_the_windows_that_cover_it() -> None:
    windows = windows_at(10_000)
    for at_ms, seen in ((6_000, [0, 1]), (9_000, [1, 1]), (11_000, [0, 0])):
        other = windows_at(10_000)
        add(other, at_ms)
        number = (T0_MS + at_ms) // STEP_MS
        windows = windows_at(10_000)
        windows.put_back(Bucket.decode(number, other.buckets[number].freeze().encode()))
        assert trades(windows) == trades(other) == seen
        assert windows.dirty == set()
        windows.advance(T0_MS + 20_000)
        assert not windows.rolling.any()


def test_dirty_buckets_are_those_opened_and_still_held() -> None:
    windows = windows_at(0)
    add(windows, 0)
    add(windows, -4_000)
    first = T0_MS // STEP_MS
    assert windows.dirty == {first, first - 4}
    windows.advance(T0_MS + 1_000)
    assert windows.dirty == {first}


def test_room_grows_and_keeps_sums() -> None:
    windows = windows_at(0)
    add(windows, 0, token=3)
    windows.make_room(5_000)
    assert trades(windows, 3) == [1, 1]
    assert trades(windows, 4_999) == [0, 0]
    add(windows, 0, token=4_999)
    assert windows.live_tokens(5_000) == [3, 4_999]
    assert windows.live_tokens(4_999) == [3]


def test_quiet_buckets_are_sealed_and_open_again() -> None:
    windows = windows_at(0)
    add(windows, 0)
    bucket = windows.buckets[T0_MS // STEP_MS]
    size_bytes = windows.size_bytes
    for _ in range(100):
        windows.begin()
        windows.seal_quiet()
    assert not bucket.is_roomy
    assert windows.size_bytes < size_bytes
    add(windows, 0)
    assert bucket.is_roomy
    assert trades(windows) == [2, 2]
    for _ in range(100):
        windows.begin()
        windows.seal_quiet()
    assert not bucket.is_roomy


def test_a_bucket_that_left_is_not_sealed_any_more() -> None:
    windows = windows_at(0)
    add(windows, 0)
    windows.advance(T0_MS + 60_000)
    for _ in range(100):
        windows.begin()
        windows.seal_quiet()
    assert windows.buckets == {}


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
                row = np.zeros_like(windows.rolling[0, 0])
                for number in range(end - width_ms // STEP_MS, end):
                    if number in windows.buckets:
                        windows.buckets[number].sum_token(token, row)
                found = windows.rolling[token, window]
                assert from_row(found) == from_row(row), (seed, token, window)
