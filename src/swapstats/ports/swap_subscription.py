"""A consumer's share of the swap log: the partitions it was given, and their records as they come.

Group membership, hand-over and back-pressure live behind this port; who owns a partition restores
its shard in `assigned` and leaves a checkpoint behind in `revoked`.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from swapstats.model.record import RecordBatch


class PartitionOwner(Protocol):
    """Told when partitions come and go; called from within `poll` and `close`, on their thread."""

    def assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """Take partitions over.

        Returns:
            The offset to read each of them from.

        Raises:
            OffsetGone: the log no longer holds what the state must resume from.
        """
        ...

    def revoked(self, partitions: Sequence[int]) -> None:
        """Give partitions up in good order: a last checkpoint is still accepted."""
        ...

    def lost(self, partitions: Sequence[int]) -> None:
        """Forget partitions: another owner may have begun already, so nothing may be written."""
        ...


class SwapSubscription(Protocol):
    """Records of the partitions this consumer was given."""

    @property
    def partition_count(self) -> int:
        """Partitions of the whole log."""
        ...

    def poll(self, timeout_ms: int, *, hold: bool = False) -> list[RecordBatch]:
        """Give the next records, waiting up to `timeout_ms` for the first.

        Args:
            timeout_ms: longest wait.
            hold: stay a member and take partitions over and up, but give no records: they wait.

        Returns:
            At most one batch of a partition, each going on where its last one ended; empty if
            nothing came.

        Raises:
            OffsetGone: the log no longer holds the offset to go on from.
            Transient: the log cannot be reached; polling again tries again.
        """
        ...

    def start_offsets(self) -> Mapping[int, int]:
        """First offset the log still holds, for each partition given to this consumer."""
        ...

    def end_offsets(self) -> Mapping[int, int]:
        """Offset the next record will get, as last heard, for each partition given to it."""
        ...

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Tell the log's own tools how far this consumer is; nothing else depends on it."""
        ...

    def close(self) -> None:
        """Give every partition up (`revoked`) and leave the group."""
        ...
