"""Lists of buckets by hand, of both forms."""

from types import ModuleType

import numpy as np
import pytest
from tests.core.kernels.heaps import Ground

from swapstats.core.kernels import bucket_lists as compiled
from swapstats.core.kernels.records import (
    IS_DIRTY,
    IS_ROOMY,
    NUMBER,
    RECORD_WORDS,
    STALE,
    TOUCHED,
)
from swapstats.core.kernels.reference import bucket_lists as plain

both = pytest.mark.parametrize("twin", [compiled, plain], ids=["kernel", "twin"])


@both
def test_open_between_and_around_those_held(twin: ModuleType) -> None:
    """Buckets 10 and 20 are held in slots 4 and 1; 5, 20 and 15 are wanted; 3, 0 and 2 free."""
    numbers = np.array([10, 20, -1, -1, -1], dtype=np.int64)
    slots = np.array([4, 1, -1, -1, -1], dtype=np.int32)
    records = np.full((5, RECORD_WORDS), 7, dtype=np.int64)
    records[1, [IS_ROOMY, IS_DIRTY]] = 0, 1
    free = np.array([3, 0, 2], dtype=np.int32)
    roomy, dirty = np.array([4, -1, -1, -1], dtype=np.int32), np.array([1, 4, -1, -1], np.int32)
    counts = np.array([2, 3, 1, 2], dtype=np.int64)
    opened = np.zeros(3, dtype=np.int32)
    twin.open_buckets(
        np.array([5, 15, 20], dtype=np.int64), numbers, slots, records, free, roomy, dirty, counts,
        77, opened,
    )  # fmt: skip
    assert numbers.tolist() == [5, 10, 15, 20, -1]
    assert slots.tolist() == [0, 4, 2, 1, -1]
    assert opened.tolist() == [0, 2, 1]
    assert counts.tolist() == [4, 1, 4, 4]
    assert roomy.tolist() == [4, 0, 2, 1]
    assert dirty.tolist() == [1, 4, 0, 2]
    assert records[[0, 2], NUMBER].tolist() == [5, 15]
    assert records[[0, 1, 2], TOUCHED].tolist() == [77, 77, 77]
    assert records[0].sum() == 5 + 77 + 2
    assert records[4].tolist() == [7] * RECORD_WORDS


@both
def test_drop(twin: ModuleType) -> None:
    ground = Ground()
    ground.put_entries(0, [(1, 1), (2, 1), (3, 1)])
    ground.put_cells(0, [[1, 0, 0, 0, 0, 0]])
    ground.put_cells(2, [[1, 0, 0, 0, 0, 0]])
    numbers = np.array([0, 1, 2], dtype=np.int64)
    slots = np.array([0, 1, 2], dtype=np.int32)
    free, counts = np.full(3, -1, dtype=np.int32), np.array([3, 0, 0, 0], dtype=np.int64)
    twin.drop_buckets(2, numbers, slots, ground.records, free, counts, ground.live, ground.owner)
    assert counts.tolist() == [1, 2, 0, 0]
    assert free.tolist() == [0, 1, -1]
    assert (numbers[0], slots[0]) == (2, 2)
    assert ground.live.sum() == 6
    assert not ground.records[:2].any()


@both
def test_what_is_written(twin: ModuleType) -> None:
    ground = Ground()
    ground.put_entries(1, [((1 << 64) - 1, 3), (5, 9)])
    ground.put_cells(1, [[-1, 0, 1 << 40, 0, 0, 2]])
    ground.records[1, STALE] = 1
    out = np.full(30, 8, dtype=np.uint32)
    assert twin.pack(ground.words, ground.records[[0, 1]], out) == 3 + 3 + 3 * 2 + 12
    top = (1 << 32) - 1
    assert out.tolist() == [
        0, 0, 0, 2, 1, 1, top, top, 5, 0, top, top, 0, 0, 0, 1 << 8, 0, 0, 0, 0, 2, 0, 3, 9,
        8, 8, 8, 8, 8, 8,
    ]  # fmt: skip


@both
def test_tokens_marked(twin: ModuleType) -> None:
    ground = Ground()
    ground.put_cells(0, [[4, 0, 0, 0, 0, 0], [-(1 << 32) + 2, 0, 0, 0, 0, 0]])
    ground.put_cells(1, [[1, 0, 0, 0, 0, 0]])
    seen = np.zeros(6, dtype=np.bool_)
    twin.mark_tokens(ground.words, ground.records, np.array([0, 2], dtype=np.int32), seen)
    assert np.flatnonzero(seen).tolist() == [2, 4]
