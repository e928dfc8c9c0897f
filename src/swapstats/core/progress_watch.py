"""Whether a reader of the log makes progress: the rule behind `/healthz`.

A reader is unhealthy if a partition holds unread records and its next offset has not moved for
`limit_ms`. A quiet market, with nothing to read, is healthy. Reads no clock: the caller passes
monotonic time in.

    next offset  10   14   14   14   14      limit 30 s
    end offset   14   14   20   20   20
    seconds       0    5   10   39   40
                       |         |    '-- unhealthy: 6 unread since second 10
                       |         '------- still healthy
                       '----------------- all read: the wait begins anew
"""

from collections.abc import Sequence
from dataclasses import dataclass

from swapstats.errors import InvariantBroken
from swapstats.model.health import Health

LIMIT_MS_DEFAULT = 30_000


@dataclass(slots=True)
class _Wait:
    """When a partition was last seen to move or to have nothing to read."""

    since_ms: int
    next_offset: int
    idle: bool


class ProgressWatch:
    """Remembers, by partition, when the reader was last seen to move.

    Args:
        limit_ms: how long unread records may wait without progress, in milliseconds.
    """

    def __init__(self, limit_ms: int = LIMIT_MS_DEFAULT) -> None:
        self._limit_ms = limit_ms
        self._waits: list[_Wait] = []

    def observe(
        self, mono_ms: int, next_offsets: Sequence[int], end_offsets: Sequence[int]
    ) -> Health:
        """Take one look and judge.

        A wait counts from the look that first saw the unread records, so that a rare caller
        does not blame the reader for records that came just before the look.

        Args:
            mono_ms: monotonic time, milliseconds.
            next_offsets: offset the reader wants next, by partition.
            end_offsets: offset the next record will get, by partition.

        Returns:
            Unhealthy if any partition is stalled; the reason names the longest wait.

        Raises:
            InvariantBroken: the two do not speak of the same partitions.
        """
        if len(next_offsets) != len(end_offsets):
            raise InvariantBroken(
                f"Expected as many next offsets as end offsets ({len(end_offsets)}), "
                f"was {len(next_offsets)}"
            )
        if len(self._waits) != len(next_offsets):
            self._waits = [_Wait(mono_ms, offset, idle=True) for offset in next_offsets]
        stalled: list[tuple[int, int]] = []
        for partition, wait in enumerate(self._waits):
            unread = end_offsets[partition] > next_offsets[partition]
            if wait.idle or not unread or next_offsets[partition] != wait.next_offset:
                wait.since_ms = mono_ms
            wait.next_offset, wait.idle = next_offsets[partition], not unread
            waited_ms = mono_ms - wait.since_ms
            if unread and waited_ms >= self._limit_ms:
                stalled.append((waited_ms, partition))
        if not stalled:
            return Health(healthy=True)
        waited_ms, partition = max(stalled, key=lambda stall: (stall[0], -stall[1]))
        others = f" ({len(stalled)} partitions are stalled)" if len(stalled) > 1 else ""
        return Health(
            healthy=False,
            reason=(
                f"partition {partition} has "
                f"{end_offsets[partition] - next_offsets[partition]} unread records and made no "
                f"progress for {waited_ms // 1_000} s{others}"
            ),
        )
