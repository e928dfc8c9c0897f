"""A small heap with a few buckets, for the tests of the kernels that work in it.

What lies in it is read here by the format alone: neither kernels nor their twins are asked.
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.core.kernels.twins import agree

from swapstats.core.kernels.records import (
    CAPACITY,
    CELL_CAPACITY,
    CELL_COUNT,
    CELL_INDEX,
    CELL_INDEX_SIZE,
    CELL_WORDS,
    CELLS,
    END,
    ENTRIES,
    FROZEN_AT,
    FROZEN_CELLS,
    FROZEN_USED,
    GRANULE_BITS,
    INDEX,
    INDEX_SIZE,
    NEXT,
    NUMBER,
    RECORD_WORDS,
    USED,
    WANTED,
)

GRANULE_WORDS = 1 << GRANULE_BITS
SLABS = (1, 1, 2, 3)
"""Granules of the slabs, unless said otherwise; granule 0 is before them and belongs to none."""
Cell = tuple[int, int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Sight:
    """What a snapshot has seen of a bucket: its record, and the bytes that this refers to."""

    record: NDArray[np.int64]
    entries: list[tuple[int, int]]
    cells: list[list[int]]


class Ground:
    """A heap full of old words, with room given a little at a time.

    Args:
        seed: of the old words.
        slots: buckets, numbered 0, 1, 2 ... like their slots.
        slabs: granules of each slab.

    Attributes:
        words, live, owner, bump: as kernels take them.
        records: int64[slots, RECORD_WORDS].
        refusals: how often a kernel had no room.
        snapshot: number of the last snapshot.
    """

    def __init__(self, seed: int = 0, slots: int = 3, slabs: tuple[int, ...] = SLABS) -> None:
        granules = 1 + sum(slabs)
        rng = np.random.default_rng(seed)
        self.words = rng.integers(0, 1 << 64, granules * GRANULE_WORDS, dtype=np.uint64)
        self.owner = np.zeros(granules, dtype=np.int32)
        first = 1
        for count in slabs:
            self.owner[first : first + count] = first
            first += count
        self.live = np.zeros(granules, dtype=np.int64)
        self.bump = np.zeros(3, dtype=np.int64)
        self.records = np.zeros((slots, RECORD_WORDS), dtype=np.int64)
        self.records[:, NUMBER] = np.arange(slots)
        self.refusals = 0
        self.snapshot = 0
        self._top = GRANULE_WORDS

    @property
    def memory(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
        """The last arguments of whatever takes blocks."""
        return self.bump, self.live, self.owner

    @property
    def halves(self) -> NDArray[np.uint32]:
        """The heap as half-words."""
        return self.words.view(np.uint32)

    def make_room(self, words: int = 0) -> None:
        """Give the bump other room: what it wanted, or so many words if that is more."""
        count = max(words, int(self.bump[WANTED]))
        at = self._top
        while self._slab(at) != self._slab(at + count - 1):
            at = (at // GRANULE_WORDS + 1) * GRANULE_WORDS
        self._top = at + count
        self.bump[[NEXT, END, WANTED]] = at, at + count, 0

    def run(self, kernel: Any, twin: Any, *arguments: Any, room: Any = lambda: 0) -> Any:
        """Call a kernel and its twin until they are done, with more room whenever they lack it.

        Args:
            kernel: returns False or -1 where there is no room.
            twin: the same.
            arguments: of both.
            room: how much to give at least, asked each time.
        """
        while True:
            found = agree(kernel, twin, *arguments)
            self.expect_accounted()
            if found is not False and found != -1:
                return found
            assert self.bump[WANTED] > 0
            self.refusals += 1
            self.make_room(room())

    def entries(self, record: NDArray[np.int64]) -> list[tuple[int, int]]:
        """Fingerprints and states, as they came."""
        at, used = int(record[ENTRIES]), int(record[USED])
        states = self.words[at + record[CAPACITY] :].tobytes()[: 4 * used]
        return list(
            zip(
                self.words[at : at + used].tolist(), struct.unpack(f"<{used}I", states), strict=True
            )
        )

    def pairs(self, record: NDArray[np.int64]) -> dict[int, int]:
        """State by fingerprint; of two entries the later one holds."""
        return dict(self.entries(record))

    def cells(self, record: NDArray[np.int64]) -> list[list[int]]:
        """Words of the cells, as they came."""
        at, words = int(record[CELLS]), CELL_WORDS * int(record[CELL_COUNT])
        block = self.words[at : at + words].view(np.int64)
        found: list[list[int]] = block.reshape(-1, CELL_WORDS).tolist()
        return found

    def sums(self, record: NDArray[np.int64]) -> dict[int, Cell]:
        """By token: trades, buys, unpriced, USD, USD of buys, token amount."""
        found: dict[int, Cell] = {}
        for words in self.cells(record):
            token, *parts = parsed(words)
            before = found.get(token, (0, 0, 0, 0, 0, 0))
            found[token] = tuple(a + b for a, b in zip(before, parts, strict=True))  # type: ignore[assignment] # six and six
        return found

    def freeze(self, slot: int) -> Sight:
        """Take a snapshot of one bucket."""
        self.snapshot += 1
        record = self.records[slot]
        seen = Sight(record.copy(), self.entries(record), self.cells(record))
        record[[FROZEN_AT, FROZEN_USED, FROZEN_CELLS]] = (
            self.snapshot, record[USED], record[CELL_COUNT],
        )  # fmt: skip
        return seen

    def expect_seen(self, seen: Sight) -> None:
        """Expect what a snapshot refers to, to be as it was."""
        assert self.entries(seen.record) == seen.entries
        assert self.cells(seen.record) == seen.cells

    def put_entries(self, slot: int, entries: list[tuple[int, int]]) -> None:
        """Lay entries into a bucket, in a block that they fill."""
        room = len(entries) + len(entries) % 2
        address = self._laid(3 * room // 2)
        self.words[address : address + len(entries)] = [code for code, _ in entries]
        states = 2 * (address + room)
        self.halves[states : states + len(entries)] = [state for _, state in entries]
        self.records[slot, [ENTRIES, CAPACITY, USED]] = address, room, len(entries)

    def put_cells(self, slot: int, cells: list[list[int]]) -> None:
        """Lay cells into a bucket, in a block that they fill."""
        address = self._laid(CELL_WORDS * len(cells))
        for at, words in enumerate(cells):
            self.words.view(np.int64)[address + CELL_WORDS * at :][:CELL_WORDS] = words
        columns = [CELLS, CELL_CAPACITY, CELL_COUNT]
        self.records[slot, columns] = address, len(cells), len(cells)

    def expect_accounted(self) -> None:
        """Expect words in use to be those of all blocks, and blocks to lie apart."""
        wanted = np.zeros_like(self.live)
        blocks = sorted(block for record in self.records for block in blocks_of(record))
        end = GRANULE_WORDS
        for address, words in blocks:
            assert address >= end
            end = address + words
            wanted[self._slab(address)] += words
            assert self._slab(address) == self._slab(end - 1)
        np.testing.assert_array_equal(self.live, wanted)

    def _laid(self, words: int) -> int:
        self.make_room(words)
        self.live[self._slab(int(self.bump[NEXT]))] += words
        address = int(self.bump[NEXT])
        self.bump[NEXT] += words
        return address

    def _slab(self, address: int) -> int:
        return int(self.owner[address // GRANULE_WORDS])


def blocks_of(record: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Address and words of every block of a bucket."""
    sizes = {
        ENTRIES: 3 * int(record[CAPACITY]) // 2,
        INDEX: int(record[INDEX_SIZE]) // 2,
        CELLS: CELL_WORDS * int(record[CELL_CAPACITY]),
        CELL_INDEX: int(record[CELL_INDEX_SIZE]) // 2,
    }
    return [(int(record[column]), words) for column, words in sizes.items() if words]


def parsed(words: list[int]) -> tuple[int, int, int, int, int, int, int]:
    """Token, trades, buys, unpriced, USD, USD of buys and token amount of a cell."""
    text = struct.pack("<6q", *words)
    token, unpriced, trades, buys, usd, buy_usd, low, high = struct.unpack("<IiiiqqQq", text)
    buys += trades < 0
    return token, trades, buys, unpriced, usd, buy_usd, low + (high << 64)


def edges_of(sizes: list[int]) -> NDArray[np.int32]:
    """Where groups of so many rows begin, and the end."""
    return np.cumsum([0, *sizes]).astype(np.int32)
