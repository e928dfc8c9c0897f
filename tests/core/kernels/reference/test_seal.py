"""Buckets packed by hand, of both forms: where everything lies afterwards."""

from types import ModuleType

import numpy as np
import pytest
from tests.core.kernels.heaps import Ground

from swapstats.core.kernels import seal as compiled
from swapstats.core.kernels.records import (
    CAPACITY,
    CELL_CAPACITY,
    CELL_COUNT,
    CELLS,
    ENTRIES,
    FROZEN_AT,
    FROZEN_CELLS,
    FROZEN_USED,
    INDEX,
    IS_ROOMY,
    NUMBER,
    PARTIALS,
    RECORD_WORDS,
    STALE,
    TOUCHED,
    USED,
)
from swapstats.core.kernels.reference import seal as plain

both = pytest.mark.parametrize("twin", [compiled, plain], ids=["kernel", "twin"])
KEEP = np.zeros(0, dtype=np.int64)


def parted() -> Ground:
    """Bucket 1 with two superseded entries, and a cell of token 2 that a snapshot parted."""
    ground = Ground()
    ground.put_entries(1, [(10, 1), (11, 1), (12, 1), (11, 3), (10, 3)])
    ground.put_cells(
        1, [[2 + (1 << 32), 1, 5, 0, 6, 0], [3, 1, 7, 7, 7, 0], [2, (1 << 32) + 1, 4, 4, -1, 0]]
    )
    ground.records[1, [STALE, PARTIALS, IS_ROOMY, TOUCHED]] = 2, 1, 1, 4
    ground.records[1, [FROZEN_AT, FROZEN_USED, FROZEN_CELLS]] = 9, 3, 2
    return ground


@both
@pytest.mark.parametrize("is_renumbered", [False, True])
def test_one_block(twin: ModuleType, is_renumbered: bool) -> None:
    """An index first (16 words), then four entries (6 words) and three cells, of which two last."""
    ground = parted()
    ground.make_room(16 + 6 + 18)
    at = int(ground.bump[0]) + 16
    numbers = np.array([-1, -1, 1, 0], dtype=np.int64) if is_renumbered else KEEP
    cell_of = np.zeros(4, dtype=np.int32)
    record = ground.records[1]
    assert twin.seal(ground.words, record, numbers, cell_of, *ground.memory)
    assert ground.entries(record) == [(12, 1), (11, 3), (10, 3)]
    two, three = (1, 0) if is_renumbered else (2, 3)
    assert ground.cells(record) == [
        [two + (1 << 32), (1 << 32) + 2, 9, 4, 5, 1], [three, 1, 7, 7, 7, 0]
    ]  # fmt: skip
    wanted = np.zeros(RECORD_WORDS, dtype=np.int64)
    wanted[[NUMBER, TOUCHED, FROZEN_AT]] = 1, 4, 9
    wanted[[ENTRIES, CAPACITY, USED]] = at, 4, 3
    wanted[[CELLS, CELL_CAPACITY, CELL_COUNT]] = at + 6, 2, 2
    assert record.tolist() == wanted.tolist()
    assert ground.live.sum() == 6 + 12
    assert not cell_of.any()


@both
def test_no_room(twin: ModuleType) -> None:
    """First for the index that tells superseded entries apart, then for the block."""
    ground = parted()
    seen = ground.freeze(1)
    record = ground.records[1]
    cell_of = np.zeros(4, dtype=np.int32)
    for words in (16, 6 + 18):
        assert not twin.seal(ground.words, record, KEEP, cell_of, *ground.memory)
        assert ground.bump[2] == words
        assert record[[USED, CELL_COUNT, IS_ROOMY]].tolist() == [5, 3, 1]
        ground.make_room()
    assert record[INDEX]
    assert twin.seal(ground.words, record, KEEP, cell_of, *ground.memory)
    assert record[[USED, CELL_COUNT, IS_ROOMY]].tolist() == [3, 2, 0]
    ground.expect_seen(seen)


@both
def test_quiet_ones_only(twin: ModuleType) -> None:
    """Slot 0 was touched of late, slot 1 is quiet, slot 2 was dropped."""
    ground = parted()
    ground.put_entries(0, [(1, 1)])
    ground.records[0, [IS_ROOMY, TOUCHED]] = 1, 8
    ground.make_room(100)
    roomy = np.array([2, 0, 1, 0, -1], dtype=np.int32)
    left = twin.seal_quiet(
        ground.words, ground.records, roomy, 4, 7, 1_000, KEEP, np.zeros(4, dtype=np.int32),
        *ground.memory,
    )  # fmt: skip
    assert (left, roomy[0]) == (1, 0)
    assert ground.records[:, IS_ROOMY].tolist() == [1, 0, 0]
    assert ground.records[1, USED] == 3
