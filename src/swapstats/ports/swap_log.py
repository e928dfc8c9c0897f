"""The swap log: a durable, partitioned, append-only sequence of messages."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from swapstats.model.record import MessageBlock, RecordBatch


class SwapLogReader(Protocol):
    """Reads records; works beside a writer in another process."""

    @property
    def partition_count(self) -> int:
        """Number of partitions."""
        ...

    def start_offsets(self) -> list[int]:
        """First offset still held, by partition."""
        ...

    def end_offsets(self) -> list[int]:
        """Offset the next record will get, by partition."""
        ...

    def read(self, partition: int, offset: int, bytes_max: int) -> RecordBatch | None:
        """Read records from `offset` on.

        Returns:
            At least one record and about `bytes_max` bytes at most; None at the end of the log.

        Raises:
            OffsetGone: `offset` is below the first one held.
            StoreCorrupt: the bytes are not what was written.
        """
        ...

    def position(self, source: str) -> str | None:
        """Where a source stood when its last message was appended; None if never."""
        ...

    def positions(self, prefix: str) -> dict[str, str]:
        """Everything noted under names that begin with `prefix`; forgotten names are not there."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...


class SwapLog(SwapLogReader, Protocol):
    """The writer's side."""

    def append(
        self,
        block: MessageBlock,
        partitions: NDArray[np.int32],
        append_ms: int,
        positions: Mapping[str, str | None],
    ) -> None:
        """Append messages and note source positions in one transaction.

        Args:
            block: the messages.
            partitions: int32[n], the partition of each message.
            append_ms: append time; never lower than that of an earlier call.
            positions: where each source stands after these messages, and what it notes; None
                forgets a name.

        Raises:
            StoreFull: no space; nothing of the block was appended.
        """
        ...

    def trim(self, before_ms: int, bytes_max: int, keep_from: list[int]) -> int:
        """Drop whole old record groups.

        Args:
            before_ms: drop what was appended earlier than this ...
            bytes_max: ... and, oldest first, what exceeds this size (0 = no bound).
            keep_from: never drop at or after these offsets, by partition.

        Returns:
            Number of records dropped.
        """
        ...
