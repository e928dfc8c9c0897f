"""Interning and partitioning against their twins: same tables, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.core.kernels.twins import agree, readonly

from swapstats.core.kernels import intern as compiled
from swapstats.core.kernels.reference import intern as plain


def packed(keys: list[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int32]]:
    sizes = np.array([len(key) for key in keys], dtype=np.int32)
    return readonly(b"".join(keys)), (np.cumsum(sizes) - sizes).astype(np.int64), sizes


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 1_000))
def test_partitions(keys: list[bytes], partition_count: int) -> None:
    out = np.full(len(keys), -1, dtype=np.int32)
    agree(compiled.partition_of, plain.partition_of, *packed(keys), partition_count, out)
    assert all(0 <= partition < partition_count for partition in out)


@pytest.mark.parametrize("seed", range(40))
def test_tables_of_few_hashes(seed: int) -> None:
    """Hashes collide on purpose: equal codes of unlike keys, and runs over the table's end."""
    print("seed", seed)
    rng = np.random.default_rng(seed)
    names = [rng.bytes(int(size)) for size in rng.integers(0, 5, 12)]
    codes = {name: (5, 62, 63, (1 << 64) - 1)[rng.integers(4)] for name in names}
    table = np.zeros(64, dtype=np.int32)
    hashes = np.zeros(40, dtype=np.uint64)
    arena = np.zeros(200, dtype=np.uint8)
    bounds = np.zeros(41, dtype=np.int64)
    has_symbol = np.zeros(40, dtype=np.uint8)
    known = 0
    for _ in range(3):
        keys = [names[index] for index in rng.integers(0, len(names), 9)]
        known, _ = agree(
            compiled.intern,
            plain.intern,
            np.flatnonzero(rng.integers(0, 2, 9)).astype(np.int32),
            *packed(keys),
            np.array([codes[key] for key in keys], dtype=np.uint64),
            rng.integers(0, 2, 9).astype(np.int32),
            table,
            hashes,
            arena,
            bounds,
            has_symbol,
            known,
            np.full(9, -1, dtype=np.int32),
            np.full(9, -1, dtype=np.int32),
        )
    refilled = np.zeros(128, dtype=np.int32)
    agree(compiled.fill_table, plain.fill_table, hashes, known, refilled)
    assert sorted(refilled[refilled > 0].tolist()) == list(range(1, known + 1))
