"""A shard that this process owns, and where it stands with the log, its readers and its stores."""

from collections import deque
from dataclasses import dataclass, field

from swapstats.core.shard import Shard
from swapstats.ports.hot_store import HotHead
from swapstats.roles.archive_lane import ReplayStep

IDLE_SNAPSHOT_MS = 60_000
"""A shard without new records is saved this often: for its T."""


@dataclass(slots=True)
class OwnedShard:
    """One shard.

    Attributes:
        shard: the state.
        target: end of its log when it was restored: nothing is published before it is passed, for
            windows of now that lack what came before would be wrong.
        begun: offset it was restored at.
        append_ms: append time of the last record applied, or when nothing was unread.
        steps: how to apply the next records so that the archive's noted batches come out equal.
        saved: offsets of its newest checkpoints, two at most, oldest first.
        saved_ms: T of its newest checkpoint.
        is_published: True once a whole update went out under this epoch.
        gate_offset: nothing is published before the shard has passed this offset ...
        gate_ms: ... and this T: readers have seen both already.
        archive_mark: what had been applied when it was last looked whether the archive follows.
    """

    shard: Shard
    target: int
    append_ms: int
    begun: int = field(init=False)
    steps: deque[ReplayStep] = field(default_factory=deque)
    saved: list[int] = field(init=False)
    saved_ms: int = field(init=False)
    is_published: bool = False
    gate_offset: int = field(init=False)
    gate_ms: int = 0
    archive_mark: int = 0

    def __post_init__(self) -> None:
        self.begun = self.shard.next_offset
        self.saved = [self.shard.next_offset]
        self.saved_ms = self.shard.t_ms
        self.gate_offset = self.target

    @property
    def partition(self) -> int:
        """Number of its partition."""
        return self.shard.config.partition

    @property
    def has_passed_gate(self) -> bool:
        """True if it has passed everything that readers may have seen of it."""
        shard = self.shard
        return shard.next_offset >= self.gate_offset and shard.t_ms >= self.gate_ms

    def heed(self, head: HotHead | None) -> bool:
        """Take note of what readers have seen; returns whether it may be published now.

        The owner before may have gone on after this one began.
        """
        if head is not None and head.epoch < self.shard.epoch:
            self.gate_offset = max(self.gate_offset, head.offset)
            self.gate_ms = head.t_ms
        return self.has_passed_gate

    @property
    def is_changed(self) -> bool:
        """True if a checkpoint is worth its bytes."""
        shard = self.shard
        return shard.next_offset != self.saved[-1] or shard.t_ms - self.saved_ms >= IDLE_SNAPSHOT_MS

    def note_saved(self, next_offset: int) -> None:
        """Take note of a checkpoint that was written."""
        self.saved = [*self.saved, next_offset][-2:]
        self.saved_ms = self.shard.t_ms

    def lag_ms(self, end_offset: int, now_ms: int) -> int:
        """How far it is behind the log, see `Place.lag_ms`."""
        return max(0, now_ms - self.append_ms) if self.shard.next_offset < end_offset else 0
