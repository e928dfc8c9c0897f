"""One shard's memory: a large reservation, handed out in slabs to the kernels that fill it.

Only what is written to takes memory: the reservation itself is address space. A slab is a run of
64 KiB granules that kernels fill front to back; when every block in it has been given back, the
whole slab is free again. Blocks of buckets that are packed together die together, so slabs do not
stay behind half empty.

    granule   0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | ...        0 is never used: address 0 is no block
                [slab   ][slab ][ free  ][ not used yet
"""

import contextlib
import mmap
import sys
from bisect import insort

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.records import END, GRANULE_BITS, NEXT, WANTED
from swapstats.errors import StateTooLarge

GRANULE_WORDS = 1 << GRANULE_BITS
GRANULE_BYTES = 8 * GRANULE_WORDS
RESERVED_BYTES = 64 << 30
"""Address space of a shard; less is taken where the system allows less."""
_RESERVED_BYTES_MIN = 256 << 20
_NO_RESERVE = {"linux": 0x4000, "darwin": 0x40}
_SLAB_GRANULES_MAX = 64
_SLAB_SHARE = 256
_WARM_BYTES_MIN = 64 << 20


class Heap:
    """Slabs of words.

    Args:
        reserved_bytes: address space to ask for.

    Attributes:
        words: uint64[...], the reservation.
        live: int64[granules], words in use by first granule of each slab.
        owner: int32[granules], first granule of the slab each granule belongs to.
        young: int64[3], the slab that growing buckets are filling (`records.take`).
        packed: int64[3], the slab that packed buckets are filling.
        used_bytes: size of all slabs.
    """

    def __init__(self, reserved_bytes: int = RESERVED_BYTES) -> None:
        self._map = _reserve(reserved_bytes)
        self.words: NDArray[np.uint64] = np.frombuffer(self._map, dtype=np.uint64)
        granules = len(self._map) // GRANULE_BYTES
        self.live = np.zeros(granules, dtype=np.int64)
        self.owner = np.zeros(granules, dtype=np.int32)
        self.young = np.zeros(3, dtype=np.int64)
        self.packed = np.zeros(3, dtype=np.int64)
        self.used_bytes = 0
        self._granules = granules
        self._top = 1
        self._slabs: dict[int, int] = {}
        self._free: list[tuple[int, int]] = []
        self._warm_granules = 0

    @property
    def size_bytes(self) -> int:
        """Memory taken from the system: slabs, and free ones not given back to it yet."""
        return self.used_bytes + self._warm_granules * GRANULE_BYTES

    def make_room(self, bump: NDArray[np.int64]) -> None:
        """Give a bump another slab to fill, large enough for what it wanted.

        Raises:
            StateTooLarge: the reservation is used up.
        """
        wanted = -(-int(bump[WANTED]) // GRANULE_WORDS)
        usual = min(self.used_bytes // (_SLAB_SHARE * GRANULE_BYTES) + 1, _SLAB_GRANULES_MAX)
        count = max(wanted, usual)
        first = self._find(count)
        self._slabs[first] = count
        self.owner[first : first + count] = first
        self.live[first] = 0
        self.used_bytes += count * GRANULE_BYTES
        bump[NEXT] = first * GRANULE_WORDS
        bump[END] = (first + count) * GRANULE_WORDS
        bump[WANTED] = 0

    def release(self) -> None:
        """Free the slabs that hold nothing any more; nobody may hold a snapshot of them."""
        firsts = np.fromiter(self._slabs, dtype=np.int64, count=len(self._slabs))
        filling = {int(bump[END]) for bump in (self.young, self.packed)}
        for first in firsts[self.live[firsts] == 0].tolist():
            count = self._slabs[first]
            if (first + count) * GRANULE_WORDS in filling:
                continue
            del self._slabs[first]
            self.used_bytes -= count * GRANULE_BYTES
            self._put_back(first, count)
        if self._warm_granules * GRANULE_BYTES > max(_WARM_BYTES_MIN, self.used_bytes // 4):
            self._cool()

    def _find(self, count: int) -> int:
        """First granule of a free run: the first that fits, else a part not used yet."""
        for place, (first, length) in enumerate(self._free):
            if length >= count:
                if length == count:
                    del self._free[place]
                else:
                    self._free[place] = (first + count, length - count)
                self._warm_granules = max(0, self._warm_granules - count)
                return first
        if self._top + count > self._granules:
            raise StateTooLarge(
                f"Expected the state of a shard to fit {self._granules * GRANULE_BYTES >> 20} MiB, "
                "was more: use more partitions, shorter windows or a wider step"
            )
        first = self._top
        self._top += count
        return first

    def _put_back(self, first: int, count: int) -> None:
        """Note a run as free, joined with the free runs beside it."""
        added = count
        insort(self._free, (first, count))
        place = self._free.index((first, count))
        if place + 1 < len(self._free) and self._free[place + 1][0] == first + count:
            count += self._free.pop(place + 1)[1]
            self._free[place] = (first, count)
        if place and sum(self._free[place - 1]) == first:
            self._free[place - 1] = (self._free[place - 1][0], self._free[place - 1][1] + count)
            del self._free[place]
        self._warm_granules += added

    def _cool(self) -> None:
        """Give the memory of free runs back to the system; their addresses stay ours."""
        for first, count in self._free:
            self._map.madvise(mmap.MADV_DONTNEED, first * GRANULE_BYTES, count * GRANULE_BYTES)
        self._warm_granules = 0


def _reserve(wanted_bytes: int) -> mmap.mmap:
    """Reserve address space, as much as the system allows up to what is wanted."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE.get(sys.platform, 0)
    size = -(-wanted_bytes // GRANULE_BYTES) * GRANULE_BYTES
    while True:
        try:
            found = mmap.mmap(-1, size, flags=flags)
        except OSError as error:
            if size <= _RESERVED_BYTES_MIN:
                raise StateTooLarge(
                    f"Expected {size >> 20} MiB of address space for a shard, was {error}: raise "
                    "the limit on address space (ulimit -v), or allow overcommitting memory"
                ) from error
            size = max(_RESERVED_BYTES_MIN, size // 2 // GRANULE_BYTES * GRANULE_BYTES)
            continue
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with contextlib.suppress(OSError):  # a kernel without huge pages: slower, not wrong
                found.madvise(mmap.MADV_HUGEPAGE)
        return found
