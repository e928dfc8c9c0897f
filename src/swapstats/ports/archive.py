"""The archive: raw swaps with a sign, exactly once.

A batch is an offset range of one partition. It is written down in the journal before it is
inserted; after a crash the same range is made again, found equal, and inserted again under the same
name, which the archive recognises. `roles.archiver` is the only one that drives these ports.
"""

from dataclasses import dataclass
from typing import Protocol

import msgspec

from swapstats.core.archive_rows import RowRun
from swapstats.errors import SettingsMismatch


class BatchNote(msgspec.Struct, frozen=True, kw_only=True):
    """What is written down of a batch before it is inserted.

    Attributes:
        partition: the shard.
        epoch: ownership number under which it was noted.
        first_offset: first offset of the range.
        next_offset: offset after its last record.
        rows: rows for `raw_swaps`.
        late_rows: rows for `raw_late`.
        digest: hex digest of all its rows.
        steps: (next_offset, now_ms) of every `apply` within the range: T decides what is too old,
            so making the range again takes the same moments.
        noted_ms: wall clock when it was first written down.
        inserted: True once the archive has it; from the start if there are no rows.
        doubtful: True if the archive may have rows of the range from batches that nobody knows
            any more: it is verified instead of inserted.
        left_out: the steps, by next_offset, in which duplicates known from before the windows were
            left out: they are to be left out again.
    """

    partition: int
    epoch: int
    first_offset: int
    next_offset: int
    rows: int
    late_rows: int
    digest: str
    steps: tuple[tuple[int, int], ...]
    noted_ms: int
    inserted: bool = False
    doubtful: bool = False
    left_out: tuple[int, ...] = ()


def expect_same_rows(held: BatchNote, made: BatchNote) -> None:
    """Check that a range made again is what was written down.

    Raises:
        SettingsMismatch: it is not.
    """
    if (held.digest, held.rows, held.late_rows) != (made.digest, made.rows, made.late_rows):
        raise SettingsMismatch(
            f"Expected the {held.rows} + {held.late_rows} rows noted for offsets "
            f"{held.first_offset} to {held.next_offset} of partition {held.partition} (digest "
            f"{held.digest}), was {made.rows} + {made.late_rows} ({made.digest}): start with the "
            "windows, step, lateness and max_ahead that were set before; if none was changed, "
            "report it"
        )


@dataclass(frozen=True, slots=True)
class JournalState:
    """What a partition's new owner finds.

    Attributes:
        floor: everything below this offset was archived and its notes are forgotten; 0 at first.
        notes: notes held, by offset; they follow each other without a hole.
    """

    floor: int
    notes: tuple[BatchNote, ...]


class ArchiveJournal(Protocol):
    """Where batches are written down; durable, fenced."""

    def acquire(self, partition: int, epoch: int) -> JournalState:
        """Become the partition's owner: from now on notes under a lower epoch are refused.

        Raises:
            Fenced: a higher epoch has acquired it.
        """
        ...

    def note(self, note: BatchNote) -> None:
        """Write a batch down; the same range again replaces its note.

        Raises:
            Fenced: a higher epoch acquired this partition.
            SettingsMismatch: the same range was noted with another digest.
            InvariantBroken: the range overlaps another one, or its epoch was not acquired.
            Transient: too many notes are held: checkpoints are behind.
        """
        ...

    def notes(self, partition: int) -> list[BatchNote]:
        """Notes held, by offset."""
        ...

    def forget(self, partition: int, before_offset: int) -> None:
        """Drop notes of inserted ranges that end at or before an offset."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...


@dataclass(frozen=True, slots=True)
class ArchiveBatch:
    """A batch that was written down, with its rows.

    Attributes:
        note: what was written down.
        run: the rows of `raw_swaps` and, with LATE_SIGN, of `raw_late`.
    """

    note: BatchNote
    run: RowRun


class Archive(Protocol):
    """Takes batches; every table gets one block of a batch."""

    def insert(self, batch: ArchiveBatch) -> None:
        """Insert a batch; the same again within the archive's memory for names changes nothing.

        A batch that was inserted in part, or missed by a view, is made whole by it.

        Raises:
            Transient: the archive cannot take it now; insert it again.
            StoreError: the archive refuses it for good.
        """
        ...

    def verify(self, batch: ArchiveBatch) -> None:
        """Make the archive hold a batch once, whatever it holds of it now.

        For a batch whose name may be forgotten: rows that are missing are inserted, views that
        missed some are corrected. Slower than `insert`.

        Raises:
            Transient: the archive cannot take it now; verify it again.
            StoreError: the archive refuses it for good.
        """
        ...

    def end_offset(self, partition: int) -> int:
        """Tell the offset after the newest row that is there of a partition; 0 if there is none.

        It finds again what was archived when the journal was lost: everything below it was
        decided, and everything below is there but for what was in flight.

        Raises:
            Transient: the archive cannot be reached.
        """
        ...

    def close(self) -> None:
        """Release connections."""
        ...


class ArchiveObserver(Protocol):
    """Told about everything the archiver does; must be quick and never raise."""

    def flushed(self, partition: int, rows: int, took_ms: float) -> None:
        """A batch with rows is in the archive; the time from its note to the end of its insert."""
        ...

    def failed(self, partition: int, reason: str) -> None:
        """An insert failed and will be tried again."""
        ...

    def waiting(self, size_bytes: int) -> None:
        """Bytes of records that wait to be archived."""
        ...


class SilentArchive:
    """Listens to nothing; serves as an ArchiveObserver."""

    def flushed(self, partition: int, rows: int, took_ms: float) -> None:
        """Ignore."""

    def failed(self, partition: int, reason: str) -> None:
        """Ignore."""

    def waiting(self, size_bytes: int) -> None:
        """Ignore."""
