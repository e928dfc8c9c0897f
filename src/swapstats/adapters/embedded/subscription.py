"""The embedded log as a subscription: its one consumer owns every partition from the first poll on.

There is no group and no hand-over here; what is not polled waits in the log.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final

from swapstats.errors import InvariantBroken, Transient
from swapstats.model.record import RecordBatch
from swapstats.ports.swap_log import SwapLogReader
from swapstats.ports.swap_subscription import PartitionOwner

BATCH_BYTES_MAX: Final = 1 << 20
LOOK_AGAIN_S: Final = 0.01


class EmbeddedSubscription:
    """All partitions of a log, read in turn; one thread uses it.

    Args:
        log: the log, or a reader beside its writer; closed by whoever opened it.
        owner: told about the partitions in the first poll, and in `close`.
        batch_bytes_max: about so many bytes of a partition a poll.
        wait: waits for so many seconds, or less if something was appended: then it returns
            something true.
        look_again_s: how often to look without being told.
    """

    def __init__(
        self,
        log: SwapLogReader,
        owner: PartitionOwner,
        batch_bytes_max: int = BATCH_BYTES_MAX,
        wait: Callable[[float], object] = time.sleep,
        look_again_s: float = LOOK_AGAIN_S,
    ) -> None:
        self._log = log
        self._owner = owner
        self._batch_bytes_max = batch_bytes_max
        self._wait = wait
        self._look_again_s = look_again_s
        self._next: dict[int, int] = {}
        self._try_again_at = 0.0
        self._closed = False

    @property
    def partition_count(self) -> int:
        """Partitions of the whole log."""
        return self._log.partition_count

    def poll(self, timeout_ms: int, *, hold: bool = False) -> list[RecordBatch]:
        """Give the next records, waiting up to `timeout_ms` for the first.

        Args:
            timeout_ms: longest wait; less if `wait` says that something else came.
            hold: give no records, they wait.

        Returns:
            At most one batch of a partition, each going on where its last one ended; empty if
            nothing came.

        Raises:
            OffsetGone: the log no longer holds the offset to go on from.
            StoreCorrupt: the bytes are not what was written.
            Transient: the owner could not take the partitions over; polling again tries again.
        """
        if self._closed:
            raise InvariantBroken("Expected an open subscription, was closed")
        self._take_over()
        deadline = time.monotonic() + timeout_ms / 1_000
        is_told = False
        while not (batches := [] if hold else self._read()):
            left_s = deadline - time.monotonic()
            if left_s <= 0 or is_told:
                break
            is_told = bool(self._wait(min(left_s, self._look_again_s)))
        return batches

    def start_offsets(self) -> Mapping[int, int]:
        """First offset the log still holds, by partition."""
        return dict(enumerate(self._log.start_offsets()))

    def end_offsets(self) -> Mapping[int, int]:
        """Offset the next record will get, by partition."""
        return dict(enumerate(self._log.end_offsets()))

    def lag(self) -> Mapping[int, int]:
        """Records not handed out yet, by partition; empty before the first poll."""
        ends = self._log.end_offsets()
        return {partition: ends[partition] - offset for partition, offset in self._next.items()}

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Do nothing: there are no lag tools beside the service itself."""

    def close(self) -> None:
        """Give every partition up (`revoked`); harmless when repeated."""
        if self._closed:
            return
        self._closed = True
        mine = sorted(self._next)
        self._next.clear()
        if mine:
            self._owner.revoked(mine)

    def _take_over(self) -> None:
        """Tell the owner about the partitions, once."""
        if self._next or time.monotonic() < self._try_again_at:
            return
        partitions = range(self._log.partition_count)
        try:
            offsets = self._owner.assigned(partitions)
        except Transient as error:
            self._try_again_at = time.monotonic() + error.retry_after_ms / 1_000
            raise
        missing = [partition for partition in partitions if partition not in offsets]
        if missing:
            raise InvariantBroken(f"Expected offsets of partitions {missing}, was none")
        self._next = {partition: offsets[partition] for partition in partitions}

    def _read(self) -> list[RecordBatch]:
        batches = []
        for partition, offset in self._next.items():
            batch = self._log.read(partition, offset, self._batch_bytes_max)
            if batch is not None:
                batches.append(batch)
        for batch in batches:
            self._next[batch.partition] = batch.next_offset
        return batches
