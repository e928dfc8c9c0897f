"""What the two sets say, as a table, and how they lie in the heap; of both forms."""

from types import ModuleType

import numpy as np
import pytest
from tests.core.kernels.heaps import Ground, edges_of

from swapstats.core.kernels import dedup as compiled
from swapstats.core.kernels.dedup import CANCELLED, CONFLICT, DUPLICATE, NEW, REMOVED
from swapstats.core.kernels.records import (
    CAPACITY,
    ENTRIES,
    INDEX,
    INDEX_SIZE,
    STALE,
    USED,
)
from swapstats.core.kernels.reference import dedup as plain

both = pytest.mark.parametrize("twin", [compiled, plain], ids=["kernel", "twin"])
ADD, TAKE, OTHER_ADD, OTHER_TAKE = (0, 7), (1, 7), (0, 8), (1, 8)
CODE = 99 << 32 | 5


def decide(twin: ModuleType, ground: Ground, codes: list[int], *columns: list[int]) -> list[int]:
    """Put messages into bucket 0: fingerprints, then checks and removals (0 unless given)."""
    count = len(codes)
    check, removed = columns or ([0] * count, [0] * count)
    outcome = np.zeros(count, dtype=np.uint8)
    done = twin.decide(
        ground.words, ground.records, np.array([0], dtype=np.int32), edges_of([count]),
        np.arange(count, dtype=np.int32), np.array(codes, dtype=np.uint64),
        np.array(check, dtype=np.uint32), np.array(removed, dtype=np.uint8), 0, *ground.memory,
        np.zeros(2, dtype=np.int64), outcome,
    )  # fmt: skip
    assert done
    said: list[int] = outcome.tolist()
    return said


@both
@pytest.mark.parametrize("is_seen", [False, True], ids=["changed", "superseded"])
@pytest.mark.parametrize(
    ("messages", "outcomes", "bits"),
    [
        ([ADD, ADD, ADD], [NEW, DUPLICATE, DUPLICATE], 1),
        ([ADD, TAKE, TAKE, ADD], [NEW, REMOVED, DUPLICATE, DUPLICATE], 3),
        ([TAKE, TAKE, ADD, ADD], [CANCELLED, DUPLICATE, CANCELLED, DUPLICATE], 3),
        ([ADD, OTHER_ADD, OTHER_TAKE, ADD], [NEW, CONFLICT, CONFLICT, DUPLICATE], 1),
        ([TAKE, OTHER_ADD, ADD, OTHER_TAKE], [CANCELLED, CONFLICT, CANCELLED, CONFLICT], 3),
    ],
)
def test_one_pair(
    twin: ModuleType,
    messages: list[tuple[int, int]],
    outcomes: list[int],
    bits: int,
    is_seen: bool,
) -> None:
    """With a snapshot before the last messages, an entry is superseded instead of changed."""
    ground = Ground()
    ground.make_room(500)
    said = []
    for removal, check in messages:
        said += decide(twin, ground, [CODE], [check], [removal])
        if is_seen:
            ground.freeze(0)
    assert said == outcomes
    record = ground.records[0]
    assert ground.pairs(record) == {CODE: 7 << 2 | bits}
    is_changed = bits == 3
    assert record[[USED, STALE]].tolist() == ([2, 1] if is_seen and is_changed else [1, 0])


@both
def test_where_entries_lie(twin: ModuleType) -> None:
    """Fingerprints, then states of 32 bits; room for what the call may bring, made even."""
    ground = Ground()
    ground.make_room(500)
    first = int(ground.bump[0])
    assert decide(twin, ground, [5, 6, 5], [1, 2, 1], [0, 1, 0]) == [NEW, CANCELLED, DUPLICATE]
    record = ground.records[0]
    assert record[[ENTRIES, CAPACITY, USED, INDEX]].tolist() == [first, 4, 2, 0]
    assert ground.words[first : first + 2].tolist() == [5, 6]
    assert ground.halves[2 * (first + 4) :][:2].tolist() == [1 << 2 | 1, 2 << 2 | 2]
    assert ground.bump[0] == first + 6
    decide(twin, ground, [7, 8, 9])
    assert record[[ENTRIES, CAPACITY, USED]].tolist() == [first + 6, 6, 5]
    assert ground.live.sum() == 9


@both
def test_an_index_goes_on_at_the_front(twin: ModuleType) -> None:
    """Three entries whose place is the last one: the second and third wrap around."""
    top = (1 << 64) - 1
    ground = Ground()
    ground.put_entries(0, [(top, 1), (top - 1, 1), (5, 1), (top, 3), (top - 2, 1)])
    record = ground.records[0]
    ground.make_room(16)
    assert twin.make_index(ground.words, record, 32, *ground.memory)
    places = ground.halves[2 * record[INDEX] :][:32].tolist()
    assert places == [2, 3, 5, *[0] * 28, 4]
    assert decide(twin, ground, [top - 2, top], [0, 0], [1, 1]) == [REMOVED, DUPLICATE]
    assert record[INDEX_SIZE] == 32


@both
def test_no_room(twin: ModuleType) -> None:
    ground = Ground()
    ground.put_entries(0, [(5, 1), (6, 1)])
    before = ground.records.copy()
    assert not twin.make_index(ground.words, ground.records[0], 32, *ground.memory)
    assert ground.bump[2] == 16
    assert not twin.grow_entries(ground.words, ground.records[0], 10, *ground.memory)
    assert ground.bump[2] == 15
    np.testing.assert_array_equal(ground.records, before)
