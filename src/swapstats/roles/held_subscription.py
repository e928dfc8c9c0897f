"""A subscription that gives no records while what they lead to has no room.

Records then wait in the log, where waiting costs nothing; the group still sees a member at work.
"""

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from typing import Final

from swapstats.errors import Transient
from swapstats.model.record import RecordBatch
from swapstats.ports.swap_subscription import SwapSubscription

AWAY_S: Final = 60.0
"""A log that could not be reached is taken for away for so long, unless records come."""


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
        self._is_held = False
        self._trouble = ""
        self._away_at = -math.inf

    @property
    def partition_count(self) -> int:
        """Partitions of the whole log."""
        return self._subscription.partition_count

    @property
    def waits_for(self) -> str:
        """What outside of this process keeps records from coming; empty if nothing is known to."""
        if self._is_held:
            return "room for what the records lead to"
        return self._trouble if self.is_away else ""

    @property
    def is_away(self) -> bool:
        """True for a while after the log could not be reached: it says so now and then."""
        return time.monotonic() - self._away_at < AWAY_S

    def poll(self, timeout_ms: int, *, hold: bool = False) -> list[RecordBatch]:
        """Give the next records, or none while there is no room; see `SwapSubscription.poll`."""
        has_room = self._has_room()
        self.held_polls += not has_room
        self._is_held = hold or not has_room
        try:
            batches = self._subscription.poll(timeout_ms, hold=self._is_held)
        except Transient as error:
            self._trouble, self._away_at = str(error), time.monotonic()
            raise
        if batches:
            self._away_at = -math.inf
        return batches

    def start_offsets(self) -> Mapping[int, int]:
        """First offset the log still holds, by partition."""
        return self._subscription.start_offsets()

    def end_offsets(self) -> Mapping[int, int]:
        """Offset the next record will get, by partition."""
        return self._subscription.end_offsets()

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Tell the log's own tools how far this consumer is, if they can be reached."""
        with contextlib.suppress(Transient):
            self._subscription.commit(offsets)

    def close(self) -> None:
        """Give every partition up and leave the group."""
        self._subscription.close()
