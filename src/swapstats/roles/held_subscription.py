"""A subscription that gives no records while what they lead to has no room.

Records then wait in the log, where waiting costs nothing; the group still sees a member at work.
"""

from collections.abc import Callable, Mapping

from swapstats.model.record import RecordBatch
from swapstats.ports.swap_subscription import SwapSubscription


class HeldSubscription:
    """A `SwapSubscription` that can be held.

    Args:
        subscription: whose records are given.
        has_room: False while no records must be given.

    Attributes:
        held_polls: polls that gave nothing for want of room.
    """

    def __init__(self, subscription: SwapSubscription, has_room: Callable[[], bool]) -> None:
        self._subscription = subscription
        self._has_room = has_room
        self.held_polls = 0

    @property
    def partition_count(self) -> int:
        """Partitions of the whole log."""
        return self._subscription.partition_count

    def poll(self, timeout_ms: int, *, hold: bool = False) -> list[RecordBatch]:
        """Give the next records, or none while there is no room; see `SwapSubscription.poll`."""
        is_held = not self._has_room()
        self.held_polls += is_held
        return self._subscription.poll(timeout_ms, hold=hold or is_held)

    def start_offsets(self) -> Mapping[int, int]:
        """First offset the log still holds, by partition."""
        return self._subscription.start_offsets()

    def end_offsets(self) -> Mapping[int, int]:
        """Offset the next record will get, by partition."""
        return self._subscription.end_offsets()

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Tell the log's own tools how far this consumer is."""
        self._subscription.commit(offsets)

    def close(self) -> None:
        """Give every partition up and leave the group."""
        self._subscription.close()
