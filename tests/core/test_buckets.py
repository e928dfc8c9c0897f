"""Buckets of one heap: sets and cells that grow, are frozen, packed and read back from bytes."""

import gc
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.core.kernels.batches import columns_of, every_row, swap

from swapstats.core.buckets import Buckets
from swapstats.core.kernels import dedup
from swapstats.core.kernels.fate import APPLIED, REMOVED
from swapstats.core.snapshot import FrozenBuckets
from swapstats.core.sums import Sums
from swapstats.errors import StoreCorrupt
from swapstats.model.stats import WindowStats, from_row
from swapstats.testing.wire_streams import WireSwap

TOKENS = 64
QUIET = 96


class Filled:
    """Buckets with the sums that go with them; every bucket lies in the one window."""

    def __init__(self) -> None:
        self.buckets = Buckets()
        self.sums = Sums(TOKENS, 1)
        self.sums.stamp = 1

    def decide(self, *swaps: WireSwap, number: int = 7) -> list[int]:
        columns = columns_of(*swaps)
        outcome = np.zeros(len(swaps), dtype=np.uint8)
        opened = self.buckets.open(np.array([number]), self.sums.stamp)
        edges = np.array([0, len(swaps)], dtype=np.int32)
        self.buckets.decide(opened, edges, every_row(columns), columns, outcome)
        return outcome.tolist()

    def contribute(self, *swaps: WireSwap, number: int = 7) -> None:
        """Add (or take back, if removed) swaps whose token number is their address."""
        columns = columns_of(*swaps)
        tokens = np.array([int(one.token_address) for one in swaps], dtype=np.int32)
        fate = np.array([REMOVED if one.removed else APPLIED for one in swaps], dtype=np.uint8)
        opened = self.buckets.open(np.array([number]), self.sums.stamp)
        edges = np.array([0, len(swaps)], dtype=np.int32)
        self.sums.changed_count = 0
        self.buckets.add(
            opened, edges, every_row(columns), columns, tokens, fate, 1_000,
            np.array([100_000]), self.sums,
        )  # fmt: skip

    def quiet(self) -> None:
        """Let so many batches pass that every bucket is packed."""
        for _ in range(QUIET):
            self.sums.stamp += 1
            self.buckets.seal_quiet(self.sums)

    def cells(self, number: int = 7) -> dict[int, WindowStats]:
        """What the cells of a bucket add up to, by token."""
        found = {}
        for token in range(TOKENS):
            _, rows = self.buckets.token_sums(token, number, number + 1)
            if rows.any():
                found[token] = from_row(rows[0])
        return found

    def reread(self) -> "Filled":
        """The same buckets, written and read back."""
        back = Filled()
        for number, blob in self.buckets.freeze(everything=True).encode().items():
            back.buckets.load(number, blob)
        back.buckets.shift(0, 1_000, 0, 1, back.sums)
        back.sums.stamp = self.sums.stamp
        return back


def of(number: int, **changed: object) -> WireSwap:
    return swap(number, token_address=str(number % TOKENS), **changed)  # type: ignore[arg-type] # by name


def filled(count: int, number: int = 7) -> Filled:
    one = Filled()
    swaps = [of(n, amount_token=n) for n in range(count)]
    one.decide(*swaps, number=number)
    one.contribute(*swaps, number=number)
    return one


def rolling(one: Filled) -> NDArray[np.int64]:
    return one.sums.rolling.copy()


def test_buckets_grow_and_forget_nothing() -> None:
    one = Filled()
    for first in range(0, 3_000, 500):
        swaps = [of(number) for number in range(first, first + 500)]
        assert one.decide(*swaps, *swaps) == [dedup.NEW] * 500 + [dedup.DUPLICATE] * 500
    pairs, _, sets_bytes, _ = one.buckets.totals()
    assert pairs == 3_000
    assert sets_bytes < one.buckets.size_bytes
    one.quiet()
    assert one.decide(*(of(number) for number in range(3_000))) == [dedup.DUPLICATE] * 3_000


@pytest.mark.parametrize("count", [1, 3, 16, 17, 33, 3_000])
def test_packed_buckets_take_twelve_bytes_a_pair_and_one_cell_a_token(count: int) -> None:
    one = filled(count)
    cells, sums = one.cells(), rolling(one)
    one.quiet()
    pairs, cell_count, sets_bytes, cells_bytes = one.buckets.totals()
    assert (pairs, cell_count) == (count, min(count, TOKENS))
    assert sets_bytes <= 12 * (count + 1 + min(4, count // 16))
    assert cells_bytes == 48 * (cell_count + min(4, cell_count // 16))
    assert one.cells() == cells
    assert one.decide(*(of(number) for number in range(count + 20)))[count:] == [dedup.NEW] * 20
    one.contribute(*(of(number, amount_token=number, removed=True) for number in range(count)))
    assert one.cells() == {}
    assert np.array_equal(rolling(one), np.zeros_like(sums))


@pytest.mark.parametrize("count", [1, 5, 16, 40, 300])
@pytest.mark.parametrize("steps", ["go on", "pack", "freeze again", "pack twice", "drop"])
def test_a_snapshot_stays_as_it_was_taken(count: int, steps: str) -> None:
    one = filled(count)
    frozen = one.buckets.freeze(everything=True)
    written = frozen.encode()
    if steps.startswith("pack"):
        one.quiet()
    if steps == "pack twice":
        again = one.buckets.freeze(everything=True)
        one.quiet()
        assert set(again.encode()) == {7}
    if steps == "freeze again":
        assert one.buckets.freeze(everything=True).encode() == written
    swaps = [of(number, inclusion=1) for number in range(TOKENS)]
    removals = [of(number, amount_token=number, removed=True) for number in range(count)]
    assert one.decide(*swaps, *removals)[TOKENS:] == [dedup.REMOVED] * count
    one.contribute(*swaps)
    if steps == "drop":
        one.buckets.drop(8)
    for number in range(100, 130):
        one.decide(*swaps, number=number)
        one.contribute(*swaps, number=number)
    one.quiet()
    assert frozen.encode() == written


def test_nothing_is_freed_while_a_snapshot_is_held() -> None:
    one = filled(20_000)
    one.quiet()
    frozen = one.buckets.freeze(everything=True)
    one.buckets.drop(8)
    one.quiet()
    held_bytes = one.buckets.size_bytes
    written = frozen.encode()
    assert len(written[7]) > 20_000 * 12
    del frozen
    gc.collect()
    one.quiet()
    assert one.buckets.size_bytes <= held_bytes
    assert one.buckets.totals() == (0, 0, 0, 0)


def test_what_a_snapshot_parted_is_joined_again_when_packed() -> None:
    one = filled(TOKENS)
    frozen = one.buckets.freeze(everything=True)
    removals = [of(number, amount_token=number, removed=True) for number in range(TOKENS)]
    assert one.decide(*removals) == [dedup.REMOVED] * TOKENS
    one.contribute(*(of(number, inclusion=2) for number in range(TOKENS)))
    pairs, cells, _, _ = one.buckets.totals()
    assert (pairs, cells) == (TOKENS, 2 * TOKENS)
    sums = one.cells()
    del frozen
    one.quiet()
    pairs, cells, sets_bytes, _ = one.buckets.totals()
    assert (pairs, cells, sets_bytes) == (TOKENS, TOKENS, 12 * (TOKENS + 4))
    assert one.cells() == sums
    assert one.decide(*removals) == [dedup.DUPLICATE] * TOKENS


def test_only_what_changed_since_the_last_snapshot_is_in_the_next() -> None:
    one = filled(3)
    one.contribute(of(1), number=9)
    assert set(one.buckets.freeze(everything=False).encode()) == {7, 9}
    one.contribute(of(1), number=8)
    one.contribute(of(2), number=8)
    assert one.buckets.dirty_numbers.tolist() == [8]
    assert set(one.buckets.freeze(everything=False).encode()) == {8}
    assert one.buckets.freeze(everything=False).encode() == {}
    assert set(one.buckets.freeze(everything=True).encode()) == {7, 8, 9}


def test_a_dropped_bucket_is_in_no_later_snapshot() -> None:
    """Nor is another bucket that got its slot, unless it changed itself."""
    one = filled(3, number=1)
    one.buckets.drop(2)
    one.contribute(of(1), number=5)
    assert set(one.buckets.freeze(everything=False).encode()) == {5}


@pytest.mark.parametrize("count", [1, 4, 8, 50, 700])
def test_bytes_and_back(count: int) -> None:
    one = filled(count)
    back = one.reread()
    assert back.buckets.numbers.tolist() == [7]
    assert back.buckets.totals()[:2] == one.buckets.totals()[:2]
    assert back.buckets.dirty_numbers.tolist() == []
    assert back.cells() == one.cells()
    assert np.array_equal(back.sums.rolling, one.sums.rolling)
    again = [of(number, amount_token=number) for number in range(count)]
    assert back.decide(*again) == [dedup.DUPLICATE] * count
    back.contribute(*(of(number, amount_token=number, removed=True) for number in range(count)))
    assert back.cells() == {}


def test_many_small_buckets_are_written_and_read_back_in_any_order() -> None:
    one = Filled()
    for number in range(500):
        one.decide(of(number), number=number)
        one.contribute(of(number), number=number)
    written = one.buckets.freeze(everything=True).encode()
    assert list(written) == list(range(500))
    back = Filled()
    for number in Random(2).sample(range(500), 500):
        back.buckets.load(number, written[number])
    assert back.buckets.numbers.tolist() == list(range(500))
    assert back.buckets.freeze(everything=True).encode() == written


@pytest.mark.parametrize("cut", [0, 3, 11, 12, 20, -1])
def test_bytes_of_another_length_are_corrupt(cut: int) -> None:
    written = filled(3).buckets.freeze(everything=True).encode()[7]
    with pytest.raises(StoreCorrupt, match="--rebuild"):
        Buckets().load(7, written[:cut])
    with pytest.raises(StoreCorrupt, match="bucket 7"):
        Buckets().load(7, written + b"\0")


def test_more_superseded_entries_than_entries_are_corrupt() -> None:
    written = bytearray(filled(3).buckets.freeze(everything=True).encode()[7])
    written[8] = 4
    with pytest.raises(StoreCorrupt, match="superseded entries, was 4"):
        Buckets().load(7, bytes(written))


def test_buckets_that_come_and_go_between_snapshots_take_no_room() -> None:
    one = filled(2)
    for number in range(10, 2_000):
        one.contribute(of(1), number=number)
        one.buckets.drop(number)
    assert one.buckets.size_bytes < 2_000_000
    assert one.buckets.dirty_numbers.tolist() == [1_999]


def test_a_shard_that_is_only_ticked_packs_and_frees() -> None:
    """Whatever the number of the stamp at which it is asked."""
    one = filled(3_000)
    for _ in range(60):
        one.sums.stamp += 2
        one.buckets.seal_quiet(one.sums)
    assert one.buckets.totals()[2] == 12 * 3_004


def test_an_empty_bucket_can_be_written_and_read_back() -> None:
    one = Filled()
    one.buckets.open(np.array([4]), 1)
    one.quiet()
    back = one.reread()
    assert back.buckets.numbers.tolist() == [4]
    assert back.decide(of(1), number=4) == [dedup.NEW]


def test_renumbered_tokens_keep_their_sums() -> None:
    """Also negative counts, and further cells of a token; a snapshot keeps its numbers."""
    one = filled(5)
    one.contribute(of(4, amount_usd=None, removed=True), of(4, amount_usd=None, removed=True))
    frozen = one.buckets.freeze(everything=True)
    one.contribute(of(3))
    sums, written = one.cells(), frozen.encode()
    seen = np.zeros(TOKENS, dtype=np.bool_)
    one.buckets.mark_tokens(seen)
    assert np.flatnonzero(seen).tolist() == [0, 1, 2, 3, 4]
    numbers = np.full(TOKENS, -1, dtype=np.int64)
    numbers[:5] = [9, 0, 63, 1, 2]
    one.buckets.renumber(numbers, one.sums)
    assert one.cells() == {int(numbers[token]): stats for token, stats in sums.items()}
    assert frozen.encode() == written
    one.contribute(of(63), of(2))
    assert one.cells()[63].trades == 2
    assert one.buckets.totals()[1] == 5


@pytest.mark.parametrize("seed", range(12))
def test_any_sequence_of_steps_against_a_dictionary(seed: int) -> None:
    """Several buckets at once; snapshots held for a while; restarts; drops."""
    print("seed", seed)
    rng = Random(seed)
    one, sets = Filled(), dict[tuple[int, int], set[bool]]()
    held: list[tuple[FrozenBuckets, dict[int, bytes]]] = []
    for _ in range(80):
        kind = rng.randrange(8)
        if kind == 0:
            one.quiet()
        elif kind == 1:
            frozen = one.buckets.freeze(everything=rng.random() < 0.5)
            held.append((frozen, frozen.encode()))
        elif kind == 2:
            one = one.reread()
        elif kind == 3 and held:
            del held[rng.randrange(len(held))]
        elif kind == 4 and rng.random() < 0.3:
            below = rng.randrange(6)
            one.buckets.drop(below)
            sets = {pair: state for pair, state in sets.items() if pair[0] >= below}
        else:
            number, removed = rng.randrange(6), rng.random() < 0.4
            count = rng.choice((1, 2, 30, 60))
            swaps = [of(rng.randrange(150), removed=removed) for _ in range(count)]
            for said, each in zip(one.decide(*swaps, number=number), swaps, strict=True):
                state = sets.setdefault((number, int(each.event_id[2:])), set())
                if removed in state:
                    assert said == dedup.DUPLICATE
                elif not state:
                    assert said == (dedup.CANCELLED if removed else dedup.NEW)
                else:
                    assert said == (dedup.REMOVED if removed else dedup.CANCELLED)
                state.add(removed)
                if said in {dedup.NEW, dedup.REMOVED}:
                    one.contribute(each, number=number)
        assert one.buckets.totals()[0] == len(sets)
        for number in range(6):
            contributing = sum(
                state == {False} for (where, _), state in sets.items() if where == number
            )
            assert sum(stats.trades for stats in one.cells(number).values()) == contributing
        for frozen, written in held:
            assert frozen.encode() == written
