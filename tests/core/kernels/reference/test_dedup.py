"""What the two sets say, as a table, of both forms."""

from types import ModuleType

import numpy as np
import pytest

from swapstats.core.kernels import dedup as compiled
from swapstats.core.kernels.dedup import CANCELLED, CONFLICT, DUPLICATE, NEW, REMOVED
from swapstats.core.kernels.reference import dedup as plain

ADD, TAKE, OTHER_ADD, OTHER_TAKE = (0, 7), (1, 7), (0, 8), (1, 8)


@pytest.mark.parametrize("twin", [compiled, plain], ids=["kernel", "twin"])
@pytest.mark.parametrize(
    ("messages", "outcomes"),
    [
        ([ADD, ADD, ADD], [NEW, DUPLICATE, DUPLICATE]),
        ([ADD, TAKE, TAKE, ADD], [NEW, REMOVED, DUPLICATE, DUPLICATE]),
        ([TAKE, TAKE, ADD, ADD], [CANCELLED, DUPLICATE, CANCELLED, DUPLICATE]),
        ([ADD, OTHER_ADD, OTHER_TAKE, ADD], [NEW, CONFLICT, CONFLICT, DUPLICATE]),
        ([TAKE, OTHER_ADD, ADD, OTHER_TAKE], [CANCELLED, CONFLICT, CANCELLED, CONFLICT]),
    ],
)
def test_one_pair(twin: ModuleType, messages: list[tuple[int, int]], outcomes: list[int]) -> None:
    removed = np.array([message[0] for message in messages], dtype=np.uint8)
    check = np.array([message[1] for message in messages], dtype=np.uint32)
    codes = np.full(len(messages), 99 << 32 | 5, dtype=np.uint64)
    fingerprints, states = np.zeros(4, dtype=np.uint64), np.zeros(4, dtype=np.uint32)
    outcome = np.zeros(len(messages), dtype=np.uint8)
    rows = np.arange(len(messages), dtype=np.int32)
    found = twin.decide(fingerprints, states, 0, 3, rows, 0, codes, check, removed, outcome)
    assert found == (len(messages), 1)
    assert outcome.tolist() == outcomes
    assert fingerprints[fingerprints != 0].tolist() == [99 << 32 | 5]


@pytest.mark.parametrize("twin", [compiled, plain], ids=["kernel", "twin"])
def test_a_run_goes_on_at_the_front(twin: ModuleType) -> None:
    """Three entries whose place is the last slot: the second and third wrap around."""
    codes = np.array([(1 << 64) - 1 - index for index in range(3)], dtype=np.uint64)
    fingerprints, states = np.zeros(4, dtype=np.uint64), np.zeros(4, dtype=np.uint32)
    zeros, outcome = np.zeros(3, dtype=np.uint8), np.zeros(3, dtype=np.uint8)
    rows, check = np.arange(3, dtype=np.int32), np.arange(3, dtype=np.uint32)
    twin.decide(fingerprints, states, 0, 3, rows, 0, codes, check, zeros, outcome)
    top = (1 << 64) - 1
    assert fingerprints.tolist() == [top - 1, top - 2, 0, top]
    assert states.tolist() == [1 << 2 | 1, 2 << 2 | 1, 0, 1]
    wide, wide_states = np.zeros(8, dtype=np.uint64), np.zeros(8, dtype=np.uint32)
    twin.refill(fingerprints, states, wide, wide_states)
    assert wide.tolist() == [top - 2, top, 0, 0, 0, 0, 0, top - 1]
    out, out_states = np.zeros(3, dtype=np.uint64), np.zeros(3, dtype=np.uint32)
    assert twin.pack(wide, wide_states, out, out_states) == 3
    assert out.tolist() == [top - 2, top, top - 1]
    assert out_states.tolist() == [2 << 2 | 1, 1, 1 << 2 | 1]
