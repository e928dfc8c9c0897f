"""A memory of pairs in a dictionary, which can be away: the twin of `RedisDedupe`."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.dedup import CANCELLED, CONFLICT, DUPLICATE, NEW, REMOVED
from swapstats.errors import Transient


class MemoryPairs:
    """Knows every pair for good.

    Args:
        is_away: asked before each call.
    """

    def __init__(self, is_away: Callable[[], bool] = lambda: False) -> None:
        self.is_away = is_away
        self.told_duplicates = 0
        self._owners: dict[tuple[int, int], tuple[int, dict[int, int]]] = {}

    def decide(
        self,
        partition: int,
        offsets: NDArray[np.int64],
        fingerprints: NDArray[np.uint64],
        checks: NDArray[np.uint32],
        removed: NDArray[np.uint8],
    ) -> NDArray[np.uint8]:
        if self.is_away():
            raise Transient("the memory is away", 1)
        rows = zip(
            offsets.tolist(), fingerprints.tolist(), checks.tolist(), removed.tolist(), strict=True
        )
        told = np.array([self._decide(partition, *row) for row in rows], dtype=np.uint8)
        self.told_duplicates += int((told == DUPLICATE).sum())
        return told

    def close(self) -> None:
        """Nothing to release."""

    def _decide(self, partition: int, offset: int, pair: int, check: int, removed: int) -> int:
        first_check, owners = self._owners.setdefault((partition, pair), (check, {}))
        if check != first_check:
            return CONFLICT
        if owners.setdefault(removed, offset) != offset:
            return DUPLICATE
        removal_first = next(iter(owners)) == 1
        if removed:
            return CANCELLED if removal_first else REMOVED
        return CANCELLED if removal_first else NEW
