"""Lateness, grouping and verdicts as tables, of both forms."""

from types import ModuleType

import numpy as np
import pytest

from swapstats.core.kernels import dedup
from swapstats.core.kernels import fate as compiled
from swapstats.core.kernels.fate import (
    APPLIED,
    CONFLICT,
    DEAD,
    FATE_COUNT,
    LATE,
    LATE_REFUSED,
    TOO_OLD,
)
from swapstats.core.kernels.reference import fate as plain

both = pytest.mark.parametrize("twin", [compiled, plain], ids=["kernel", "twin"])


@both
def test_only_adds_are_late_and_only_after_grace(twin: ModuleType) -> None:
    """Times in ms, step 10, grace 5; a removal neither is late nor makes others late."""
    event_ms = np.array([100, 95, 94, 300, 20, 101], dtype=np.int64)
    removed = np.array([0, 0, 0, 1, 1, 0], dtype=np.uint8)
    accepted = np.ones(6, dtype=np.uint8)
    late, bucket = np.zeros(6, dtype=np.uint8), np.zeros(6, dtype=np.int64)
    rows = np.zeros(6, dtype=np.int32)
    found = twin.sort_out(accepted, event_ms, removed, 10, 3, 0, 5, True, late, bucket, rows)
    assert found == (4, 101, 9, 30)
    assert late.tolist() == [0, 0, 1, 0, 0, 0]
    assert rows[:4].tolist() == [0, 1, 3, 5]
    assert bucket.tolist() == [10, 9, 9, 30, 2, 10]


@both
def test_nothing_listed(twin: ModuleType) -> None:
    empty = np.zeros(1, dtype=np.uint8)
    out = (empty.copy(), np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int32))
    found = twin.sort_out(empty, np.zeros(1, dtype=np.int64), empty, 10, 3, 77, 5, True, *out)
    assert found == (0, 77, (1 << 63) - 1, -1)


@both
def test_groups_keep_log_order_and_gaps(twin: ModuleType) -> None:
    bucket = np.array([9, 5, 0, 9, 5, 6], dtype=np.int64)
    starts, grouped = np.zeros(6, dtype=np.int32), np.zeros(5, dtype=np.int32)
    twin.group(np.array([0, 1, 3, 4, 5], dtype=np.int32), bucket, 5, starts, grouped)
    assert grouped.tolist() == [1, 4, 5, 0, 3]
    assert starts.tolist() == [0, 2, 3, 3, 3, 5]


@both
@pytest.mark.parametrize(
    ("event_clock", "t_after", "fates"),
    [
        (False, 100, [APPLIED, APPLIED, DEAD, CONFLICT, TOO_OLD, LATE_REFUSED, APPLIED]),
        (True, 140, [APPLIED, APPLIED, DEAD, CONFLICT, TOO_OLD, TOO_OLD, APPLIED]),
    ],
)
def test_too_old_goes_by_the_t_of_its_own_moment(
    twin: ModuleType, event_clock: bool, t_after: int, fates: list[int]
) -> None:
    """Step 10, window 40: at T = 100 from 70 on, at T = 140 from 110 on."""
    event_ms = np.array([70, 140, 0, 990, 69, 80, 149], dtype=np.int64)
    removed = np.array([0, 0, 0, 0, 0, 0, 1], dtype=np.uint8)
    accepted = np.array([1, 1, 0, 1, 1, 1, 1], dtype=np.uint8)
    late = np.array([1, 0, 0, 0, 1, 1, 0], dtype=np.uint8)
    outcome = np.full(7, dedup.NEW, dtype=np.uint8)
    outcome[3] = dedup.CONFLICT
    late[0] = 0
    fate, counts = np.zeros(7, dtype=np.uint8), np.zeros(FATE_COUNT + 1, dtype=np.int64)
    t_ms = twin.settle(
        accepted, event_ms, removed, outcome, late, True, 10, 40, event_clock, 100, fate, counts
    )
    assert t_ms == t_after
    assert fate.tolist() == fates
    assert counts[:FATE_COUNT].tolist() == [fates.count(code) for code in range(FATE_COUNT)]
    assert counts[LATE] == fates.count(LATE_REFUSED)
