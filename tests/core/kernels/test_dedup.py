"""The add and remove sets against their twins: same tables and outcomes, bit for bit."""

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.core.kernels.twins import agree

from swapstats.core.kernels import dedup as compiled
from swapstats.core.kernels.reference import dedup as plain

OUTCOMES = {
    compiled.NEW, compiled.DUPLICATE, compiled.CONFLICT, compiled.REMOVED, compiled.CANCELLED
}  # fmt: skip


def table(capacity: int) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    return np.zeros(capacity, dtype=np.uint64), np.zeros(capacity, dtype=np.uint32)


@pytest.mark.parametrize("seed", range(60))
def test_random_messages_through_growing_tables(seed: int) -> None:
    """Few places, so that runs are long and wrap; the table grows whenever it is full."""
    print("seed", seed)
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 120))
    places = rng.integers(0, 1 << 32, 6, dtype=np.uint64)
    places[0] = (1 << 32) - 1
    pairs = rng.choice(places, 40) << np.uint64(32) | rng.integers(1, 1 << 32, 40, dtype=np.uint64)
    chosen = rng.integers(0, 40, count)
    check = (chosen * 1_000_003 % (1 << 30)).astype(np.uint32)
    check[rng.random(count) < 0.1] ^= np.uint32(1)
    removed = (rng.random(count) < 0.4).astype(np.uint8)
    rows = np.flatnonzero(rng.random(count) < 0.9).astype(np.int32)
    outcome = np.zeros(count, dtype=np.uint8)
    fingerprints, states = table(3)
    at, used, used_max = 0, 0, 2
    while True:
        at, used = agree(
            compiled.decide, plain.decide, fingerprints, states, used, used_max, rows, at,
            pairs[chosen], check, removed, outcome,
        )  # fmt: skip
        if at == len(rows):
            break
        assert used == used_max
        old, old_states = fingerprints, states
        fingerprints, states = table(2 * len(old) + int(rng.integers(0, 3)))
        used_max = len(fingerprints) - 1
        agree(compiled.refill, plain.refill, old, old_states, fingerprints, states)
    assert {int(code) for code in outcome[rows]} <= OUTCOMES
    assert sorted(fingerprints[fingerprints != 0]) == sorted(set(pairs[chosen[rows]]))
    packed, packed_states = table(used)
    assert agree(compiled.pack, plain.pack, fingerprints, states, packed, packed_states) == used
    assert dict(zip(packed.tolist(), packed_states.tolist(), strict=True)) == {
        int(code): int(state) for code, state in zip(fingerprints, states, strict=True) if code != 0
    }


def test_a_full_table_stops_before_the_new_entry_and_still_finds_old_ones() -> None:
    fingerprints, states = table(4)
    pairs = np.array([1, 2, 3, 1, 4], dtype=np.uint64) << np.uint64(40)
    check, removed = np.zeros(5, dtype=np.uint32), np.zeros(5, dtype=np.uint8)
    outcome, rows = np.zeros(5, dtype=np.uint8), np.arange(5, dtype=np.int32)
    found = agree(
        compiled.decide, plain.decide, fingerprints, states, 0, 3, rows, 0, pairs, check, removed,
        outcome,
    )  # fmt: skip
    assert found == (4, 3)
    assert outcome.tolist() == [
        compiled.NEW, compiled.NEW, compiled.NEW, compiled.DUPLICATE, compiled.NOT_LOOKED
    ]  # fmt: skip


@pytest.mark.parametrize("check", [0, 1, (1 << 30) - 1])
def test_all_bits_of_a_check_are_kept(check: int) -> None:
    fingerprints, states = table(4)
    codes, outcome = np.full(2, 1 << 63, dtype=np.uint64), np.zeros(2, dtype=np.uint8)
    checks = np.array([check, check ^ (1 << 29)], dtype=np.uint32)
    agree(
        compiled.decide, plain.decide, fingerprints, states, 0, 3, np.arange(2, dtype=np.int32), 0,
        codes, checks, np.zeros(2, dtype=np.uint8), outcome,
    )  # fmt: skip
    assert outcome.tolist() == [compiled.NEW, compiled.CONFLICT]
