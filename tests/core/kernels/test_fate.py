"""Lateness, grouping and verdicts against their twins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.kernels.twins import agree

from swapstats.core.kernels import dedup
from swapstats.core.kernels import fate as compiled
from swapstats.core.kernels.reference import fate as plain

STEP_MS = 10


@pytest.mark.parametrize("seed", range(80))
def test_sort_out_then_settle(seed: int) -> None:
    print("seed", seed)
    rng = np.random.default_rng(seed)
    count = int(rng.integers(0, 60))
    accepted = (rng.random(count) < 0.9).astype(np.uint8)
    removed = (rng.random(count) < 0.3).astype(np.uint8)
    event_ms = rng.integers(1_000, 1_000 + int(rng.choice([1, 30, 400])), count)
    t_ms = int(rng.choice([0, 1_000, 1_200, 1_395]))
    widest_ms = STEP_MS * int(rng.choice([1, 4, 30]))
    min_bucket = (t_ms // STEP_MS * STEP_MS + STEP_MS - widest_ms) // STEP_MS
    refuse_late = bool(rng.integers(2))
    late, bucket = np.full(count, 9, dtype=np.uint8), np.full(count, -1, dtype=np.int64)
    rows = np.full(count, -1, dtype=np.int32)
    listed, newest_ms, low, high = agree(
        compiled.sort_out, plain.sort_out, accepted, event_ms, removed, STEP_MS, min_bucket,
        int(rng.choice([0, 1_100, 5_000])), int(rng.choice([0, 7, 100])), refuse_late, late,
        bucket, rows,
    )  # fmt: skip
    assert newest_ms >= max(event_ms[(accepted == 1) & (removed == 0)], default=0)
    outcome = np.zeros(count, dtype=np.uint8)
    outcome[rows[:listed]] = rng.integers(1, 6, listed)
    event_clock = bool(rng.integers(2))
    fate = np.full(count, 99, dtype=np.uint8)
    counts = rng.integers(0, 3, compiled.FATE_COUNT + 1)
    before = int(counts[: compiled.FATE_COUNT].sum())
    after_ms = agree(
        compiled.settle, plain.settle, accepted, event_ms, removed, outcome, late, refuse_late,
        STEP_MS, widest_ms, event_clock, t_ms, fate, counts,
    )  # fmt: skip
    assert after_ms >= t_ms
    assert event_clock or after_ms == t_ms
    assert counts[: compiled.FATE_COUNT].sum() - before == count
    if listed:
        grouped = np.full(listed, -1, dtype=np.int32)
        starts = np.zeros(high - low + 2, dtype=np.int32)
        agree(compiled.group, plain.group, rows[:listed], bucket, low, starts, grouped)


@settings(deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=40), st.integers(-5, 1 << 50))
def test_group_is_a_stable_sort(numbers: list[int], first: int) -> None:
    bucket = np.array(numbers, dtype=np.int64) + first
    low, span = int(bucket.min()), int(bucket.max() - bucket.min()) + 1
    rows = np.arange(len(numbers), dtype=np.int32)
    starts, grouped = np.zeros(span + 1, dtype=np.int32), np.full(len(rows), -1, dtype=np.int32)
    agree(compiled.group, plain.group, rows, bucket, low, starts, grouped)
    for index in range(span):
        mine = grouped[starts[index] : starts[index + 1]].tolist()
        assert mine == [row for row in rows.tolist() if bucket[row] == low + index]


def test_a_conflict_does_not_move_t_and_an_add_removed_later_does() -> None:
    outcome = np.array([dedup.CONFLICT, dedup.NEW, dedup.REMOVED, dedup.CANCELLED], dtype=np.uint8)
    event_ms = np.array([900, 500, 700, 600], dtype=np.int64)
    removed = np.array([0, 0, 1, 0], dtype=np.uint8)
    ones, zeros = np.ones(4, dtype=np.uint8), np.zeros(4, dtype=np.uint8)
    counts = np.zeros(compiled.FATE_COUNT + 1, dtype=np.int64)
    t_ms = agree(
        compiled.settle, plain.settle, ones, event_ms, removed, outcome, zeros, False, STEP_MS,
        10_000, True, 0, np.zeros(4, dtype=np.uint8), counts,
    )  # fmt: skip
    assert t_ms == 600
