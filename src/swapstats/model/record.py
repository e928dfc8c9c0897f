"""Records of the swap log: raw message bytes with their place and append time."""

from array import array
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """A run of records of one partition, in log order.

    Message i is `buffer[bounds[i]:bounds[i + 1]]`.

    Attributes:
        partition: the partition they were read from.
        offsets: int64[n], ascending; gaps are possible.
        append_ms: int64[n], when the log took each record, ms since epoch.
        buffer: uint8[...], the messages end to end.
        bounds: int64[n + 1], ascending.
    """

    partition: int
    offsets: NDArray[np.int64]
    append_ms: NDArray[np.int64]
    buffer: NDArray[np.uint8]
    bounds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def next_offset(self) -> int:
        """Offset after the last record; raises IndexError on an empty batch."""
        return int(self.offsets[-1]) + 1

    def message(self, index: int) -> bytes:
        """Original bytes of record `index`."""
        return self.buffer[self.bounds[index] : self.bounds[index + 1]].tobytes()


@dataclass(frozen=True, slots=True)
class MessageBlock:
    """Messages on their way into the log, without partition or offset yet.

    Message i is `buffer[bounds[i]:bounds[i + 1]]`.

    Attributes:
        buffer: uint8[...], the messages end to end.
        bounds: int64[n + 1], ascending.
    """

    buffer: NDArray[np.uint8]
    bounds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @staticmethod
    def of(messages: list[bytes]) -> "MessageBlock":
        """Lay messages end to end."""
        ends = array("q", accumulate(map(len, messages), initial=0))
        bounds = np.frombuffer(ends, dtype=np.int64)
        return MessageBlock(np.frombuffer(b"".join(messages), dtype=np.uint8), bounds)

    def message(self, index: int) -> bytes:
        """Bytes of message `index`."""
        return self.buffer[self.bounds[index] : self.bounds[index + 1]].tobytes()
