"""The rolling sums of every window for every token, and which of them a batch changed."""

import numpy as np
from numpy.typing import NDArray

from swapstats.model.stats import ROW_WORDS


class Sums:
    """What cells are added to: rolling sums by token, and which tokens changed.

    Attributes:
        rolling: int64[tokens, windows, ROW_WORDS].
        stamps: int64[tokens], number of the batch that changed each token last.
        changed: int32[tokens], tokens changed by this batch.
        changed_count: how many.
        stamp: number of this batch.
        cell_of: int32[tokens], zeros between calls.
    """

    def __init__(self, tokens: int, windows: int) -> None:
        self.rolling = np.zeros((tokens, windows, ROW_WORDS), dtype=np.int64)
        self.stamps = np.zeros(tokens, dtype=np.int64)
        self.changed = np.zeros(tokens, dtype=np.int32)
        self.changed_count = 0
        self.stamp = 0
        self.cell_of = np.zeros(tokens, dtype=np.int32)

    @property
    def size_bytes(self) -> int:
        """Memory of the arrays."""
        return self.rolling.nbytes + self.stamps.nbytes + self.changed.nbytes + self.cell_of.nbytes

    def make_room(self, tokens: int) -> None:
        """Make the arrays long enough for so many tokens."""
        room = len(self.stamps)
        if tokens <= room:
            return
        more = max(tokens, room * 3 // 2) - room
        self.rolling = np.concatenate(
            (self.rolling, np.zeros((more, *self.rolling.shape[1:]), dtype=np.int64))
        )
        self.stamps = np.concatenate((self.stamps, np.zeros(more, dtype=np.int64)))
        self.changed = np.concatenate((self.changed, np.zeros(more, dtype=np.int32)))
        self.cell_of = np.concatenate((self.cell_of, np.zeros(more, dtype=np.int32)))

    def keep(self, kept: NDArray[np.int64]) -> None:
        """Forget all tokens but these (int64[k], ascending), which are numbered anew."""
        self.rolling = self.rolling[kept]
        self.stamps = np.zeros(len(kept), dtype=np.int64)
        self.changed = np.zeros(len(kept), dtype=np.int32)
        self.changed_count = 0
        self.cell_of = np.zeros(len(kept), dtype=np.int32)
