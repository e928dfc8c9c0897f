"""The archive: raw swaps with a sign, exactly once.

A batch is an offset range of one partition. It is written down in the journal before it is
inserted; after a crash the same range is made again, found equal, and inserted again under the same
name, which the archive recognises.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from swapstats.model.record import RecordBatch


class BatchNote(msgspec.Struct, frozen=True, kw_only=True):
    """What is written down of a batch before it is inserted.

    Attributes:
        partition: the shard.
        epoch: ownership number under which it was noted.
        first_offset: first record of the range.
        next_offset: offset after its last record.
        rows: rows for `raw_swaps`.
        late_rows: rows for `raw_late`.
        digest: hex digest of all its rows.
        steps: (next_offset, now_ms) of every `apply` within the range: T decides what is too old,
            so making the range again takes the same moments.
        inserted: True once the archive has it.
    """

    partition: int
    epoch: int
    first_offset: int
    next_offset: int
    rows: int
    late_rows: int
    digest: str
    steps: tuple[tuple[int, int], ...]
    inserted: bool = False


class ArchiveJournal(Protocol):
    """Where batches are written down; durable, fenced."""

    def notes(self, partition: int) -> list[BatchNote]:
        """Notes held, by offset."""
        ...

    def note(self, note: BatchNote) -> None:
        """Write a batch down; the same range again replaces its note.

        Raises:
            Fenced: a higher epoch noted this partition.
        """
        ...

    def forget(self, partition: int, before_offset: int) -> None:
        """Drop notes of inserted ranges that end at or before an offset."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...


@dataclass(frozen=True, slots=True)
class ArchivePart:
    """Records of one applied batch that go into the archive.

    Attributes:
        batch: the records.
        index: positions within `batch` of rows for `raw_swaps`, ascending.
        sign: +1 or -1 for each of them.
        late_index: positions of rows for `raw_late`.
    """

    batch: RecordBatch
    index: Sequence[int]
    sign: Sequence[int]
    late_index: Sequence[int]


class Archive(Protocol):
    """Takes batches."""

    def insert(self, note: BatchNote, parts: Sequence[ArchivePart]) -> None:
        """Insert a batch that was written down; inserting the same again changes nothing.

        Raises:
            Transient: the archive cannot be reached; insert it again.
        """
        ...

    def close(self) -> None:
        """Release connections."""
        ...
