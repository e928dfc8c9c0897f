"""Blocks by hand, of both forms."""

from types import ModuleType

import numpy as np
import pytest

from swapstats.core.kernels import records as compiled
from swapstats.core.kernels.records import GRANULE_BITS
from swapstats.core.kernels.reference import records as plain

both = pytest.mark.parametrize("twin", [compiled, plain], ids=["kernel", "twin"])
GRANULE = 1 << GRANULE_BITS


@both
def test_a_slab_of_two_granules(twin: ModuleType) -> None:
    """Its last 100 words are left; blocks are counted at its first granule."""
    bump = np.array([3 * GRANULE - 100, 3 * GRANULE, 0], dtype=np.int64)
    live, owner = np.zeros(4, dtype=np.int64), np.array([0, 1, 1, 3], dtype=np.int32)
    memory = (bump, live, owner)
    assert twin.take(60, *memory) == 3 * GRANULE - 100
    assert twin.take(41, *memory) == 0
    assert bump.tolist() == [3 * GRANULE - 40, 3 * GRANULE, 41]
    assert twin.take(40, *memory) == 3 * GRANULE - 40
    assert twin.take(1, *memory) == 0
    assert live.tolist() == [0, 100, 0, 0]
    twin.give_back(3 * GRANULE - 100, 60, live, owner)
    twin.give_back(0, 0, live, owner)
    assert live.tolist() == [0, 40, 0, 0]


@both
def test_no_slab_yet(twin: ModuleType) -> None:
    bump, live = np.zeros(3, dtype=np.int64), np.zeros(1, dtype=np.int64)
    assert twin.take(1, bump, live, np.zeros(1, dtype=np.int32)) == 0
    assert bump.tolist() == [0, 0, 1]


@both
def test_sizes(twin: ModuleType) -> None:
    assert [twin.entry_words(capacity) for capacity in (0, 1, 2, 100)] == [0, 2, 3, 150]
    assert [twin.index_words(size) for size in (0, 32, 64)] == [0, 16, 32]
    assert [twin.places_for(count) for count in (0, 1, 16, 17, 32, 33)] == [
        32, 32, 32, 64, 64, 128
    ]  # fmt: skip
