"""A memory of pairs (event_id, inclusion) that reaches further back than the windows."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class PairMemory(Protocol):
    """The add and remove sets of a partition, with the delivery that put each pair in.

    The same delivery is told the same again; any other delivery of a pair is a duplicate.
    """

    def decide(
        self,
        partition: int,
        offsets: NDArray[np.int64],
        fingerprints: NDArray[np.uint64],
        checks: NDArray[np.uint32],
        removed: NDArray[np.uint8],
    ) -> NDArray[np.uint8]:
        """Put the pairs of a batch into the sets, in order.

        Args:
            partition: where the records stand.
            offsets: int64[n].
            fingerprints: uint64[n], of (event_id, inclusion).
            checks: uint32[n], of the content.
            removed: uint8[n], 1 = a removal.

        Returns:
            uint8[n]: NEW, DUPLICATE, CONFLICT, REMOVED or CANCELLED of `core.kernels.dedup`.

        Raises:
            Transient: it cannot be reached; asking again is harmless.
            StoreFull: no room; some of the batch may be put in.
        """
        ...

    def close(self) -> None:
        """Release connections."""
        ...
