"""A snapshot of a shard, by reference: cheap to take, encoded later and elsewhere.

As long as somebody holds it, nothing it refers to is changed or given back: entries and cells it
has seen are superseded by newer ones instead (`core.buckets`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.bucket_lists import HEAD_HALVES, pack
from swapstats.core.kernels.records import CELL_COUNT, CELL_WORDS, NUMBER, USED
from swapstats.core.token_table import encode_names
from swapstats.model.checkpoint import CheckpointDelta, CheckpointHeader
from swapstats.model.effects import TokenName

_PACKED_HALVES_MAX = 1 << 20
"""Buckets are written out about 4 MiB at a time."""


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class FrozenBuckets:
    """Buckets as they were at a snapshot.

    Attributes:
        words: uint64[...], the heap they lie in.
        records: int64[k, RECORD_WORDS], copies of their records, by bucket number.
    """

    words: NDArray[np.uint64]
    records: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.records)

    def encode(self) -> dict[int, bytes]:
        """Write every bucket as bytes; may run in another thread.

        Returns:
            Bucket number -> counts (HEAD_HALVES x uint32), fingerprints (uint64), cells
            (CELL_WORDS x int64 each), states (uint32), all little-endian.
        """
        sizes = (
            HEAD_HALVES + 3 * self.records[:, USED] + 2 * CELL_WORDS * self.records[:, CELL_COUNT]
        )
        ends = np.cumsum(sizes)
        numbers = self.records[:, NUMBER].tolist()
        found: dict[int, bytes] = {}
        first = 0
        while first < len(numbers):
            before = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(ends, before + _PACKED_HALVES_MAX, "right")))
            out = np.empty(int(ends[last - 1]) - before, dtype=np.uint32)
            pack(self.words, self.records[first:last], out)
            packed = out.tobytes()
            bounds = [0, *(4 * (ends[first:last] - before)).tolist()]
            for i in range(last - first):
                found[numbers[first + i]] = packed[bounds[i] : bounds[i + 1]]
            first = last
        return found


@dataclass(frozen=True, slots=True)
class SnapshotDraft:
    """What changed since the snapshot before.

    Attributes:
        header: the header of the new revision.
        buckets: changed buckets, frozen.
        names: tokens that are new or got their symbol.
        full: True if everything is in it.
    """

    header: CheckpointHeader
    buckets: FrozenBuckets
    names: tuple[TokenName, ...]
    full: bool

    def encode(self) -> CheckpointDelta:
        """Write the draft as bytes; may run in another thread."""
        return CheckpointDelta(
            header=self.header,
            buckets=self.buckets.encode(),
            tokens=encode_names(list(self.names)),
            full=self.full,
        )
