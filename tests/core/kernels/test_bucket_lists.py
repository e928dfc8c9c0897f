"""Buckets opened, dropped, marked and written out, against their twins and a dictionary."""

import struct
from random import Random

import numpy as np
import pytest
from tests.core.kernels.heaps import Ground, blocks_of
from tests.core.kernels.twins import agree

from swapstats.core.kernels import bucket_lists as compiled
from swapstats.core.kernels import cell_index, dedup
from swapstats.core.kernels.bucket_lists import COUNT, DIRTY, FREE, ROOMY
from swapstats.core.kernels.records import (
    CELL_COUNT,
    FROZEN_AT,
    IS_DIRTY,
    IS_ROOMY,
    NUMBER,
    RECORD_WORDS,
    STALE,
    TOUCHED,
    USED,
)
from swapstats.core.kernels.reference import bucket_lists as plain
from swapstats.core.kernels.reference import cell_index as plain_cell_index
from swapstats.core.kernels.reference import dedup as plain_dedup

SLOTS = 24


class Lists:
    """The lists of a shard with room for SLOTS buckets."""

    def __init__(self, seed: int = 0) -> None:
        self.ground = Ground(seed, slots=SLOTS)
        self.ground.records[:] = 0
        self.numbers = np.full(SLOTS, -9, dtype=np.int64)
        self.slots = np.full(SLOTS, -9, dtype=np.int32)
        self.free = np.random.default_rng(seed).permutation(SLOTS).astype(np.int32)
        self.roomy = np.full(400, -9, dtype=np.int32)
        self.dirty = np.full(400, -9, dtype=np.int32)
        self.counts = np.zeros(4, dtype=np.int64)
        self.counts[FREE] = SLOTS

    def open(self, numbers: list[int], stamp: int = 1) -> list[int]:
        opened = np.full(len(numbers), -9, dtype=np.int32)
        agree(
            compiled.open_buckets, plain.open_buckets, np.array(numbers, dtype=np.int64),
            self.numbers, self.slots, self.ground.records, self.free, self.roomy, self.dirty,
            self.counts, stamp, opened,
        )  # fmt: skip
        found: list[int] = opened.tolist()
        return found

    def drop(self, below: int) -> None:
        agree(
            compiled.drop_buckets, plain.drop_buckets, below, self.numbers, self.slots,
            self.ground.records, self.free, self.counts, self.ground.live, self.ground.owner,
        )  # fmt: skip

    def held(self) -> dict[int, int]:
        count = int(self.counts[COUNT])
        return dict(zip(self.numbers[:count].tolist(), self.slots[:count].tolist(), strict=True))

    def fill(self, rng: Random, slot: int) -> None:
        """Give a bucket some entries and cells and their indexes, as kernels do."""
        record = self.ground.records[slot]
        if rng.random() < 0.7 and not record[USED]:
            size = rng.randint(1, 30)
            self.ground.put_entries(slot, [(rng.randrange(1, 1 << 64), 5) for _ in range(size)])
        if rng.random() < 0.7 and not record[CELL_COUNT]:
            self.ground.put_cells(
                slot, [[rng.randrange(40), 1, 0, 0, 0, 0] for _ in range(rng.randint(1, 9))]
            )
        for kernel, twin, count in (
            (dedup.make_index, plain_dedup.make_index, USED),
            (cell_index.make_index, plain_cell_index.make_index, CELL_COUNT),
        ):
            if rng.random() < 0.4 and record[count]:
                self.ground.run(kernel, twin, self.ground.words, record, 64, *self.ground.memory)


@pytest.mark.parametrize("seed", range(40))
def test_any_mix_of_new_and_held_numbers(seed: int) -> None:
    print("seed", seed)
    rng = Random(seed)
    lists = Lists(seed)
    records = lists.ground.records
    wanted: dict[int, int] = {}
    lowest = -30
    for stamp in range(1, 12):
        span = rng.choice((3, 20, 1 << 40))
        room = SLOTS - len(wanted)
        numbers = {rng.randrange(lowest, lowest + span) for _ in range(rng.randint(0, room))}
        numbers |= set(rng.sample(sorted(wanted), rng.randint(0, len(wanted))))
        was_listed = (int(lists.counts[ROOMY]), int(lists.counts[DIRTY]))
        was_set = records[:, [IS_ROOMY, IS_DIRTY]].copy()
        opened = lists.open(sorted(numbers), stamp)
        assert len(set(opened)) == len(opened)
        for number, slot in zip(sorted(numbers), opened, strict=True):
            assert wanted.setdefault(number, slot) == slot
            assert records[slot, [NUMBER, TOUCHED, IS_ROOMY, IS_DIRTY]].tolist() == [
                number, stamp, 1, 1
            ]  # fmt: skip
        assert lists.held() == wanted
        assert list(lists.held()) == sorted(wanted)
        for first, listed, length, column in (
            (was_listed[0], lists.roomy, ROOMY, 0),
            (was_listed[1], lists.dirty, DIRTY, 1),
        ):
            added = listed[first : lists.counts[length]].tolist()
            assert sorted(added) == sorted(slot for slot in opened if not was_set[slot, column])
        free = lists.free[: lists.counts[FREE]].tolist()
        assert sorted([*free, *wanted.values()]) == list(range(SLOTS))
        for slot in opened:
            lists.fill(rng, slot)
        if rng.random() < 0.3:
            records[:, IS_DIRTY] = 0
            lists.counts[DIRTY] = 0
        if rng.random() < 0.5:
            lowest = rng.choice((lowest, lowest + span // 2, *wanted))
            lists.drop(lowest)
            gone = [number for number in wanted if number < lowest]
            for number in gone:
                assert not records[wanted.pop(number)].any()
        assert lists.held() == wanted
        lists.ground.expect_accounted()
    lists.drop(1 << 60)
    assert not lists.ground.live.any()
    assert not records.any()
    assert lists.counts[[COUNT, FREE]].tolist() == [0, SLOTS]


@pytest.mark.parametrize("below", [-1, 5, 6, 7, 8, 9])
def test_drop_up_to_a_number_that_is_held_or_not(below: int) -> None:
    lists = Lists()
    numbers = [5, 6, 8]
    slots = dict(zip(numbers, lists.open(numbers), strict=True))
    lists.drop(below)
    assert lists.held() == {number: slots[number] for number in numbers if number >= below}


def test_a_slot_used_again_begins_empty() -> None:
    lists = Lists()
    (slot,) = lists.open([3])
    lists.ground.put_entries(slot, [(1, 1)])
    lists.ground.records[slot, FROZEN_AT] = 7
    lists.drop(4)
    assert lists.open([9], stamp=2) == [slot]
    record = np.zeros(RECORD_WORDS, dtype=np.int64)
    record[[NUMBER, TOUCHED, IS_ROOMY, IS_DIRTY]] = 9, 2, 1, 1
    assert lists.ground.records[slot].tolist() == record.tolist()


def test_nothing_to_open() -> None:
    lists = Lists()
    lists.open([1, 2])
    before = lists.counts.tolist()
    assert lists.open([]) == []
    assert lists.counts.tolist() == before


@pytest.mark.parametrize("seed", range(15))
def test_buckets_are_written_out_as_the_format_says(seed: int) -> None:
    """Read back by the format alone, from records taken before the buckets went on."""
    print("seed", seed)
    rng = Random(seed)
    ground = Ground(seed, slots=4)
    entries: list[list[tuple[int, int]]] = [[], [], [], []]
    cells: list[list[list[int]]] = [[], [], [], []]
    for slot in range(4):
        for _ in range(rng.choice((0, 1, 2, 31))):
            entries[slot].append((rng.randrange(1, 1 << 64), rng.randrange(1 << 32)))
        for _ in range(rng.choice((0, 1, 2, 31))):
            cells[slot].append([rng.randrange(-(1 << 63), 1 << 63) for _ in range(6)])
        if entries[slot]:
            ground.put_entries(slot, entries[slot])
            ground.records[slot, STALE] = rng.randrange(len(entries[slot]))
        if cells[slot]:
            ground.put_cells(slot, cells[slot])
    chosen = [slot for slot in range(4) if rng.random() < 0.8]
    taken = ground.records[chosen]
    for slot in range(4):
        if cells[slot]:
            ground.run(
                cell_index.begin_cell, plain_cell_index.begin_cell, ground.words,
                ground.records[slot], 1, 1, *ground.memory,
            )  # fmt: skip
    size = sum(3 + 3 * len(entries[slot]) + 12 * len(cells[slot]) for slot in chosen)
    out = np.full(size + 3, 77, dtype=np.uint32)
    assert agree(compiled.pack, plain.pack, ground.words, taken, out) == size
    assert out[size:].tolist() == [77, 77, 77]
    text, at = out.tobytes(), 0
    for slot in chosen:
        used, count, stale = struct.unpack_from("<III", text, at)
        assert (used, count) == (len(entries[slot]), len(cells[slot]))
        assert stale == ground.records[slot, STALE]
        parts = struct.unpack_from(f"<{used}Q{6 * count}q{used}I", text, at + 12)
        states = parts[used + 6 * count :]
        assert list(zip(parts[:used], states, strict=True)) == entries[slot]
        assert [list(parts[used + 6 * i :][:6]) for i in range(count)] == cells[slot]
        at += 12 + 12 * used + 48 * count
    assert at == 4 * size


@pytest.mark.parametrize("seed", range(5))
def test_tokens_with_a_cell_are_marked(seed: int) -> None:
    print("seed", seed)
    rng = Random(seed)
    ground = Ground(seed)
    tokens = [[rng.randrange(50) for _ in range(rng.randint(1, 9))] for _ in range(2)]
    for slot in range(2):
        cells = [[token + (rng.randint(-3, 3) << 32), 0, 0, 0, 0, 0] for token in tokens[slot]]
        ground.put_cells(slot, cells)
    seen = np.zeros(50, dtype=np.bool_)
    seen[7] = True
    slots = np.array([2, rng.randrange(2)], dtype=np.int32)
    agree(compiled.mark_tokens, plain.mark_tokens, ground.words, ground.records, slots, seen)
    assert np.flatnonzero(seen).tolist() == sorted({7, *tokens[slots[1]]})


def test_blocks_are_those_of_the_format() -> None:
    lists = Lists(3)
    rng = Random(3)
    for slot in lists.open(list(range(10))):
        lists.fill(rng, slot)
    for record in lists.ground.records:
        assert [block for block in plain.blocks_of(record) if block[1]] == blocks_of(record)
