"""The time buckets of one shard: add/remove sets and cells of every step that holds something.

All buckets lie in one heap and are worked on by kernels, many at a call: a batch costs the same
whether its swaps fall into one bucket or into thousands. What a snapshot refers to is never
changed and never given back while somebody holds the snapshot (`core.snapshot`).
"""

import struct
import weakref
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapstats.core.columns import Columns
from swapstats.core.heap import Heap
from swapstats.core.kernels import bucket_lists, cells, dedup, rolling, seal
from swapstats.core.kernels.bucket_lists import COUNT, DIRTY, FREE, ROOMY
from swapstats.core.kernels.records import (
    CAPACITY,
    CELL_CAPACITY,
    CELL_COUNT,
    CELL_WORDS,
    CELLS,
    ENTRIES,
    FROZEN_AT,
    FROZEN_CELLS,
    FROZEN_USED,
    INDEX_SIZE,
    IS_DIRTY,
    IS_ROOMY,
    NUMBER,
    RECORD_WORDS,
    STALE,
    USED,
    WANTED,
    entry_words,
    take,
)
from swapstats.core.snapshot import FrozenBuckets
from swapstats.core.sums import Sums
from swapstats.errors import StoreCorrupt
from swapstats.model.stats import ROW_WORDS

_HEAD = struct.Struct("<III")
_SLOTS_START = 64
_SEAL_EVERY_BATCHES = 16
_QUIET_BATCHES = 64
_SEAL_WORDS_MAX = 400_000
_KEEP_NUMBERS: NDArray[np.int64] = np.zeros(0, dtype=np.int64)


class Buckets:
    """Buckets by number."""

    def __init__(self) -> None:
        self._heap = Heap()
        self._records = np.zeros((_SLOTS_START, RECORD_WORDS), dtype=np.int64)
        self._numbers = np.zeros(_SLOTS_START, dtype=np.int64)
        self._slots = np.zeros(_SLOTS_START, dtype=np.int32)
        self._free = np.arange(_SLOTS_START, dtype=np.int32)[::-1].copy()
        self._roomy = np.zeros(_SLOTS_START, dtype=np.int32)
        self._dirty = np.zeros(_SLOTS_START, dtype=np.int32)
        self._counts = np.zeros(4, dtype=np.int64)
        self._counts[FREE] = _SLOTS_START
        self._sealed_at = 0
        self._snapshot = 0
        self._held: deque[tuple[int, weakref.ref[FrozenBuckets]]] = deque()

    def __len__(self) -> int:
        return int(self._counts[COUNT])

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Numbers of the buckets held, ascending (int64[k], a copy)."""
        return self._numbers[: len(self)].copy()

    @property
    def dirty_numbers(self) -> NDArray[np.int64]:
        """Numbers of the buckets changed since the last snapshot, ascending."""
        return np.sort(self._records[self._dirty_slots(), NUMBER])

    @property
    def size_bytes(self) -> int:
        """Memory of everything."""
        return self._heap.size_bytes + sum(
            array.nbytes
            for array in (
                self._records,
                self._numbers,
                self._slots,
                self._free,
                self._roomy,
                self._dirty,
            )
        )

    def totals(self) -> tuple[int, int, int, int]:
        """Pairs, cells, memory of the sets and of the cells in bytes."""
        held = self._records[self._slots[: len(self)]]
        return (
            int((held[:, USED] - held[:, STALE]).sum()),
            int(held[:, CELL_COUNT].sum()),
            int((12 * held[:, CAPACITY] + 4 * held[:, INDEX_SIZE]).sum()),
            int(8 * CELL_WORDS * held[:, CELL_CAPACITY].sum()),
        )

    def open(self, found: NDArray[np.int64], stamp: int) -> NDArray[np.int32]:
        """Find or begin the buckets that are about to change.

        Args:
            found: int64[g], bucket numbers, ascending and distinct.
            stamp: number of the batch.

        Returns:
            int32[g]: the slot of each.
        """
        self._make_slots(len(found))
        opened = np.empty(len(found), dtype=np.int32)
        bucket_lists.open_buckets(
            found,
            self._numbers,
            self._slots,
            self._records,
            self._free,
            self._roomy,
            self._dirty,
            self._counts,
            stamp,
            opened,
        )
        return opened

    def decide(
        self,
        opened: NDArray[np.int32],
        edges: NDArray[np.int32],
        rows: NDArray[np.int32],
        columns: Columns,
        outcome: NDArray[np.uint8],
    ) -> None:
        """Put messages into the sets of opened buckets; see `kernels.dedup.decide`."""
        heap = self._heap
        settled = self._settled()
        cursor = np.zeros(2, dtype=np.int64)
        while not dedup.decide(
            heap.words,
            self._records,
            opened,
            edges,
            rows,
            columns.fingerprint,
            columns.check,
            columns.removed,
            settled,
            heap.young,
            heap.live,
            heap.owner,
            cursor,
            outcome,
        ):
            heap.make_room(heap.young)

    def add(
        self,
        opened: NDArray[np.int32],
        edges: NDArray[np.int32],
        rows: NDArray[np.int32],
        columns: Columns,
        tokens: NDArray[np.int32],
        fate: NDArray[np.uint8],
        end_bucket: int,
        widths: NDArray[np.int64],
        sums: Sums,
    ) -> None:
        """Add contributions to opened buckets and to the windows; see `kernels.cells.add`."""
        heap = self._heap
        settled = self._settled()
        cursor = np.array([0, 0, sums.changed_count], dtype=np.int64)
        while not cells.add(
            heap.words,
            self._records,
            opened,
            edges,
            rows,
            tokens,
            fate,
            columns.side,
            columns.unpriced,
            columns.usd,
            columns.lo,
            columns.hi,
            end_bucket,
            widths,
            sums.rolling,
            sums.stamps,
            sums.stamp,
            sums.changed,
            settled,
            heap.young,
            heap.live,
            heap.owner,
            cursor,
        ):
            heap.make_room(heap.young)
        sums.changed_count = int(cursor[2])

    def shift(self, low: int, high: int, window: int, sign: int, sums: Sums) -> None:
        """Let the buckets from `low` to below `high` enter (1) or leave (-1) a window."""
        if high <= low:
            return
        held = self._numbers[: len(self)]
        first, last = held.searchsorted((low, high)).tolist()
        if first == last:
            return
        sums.changed_count = rolling.shift(
            self._heap.words,
            self._records,
            self._slots[first:last],
            window,
            sign,
            sums.rolling,
            sums.stamps,
            sums.stamp,
            sums.changed,
            sums.changed_count,
        )

    def drop(self, below: int) -> None:
        """Throw away the buckets with a lower number."""
        heap = self._heap
        bucket_lists.drop_buckets(
            below,
            self._numbers,
            self._slots,
            self._records,
            self._free,
            self._counts,
            heap.live,
            heap.owner,
        )

    def seal_quiet(self, sums: Sums) -> None:
        """Now and then: pack buckets that nothing touched for a while, free empty slabs."""
        if sums.stamp - self._sealed_at < _SEAL_EVERY_BATCHES:
            return
        self._sealed_at = sums.stamp
        heap = self._heap
        while True:
            self._counts[ROOMY] = seal.seal_quiet(
                heap.words,
                self._records,
                self._roomy,
                self._counts[ROOMY],
                sums.stamp - _QUIET_BATCHES,
                _SEAL_WORDS_MAX,
                _KEEP_NUMBERS,
                sums.cell_of,
                heap.packed,
                heap.live,
                heap.owner,
            )
            if not heap.packed[WANTED]:
                break
            heap.make_room(heap.packed)
        if self._settled() == self._snapshot:
            heap.release()

    def renumber(self, numbers: NDArray[np.int64], sums: Sums) -> None:
        """Give tokens other numbers (int64[tokens], new by old); packs every bucket."""
        heap = self._heap
        for slot in self._slots[: len(self)].tolist():
            while not seal.seal(
                heap.words,
                self._records[slot],
                numbers,
                sums.cell_of,
                heap.packed,
                heap.live,
                heap.owner,
            ):
                heap.make_room(heap.packed)

    def mark_tokens(self, seen: NDArray[np.bool_]) -> None:
        """Mark the tokens that have a cell in any bucket (bool[tokens], changed)."""
        bucket_lists.mark_tokens(self._heap.words, self._records, self._slots[: len(self)], seen)

    def token_sums(
        self, token: int, low: int, high: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Sums of one token, bucket by bucket, from `low` to below `high`.

        Returns:
            Bucket numbers (int64[k]) and rolling rows (int64[k, ROW_WORDS]).
        """
        first, last = self._numbers[: len(self)].searchsorted((low, high)).tolist()
        rows = np.zeros((last - first, ROW_WORDS), dtype=np.int64)
        rolling.sum_token(self._heap.words, self._records, self._slots[first:last], token, rows)
        return self._numbers[first:last].copy(), rows

    def freeze(self, *, everything: bool) -> FrozenBuckets:
        """Take what changed since the last snapshot (or everything), by reference."""
        self._snapshot += 1
        slots = self._slots[: len(self)] if everything else self._dirty_slots()
        order = np.argsort(self._records[slots, NUMBER])
        slots = slots[order]
        frozen = FrozenBuckets(self._heap.words, self._records[slots])
        self._records[slots, FROZEN_AT] = self._snapshot
        self._records[slots, FROZEN_USED] = self._records[slots, USED]
        self._records[slots, FROZEN_CELLS] = self._records[slots, CELL_COUNT]
        self._records[:, IS_DIRTY] = 0
        self._counts[DIRTY] = 0
        self._held.append((self._snapshot, weakref.ref(frozen)))
        return frozen

    def load(self, number: int, blob: bytes) -> None:
        """Take a bucket that `FrozenBuckets.encode` wrote; its number is above all others.

        Raises:
            StoreCorrupt: the length does not fit the counts.
        """
        if len(blob) < _HEAD.size:
            raise StoreCorrupt(f"Expected a bucket, was {len(blob)} bytes; start with --rebuild")
        used, count, stale = _HEAD.unpack_from(blob)
        cells_at = _HEAD.size + 8 * used
        states_at = cells_at + 8 * CELL_WORDS * count
        if len(blob) != states_at + 4 * used or stale > used:
            raise StoreCorrupt(
                f"Expected {states_at + 4 * used} bytes in bucket {number}, was {len(blob)}, and "
                f"at most {used} superseded entries, was {stale}; start with --rebuild"
            )
        slot = int(self.open(np.array([number]), 0)[0])
        room = used + (used & 1)
        address = self._take(entry_words(room) + CELL_WORDS * count)
        at = address + entry_words(room)
        words = self._heap.words
        words[address : address + used] = np.frombuffer(blob, np.uint64, used, _HEAD.size)
        states = words[address + room : at].view(np.uint32)
        states[:used] = np.frombuffer(blob, np.uint32, used, states_at)
        words[at : at + CELL_WORDS * count] = np.frombuffer(
            blob, np.uint64, CELL_WORDS * count, cells_at
        )
        record = self._records[slot]
        record[[ENTRIES, CAPACITY, USED, STALE]] = address, room, used, stale
        record[[CELLS, CELL_CAPACITY, CELL_COUNT]] = at, count, count
        record[[IS_DIRTY, IS_ROOMY]] = 0
        self._counts[[DIRTY, ROOMY]] -= 1

    def _take(self, words: int) -> int:
        if words == 0:
            return 0
        heap = self._heap
        while True:
            address = take(words, heap.packed, heap.live, heap.owner)
            if address:
                return int(address)
            heap.make_room(heap.packed)

    def _dirty_slots(self) -> NDArray[np.int32]:
        listed = np.unique(self._dirty[: self._counts[DIRTY]])
        still: NDArray[np.int32] = listed[self._records[listed, IS_DIRTY] != 0]
        return still

    def _settled(self) -> int:
        """Number of the newest snapshot that, like all before it, nobody holds any more."""
        held = self._held
        while held and held[0][1]() is None:
            held.popleft()
        return held[0][0] - 1 if held else self._snapshot

    def _make_slots(self, more: int) -> None:
        """Make the lists long enough for `more` buckets to be opened."""
        counts = self._counts
        if counts[FREE] < more:
            room = len(self._records)
            added = max(more, room)
            self._records = np.concatenate(
                (self._records, np.zeros((added, RECORD_WORDS), dtype=np.int64))
            )
            free = np.arange(room + added - 1, room - 1, -1, dtype=np.int32)
            self._free = np.concatenate((free, self._free))
            counts[FREE] += added
        if len(self._numbers) < counts[COUNT] + more:
            self._numbers = _longer(self._numbers, int(counts[COUNT]) + more)
            self._slots = _longer(self._slots, int(counts[COUNT]) + more)
        if len(self._roomy) < counts[ROOMY] + more:
            self._roomy = _longer(self._roomy, int(counts[ROOMY]) + more)
        if len(self._dirty) < counts[DIRTY] + more:
            still = self._dirty_slots()
            self._dirty[: len(still)] = still
            counts[DIRTY] = len(still)
            self._dirty = _longer(self._dirty, int(counts[DIRTY]) + more)


def _longer(array: NDArray[Any], count: int) -> NDArray[Any]:
    longer = np.zeros(max(count, 2 * len(array)), dtype=array.dtype)
    longer[: len(array)] = array
    return longer
