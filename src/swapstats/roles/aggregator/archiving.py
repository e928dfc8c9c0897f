"""The aggregator's side of the archive; without an archive every verb does nothing.

The contract is written in `roles.archiver`.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from swapstats.core.batches import cut_batch
from swapstats.model.effects import ArchiveRows
from swapstats.model.record import RecordBatch
from swapstats.roles.aggregator.owned import OwnedShard
from swapstats.roles.archive_lane import ReplayStep
from swapstats.roles.archiver import Archiver


@dataclass(frozen=True, slots=True)
class Piece:
    """Records that are applied at once.

    Attributes:
        batch: the records.
        moment_ms: T as the apply begins.
        step: how an earlier life applied them, if that was noted.
    """

    batch: RecordBatch
    moment_ms: int
    step: ReplayStep | None = None


class Archiving:
    """What the loop does for the archive.

    Args:
        archiver: takes what shards decided; None = nobody does.
        accept_gap: give up rows that the log lost.
    """

    def __init__(self, archiver: Archiver | None, *, accept_gap: bool) -> None:
        self._archiver = archiver
        self._accept_gap = accept_gap

    @property
    def has_room(self) -> bool:
        """False while so much waits for the archive that nothing more may be applied."""
        return self._archiver is None or self._archiver.has_room()

    @property
    def problem(self) -> str:
        """Why rows wait for the archive now; empty if they do not."""
        return "" if self._archiver is None else self._archiver.problem

    def take_over(self, owned: OwnedShard) -> None:
        """Own a shard's part of the archive, before anything is applied.

        Raises:
            Fenced: a higher epoch owns it.
            OffsetGone: rows that may not be in the archive cannot be made again.
            Transient: the journal cannot be reached.
        """
        if self._archiver is None:
            return
        shard = owned.shard
        steps = self._archiver.resume(
            owned.partition,
            shard.epoch,
            shard.next_offset,
            log_end=owned.target,
            accept_gap=self._accept_gap,
        )
        owned.steps = deque(steps)

    def offer(
        self, owned: OwnedShard, batch: RecordBatch, rows: ArchiveRows, moment_ms: int
    ) -> None:
        """Hand over what one apply decided."""
        if self._archiver is not None:
            self._archiver.offer(owned.partition, batch, rows, moment_ms)

    def follows(self, owned: OwnedShard) -> bool:
        """False while the archive lacks what was applied before the last look.

        A checkpoint would only wait for it, and hold on to what it took by reference.
        """
        if self._archiver is None:
            return True
        if self._archiver.flushed_offset(owned.partition) < owned.archive_mark:
            return False
        owned.archive_mark = owned.shard.next_offset
        self._archiver.ask_flush(owned.partition, owned.archive_mark)
        return True

    def forget(self, owned: OwnedShard) -> None:
        """Drop the notes that neither kept checkpoint needs."""
        if self._archiver is not None:
            self._archiver.forget(owned.partition, owned.saved[0])

    def release(self, partition: int) -> None:
        """Give a partition up; what still waits of it is for its next owner."""
        if self._archiver is not None:
            self._archiver.release(partition)

    @property
    def stale_notes(self) -> int:
        """Notes refused because a higher epoch exists."""
        return 0 if self._archiver is None else self._archiver.stale_notes

    def take_fenced(self) -> set[tuple[int, int]]:
        """(partition, epoch) that the journal refused because there is a newer owner."""
        return set() if self._archiver is None else self._archiver.take_fenced()


def pieces(owned: OwnedShard, batch: RecordBatch, now_ms: Callable[[], int]) -> Iterator[Piece]:
    """Cut a batch where an earlier life did, as far as that was noted.

    Each piece is to be applied before the next one is asked for.
    """
    rest: RecordBatch | None = batch
    while rest is not None:
        if not owned.steps:
            yield Piece(rest, max(now_ms(), owned.shard.t_ms))
            return
        step = owned.steps[0]
        if int(rest.offsets[0]) >= step.next_offset:
            owned.steps.popleft()
            continue
        part, rest = cut_batch(rest, step.next_offset)
        if part.next_offset == step.next_offset:
            owned.steps.popleft()
        yield Piece(part, max(step.moment_ms(part, now_ms()), owned.shard.t_ms), step)
