"""One time bucket: the add/remove sets and the cells of one step, and how both grow.

A bucket that changes often is kept roomy; once it is quiet it is sealed: tables packed tight,
the cell index dropped until it is needed again. A snapshot takes references, not copies: it
freezes the bucket, and the next change copies the arrays first.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swapstats.core.columns import Columns
from swapstats.core.kernels import cells as cell_kernel
from swapstats.core.kernels import dedup as dedup_kernel
from swapstats.core.kernels.cells import CELL_WORDS
from swapstats.errors import InvariantBroken, StoreCorrupt

_ROOMY_LOAD = 0.7
_SEALED_LOAD = 0.85
_FULL_LOAD = 0.92
_HEAD = struct.Struct("<II")
_TOKEN_MASK = np.int64(0xFFFFFFFF)
_NO_INDEX: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
_NO_CELLS: NDArray[np.int64] = np.zeros((0, CELL_WORDS), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class FrozenBucket:
    """A bucket as it was at a snapshot; nobody changes these arrays any more.

    Attributes:
        number: bucket number, event_time // step.
        fingerprints: uint64[capacity], 0 = empty.
        states: uint32[capacity].
        used: entries held.
        cells: int64[>= cell_count, CELL_WORDS].
        cell_count: cells in use.
    """

    number: int
    fingerprints: NDArray[np.uint64]
    states: NDArray[np.uint32]
    used: int
    cells: NDArray[np.int64]
    cell_count: int

    def encode(self) -> bytes:
        """Write the bucket as bytes: counts, fingerprints, cells, states, all little-endian."""
        fingerprints = np.empty(self.used, dtype=np.uint64)
        states = np.empty(self.used, dtype=np.uint32)
        packed = dedup_kernel.pack(self.fingerprints, self.states, fingerprints, states)
        if packed != self.used:
            raise InvariantBroken(
                f"Expected {self.used} entries in bucket {self.number}, was {packed}"
            )
        return b"".join(
            (
                _HEAD.pack(self.used, self.cell_count),
                fingerprints.tobytes(),
                self.cells[: self.cell_count].tobytes(),
                states.tobytes(),
            )
        )


class Bucket:
    """The mutable state of one step.

    Attributes:
        number: bucket number, event_time // step.
        used: fingerprints held.
        cell_count: cells in use.
        touched: number of the batch that changed it last.
        is_roomy: True until it is sealed.
    """

    __slots__ = (
        "_cells",
        "_fingerprints",
        "_frozen",
        "_index",
        "_states",
        "_used_max",
        "cell_count",
        "is_roomy",
        "number",
        "touched",
        "used",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.used = 0
        self.cell_count = 0
        self.touched = 0
        self.is_roomy = True
        self._fingerprints = np.zeros(8, dtype=np.uint64)
        self._states = np.zeros(8, dtype=np.uint32)
        self._used_max = 5
        self._cells = _NO_CELLS
        self._index = _NO_INDEX
        self._frozen = False

    @property
    def size_bytes(self) -> int:
        """Memory of the arrays."""
        return (
            self._fingerprints.nbytes
            + self._states.nbytes
            + self._cells.nbytes
            + self._index.nbytes
        )

    @property
    def sets_bytes(self) -> int:
        """Memory of the add/remove sets alone."""
        return self._fingerprints.nbytes + self._states.nbytes

    def decide(self, rows: NDArray[np.int32], columns: Columns, outcome: NDArray[np.uint8]) -> None:
        """Put messages into the sets and write what the sets say of each.

        Args:
            rows: int32[k], rows of this bucket in log order.
            columns: the decoded batch.
            outcome: uint8[n], out, by row.
        """
        self._thaw()
        at = 0
        while True:
            at, self.used = dedup_kernel.decide(
                self._fingerprints,
                self._states,
                self.used,
                self._used_max,
                rows,
                at,
                columns.fingerprint,
                columns.check,
                columns.removed,
                outcome,
            )
            if at == len(rows):
                return
            self._resize(max(8, 2 * len(self._fingerprints)), _ROOMY_LOAD)

    def contribute(
        self,
        rows: NDArray[np.int32],
        columns: Columns,
        tokens: NDArray[np.int32],
        fate: NDArray[np.uint8],
        taken_back: int,
        rolling: NDArray[np.int64],
        inside: NDArray[np.uint8],
        stamps: NDArray[np.int64],
        stamp: int,
        changed: NDArray[np.int32],
        changed_count: int,
    ) -> int:
        """Add contributing rows to the cells and to the windows the bucket lies in.

        Arguments are those of `kernels.cells.add`.

        Returns:
            Number of changed tokens.
        """
        self._thaw()
        at = 0
        while True:
            if len(self._index) == 0:
                self._build_index(max(8, len(self._cells)))
            at, self.cell_count, changed_count = cell_kernel.add(
                self._cells,
                self._index,
                self.cell_count,
                rows,
                at,
                tokens,
                fate,
                taken_back,
                columns.side,
                columns.unpriced,
                columns.usd,
                columns.lo,
                columns.hi,
                rolling,
                inside,
                stamps,
                stamp,
                changed,
                changed_count,
            )
            if at == len(rows):
                return changed_count
            self._build_index(2 * len(self._cells))

    def shift(
        self,
        window: int,
        sign: int,
        rolling: NDArray[np.int64],
        stamps: NDArray[np.int64],
        stamp: int,
        changed: NDArray[np.int32],
        changed_count: int,
    ) -> int:
        """Let the bucket enter (1) or leave (-1) one window; returns the changed tokens."""
        return cell_kernel.shift(
            self._cells,
            self.cell_count,
            window,
            sign,
            rolling,
            stamps,
            stamp,
            changed,
            changed_count,
        )

    def sum_token(self, token: int, row: NDArray[np.int64]) -> None:
        """Add one token's cells to a rolling row (int64[ROW_WORDS])."""
        cell_kernel.sum_token(self._cells, self.cell_count, token, row)

    def mark_tokens(self, seen: NDArray[np.bool_]) -> None:
        """Mark the tokens that have a cell here (bool[tokens], changed)."""
        seen[self._cells[: self.cell_count, 0] & _TOKEN_MASK] = True

    def renumber(self, numbers: NDArray[np.int64]) -> None:
        """Give tokens other numbers.

        Args:
            numbers: int64[tokens], new number by old one.
        """
        self._thaw()
        words = self._cells[: self.cell_count, 0]
        words[:] = (words & ~_TOKEN_MASK) | numbers[words & _TOKEN_MASK]
        self._index = _NO_INDEX

    def freeze(self) -> FrozenBucket:
        """Hand out the arrays as they are; the next change will work on a copy."""
        self._frozen = True
        return FrozenBucket(
            self.number,
            self._fingerprints,
            self._states,
            self.used,
            self._cells,
            self.cell_count,
        )

    def seal(self) -> None:
        """Pack the tables tight; the bucket stays usable."""
        self._resize(max(4, int(self.used / _SEALED_LOAD) + 1), _FULL_LOAD)
        if self._frozen or len(self._cells) > self.cell_count:
            self._cells = self._cells[: self.cell_count].copy()
        self._index = _NO_INDEX
        self._frozen = False
        self.is_roomy = False

    def _thaw(self) -> None:
        if self._frozen:
            self._fingerprints = self._fingerprints.copy()
            self._states = self._states.copy()
            self._cells = self._cells.copy()
            self._frozen = False

    def _resize(self, capacity: int, load: float) -> None:
        fingerprints = np.zeros(capacity, dtype=np.uint64)
        states = np.zeros(capacity, dtype=np.uint32)
        dedup_kernel.refill(self._fingerprints, self._states, fingerprints, states)
        self._fingerprints = fingerprints
        self._states = states
        self._used_max = min(capacity - 1, int(capacity * load))

    def _build_index(self, capacity: int) -> None:
        if capacity > len(self._cells):
            cells = np.empty((capacity, CELL_WORDS), dtype=np.int64)
            cells[: self.cell_count] = self._cells[: self.cell_count]
            self._cells = cells
        self._index = np.zeros(1 << (2 * capacity - 1).bit_length(), dtype=np.int32)
        if self.cell_count:
            cell_kernel.index_cells(self._cells, self.cell_count, self._index)

    @staticmethod
    def decode(number: int, blob: bytes) -> "Bucket":
        """Read back what `FrozenBucket.encode` wrote; the bucket comes back sealed.

        Raises:
            StoreCorrupt: the length does not fit the counts.
        """
        if len(blob) < _HEAD.size:
            raise StoreCorrupt(f"Expected a bucket, was {len(blob)} bytes; start with --rebuild")
        used, cell_count = _HEAD.unpack_from(blob)
        cells_at = _HEAD.size + 8 * used
        states_at = cells_at + 8 * CELL_WORDS * cell_count
        if len(blob) != states_at + 4 * used:
            raise StoreCorrupt(
                f"Expected {states_at + 4 * used} bytes in bucket {number}, was {len(blob)}; "
                "start with --rebuild"
            )
        bucket = Bucket(number)
        bucket._fingerprints = np.frombuffer(blob, np.uint64, used, _HEAD.size)
        bucket._states = np.frombuffer(blob, np.uint32, used, states_at)
        bucket._resize(max(4, int(used / _SEALED_LOAD) + 1), _FULL_LOAD)
        bucket.used = used
        flat = np.frombuffer(blob, np.int64, cell_count * CELL_WORDS, cells_at)
        bucket._cells = flat.reshape(cell_count, CELL_WORDS).copy()
        bucket.cell_count = cell_count
        bucket.is_roomy = False
        return bucket
