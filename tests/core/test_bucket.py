"""One bucket: sets and cells that grow, freeze, seal and come back from bytes."""

from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.core.kernels.batches import columns_of, every_row, swap

from swapstats.core.bucket import Bucket, FrozenBucket
from swapstats.core.kernels import dedup
from swapstats.core.kernels.fate import APPLIED, REMOVED
from swapstats.errors import InvariantBroken, StoreCorrupt
from swapstats.model.stats import ROW_WORDS, WindowStats, from_row
from swapstats.testing.wire_streams import WireSwap

TOKENS = 64


class Filled:
    """A bucket with the arrays that are passed to it."""

    def __init__(self, bucket: Bucket | None = None) -> None:
        self.bucket = bucket or Bucket(7)
        self.rolling = np.zeros((TOKENS, 1, ROW_WORDS), dtype=np.int64)

    def decide(self, *swaps: WireSwap) -> list[int]:
        columns = columns_of(*swaps)
        outcome = np.zeros(len(swaps), dtype=np.uint8)
        self.bucket.decide(every_row(columns), columns, outcome)
        return outcome.tolist()

    def contribute(self, *swaps: WireSwap) -> None:
        """Add (or take back, if removed) swaps whose token number is their address."""
        columns = columns_of(*swaps)
        tokens = np.array([int(one.token_address) for one in swaps], dtype=np.int32)
        fate = np.array([REMOVED if one.removed else APPLIED for one in swaps], dtype=np.uint8)
        self.bucket.contribute(
            every_row(columns), columns, tokens, fate, REMOVED, self.rolling,
            np.ones(1, dtype=np.uint8), np.zeros(TOKENS, dtype=np.int64), 1,
            np.zeros(TOKENS, dtype=np.int32), 0,
        )  # fmt: skip

    def sums(self) -> dict[int, WindowStats]:
        """What the cells add up to, by token."""
        found = {}
        for token in range(TOKENS):
            row: NDArray[np.int64] = np.zeros(ROW_WORDS, dtype=np.int64)
            self.bucket.sum_token(token, row)
            if row.any():
                found[token] = from_row(row)
        return found


def of(number: int, **changed: object) -> WireSwap:
    return swap(number, token_address=str(number % TOKENS), **changed)  # type: ignore[arg-type] # by name


def pairs(frozen: FrozenBucket) -> set[tuple[int, int]]:
    held = frozen.fingerprints != 0
    return set(zip(frozen.fingerprints[held].tolist(), frozen.states[held].tolist(), strict=True))


def filled(count: int) -> Filled:
    one = Filled()
    swaps = [of(number, amount_token=number) for number in range(count)]
    one.decide(*swaps)
    one.contribute(*swaps)
    return one


def test_a_bucket_grows_and_forgets_nothing() -> None:
    one = Filled()
    for first in range(0, 3_000, 500):
        swaps = [of(number) for number in range(first, first + 500)]
        assert one.decide(*swaps, *swaps) == [dedup.NEW] * 500 + [dedup.DUPLICATE] * 500
    assert one.bucket.used == 3_000
    assert one.decide(*(of(number) for number in range(3_000))) == [dedup.DUPLICATE] * 3_000
    assert one.bucket.sets_bytes <= one.bucket.size_bytes
    one.bucket.seal()
    assert one.bucket.sets_bytes / 3_000 < 16


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 7, 8, 9, 16, 33, 64])
def test_seal_keeps_the_content_and_the_bucket_usable(count: int) -> None:
    one = filled(count)
    before, sums = pairs(one.bucket.freeze()), one.sums()
    size_bytes = one.bucket.size_bytes
    one.bucket.seal()
    assert not one.bucket.is_roomy
    assert one.bucket.size_bytes <= max(size_bytes, 100)
    assert pairs(one.bucket.freeze()) == before
    assert one.sums() == sums
    assert one.decide(*(of(number) for number in range(count + 20)))[count:] == [dedup.NEW] * 20
    assert one.bucket.used == count + 20
    one.contribute(*(of(number, amount_token=number, removed=True) for number in range(count)))
    assert one.sums() == {}


@pytest.mark.parametrize("count", [0, 1, 5, 8, 16, 40])
@pytest.mark.parametrize("steps", ["go on", "seal", "freeze again", "seal twice"])
def test_a_frozen_bucket_does_not_change(count: int, steps: str) -> None:
    one = filled(count)
    frozen = one.bucket.freeze()
    written, held = frozen.encode(), pairs(frozen)
    if steps.startswith("seal"):
        one.bucket.seal()
    if steps == "seal twice":
        one.bucket.freeze()
        one.bucket.seal()
    if steps == "freeze again":
        assert one.bucket.freeze().encode() == written
    swaps = [of(number, inclusion=1) for number in range(TOKENS)]
    one.decide(*swaps, *(of(number, removed=True) for number in range(count)))
    one.contribute(*swaps)
    assert frozen.encode() == written
    assert pairs(frozen) == held
    assert one.bucket.used == count + TOKENS
    assert one.bucket.freeze().encode() != written


def test_freezing_copies_nothing_until_the_next_change() -> None:
    one = filled(10)
    first, second = one.bucket.freeze(), one.bucket.freeze()
    assert first.fingerprints is second.fingerprints
    assert first.cells is second.cells
    one.decide(of(10))
    third = one.bucket.freeze()
    assert third.fingerprints is not first.fingerprints


@pytest.mark.parametrize("count", [0, 1, 4, 8, 50])
def test_bytes_and_back(count: int) -> None:
    one = filled(count)
    written = one.bucket.freeze().encode()
    back = Filled(Bucket.decode(7, written))
    assert (back.bucket.number, back.bucket.used) == (7, count)
    assert back.bucket.cell_count == one.bucket.cell_count
    assert not back.bucket.is_roomy
    assert pairs(back.bucket.freeze()) == pairs(one.bucket.freeze())
    assert back.sums() == one.sums()
    assert len(back.bucket.freeze().encode()) == len(written)
    again = [of(number, amount_token=number) for number in range(count)]
    assert back.decide(*again) == [dedup.DUPLICATE] * count
    back.contribute(*(of(number, amount_token=number, removed=True) for number in range(count)))
    assert back.sums() == {}


@pytest.mark.parametrize("cut", [0, 3, 7, 8, 20, -1])
def test_bytes_of_another_length_are_corrupt(cut: int) -> None:
    written = filled(3).bucket.freeze().encode()
    with pytest.raises(StoreCorrupt, match="--rebuild"):
        Bucket.decode(7, written[:cut])
    with pytest.raises(StoreCorrupt, match="bucket 7"):
        Bucket.decode(7, written + b"\0")


def test_a_frozen_bucket_that_lost_an_entry_is_not_written() -> None:
    frozen = filled(3).bucket.freeze()
    frozen.fingerprints[np.flatnonzero(frozen.fingerprints)[0]] = 0
    with pytest.raises(InvariantBroken, match="3 entries in bucket 7, was 2"):
        frozen.encode()


def test_renumbered_tokens_keep_their_sums() -> None:
    """Also negative counts, and further cells of a token; a frozen bucket keeps its numbers."""
    one = filled(5)
    one.contribute(of(4, amount_usd=None, removed=True), of(4, amount_usd=None, removed=True))
    one.bucket.seal()
    sums, frozen = one.sums(), one.bucket.freeze()
    written = frozen.encode()
    seen = np.zeros(TOKENS, dtype=np.bool_)
    one.bucket.mark_tokens(seen)
    assert np.flatnonzero(seen).tolist() == [0, 1, 2, 3, 4]
    numbers = np.full(TOKENS, -1, dtype=np.int64)
    numbers[:5] = [9, 0, 63, 1, 2]
    one.bucket.renumber(numbers)
    assert one.sums() == {int(numbers[token]): stats for token, stats in sums.items()}
    assert frozen.encode() == written
    one.contribute(of(63), of(2))
    assert one.sums()[63].trades == 2
    assert one.bucket.cell_count == 5


@pytest.mark.parametrize("seed", range(10))
def test_any_sequence_of_steps_against_a_dictionary(seed: int) -> None:
    print("seed", seed)
    rng = Random(seed)
    one, sets = Filled(), dict[int, set[bool]]()
    frozen: list[tuple[FrozenBucket, bytes]] = []
    for _ in range(60):
        kind = rng.randrange(6)
        if kind == 0:
            one.bucket.seal()
        elif kind == 1:
            snapshot = one.bucket.freeze()
            frozen.append((snapshot, snapshot.encode()))
        elif kind == 2:
            one = Filled(Bucket.decode(7, one.bucket.freeze().encode()))
        else:
            removed = rng.random() < 0.4
            swaps = [of(rng.randrange(150), removed=removed) for _ in range(rng.randint(1, 30))]
            for said, each in zip(one.decide(*swaps), swaps, strict=True):
                state = sets.setdefault(int(each.event_id[2:]), set())
                if removed in state:
                    assert said == dedup.DUPLICATE
                elif not state:
                    assert said == (dedup.CANCELLED if removed else dedup.NEW)
                else:
                    assert said == (dedup.REMOVED if removed else dedup.CANCELLED)
                state.add(removed)
                if said in {dedup.NEW, dedup.REMOVED}:
                    one.contribute(each)
        assert one.bucket.used == len(sets)
    for snapshot, written in frozen:
        assert snapshot.encode() == written
