"""Brings one decided batch into the archive, in steps each of which can be repeated.

In this order: write its note (fenced by epoch), insert it under the name of its bounds, mark the
note. A batch of an earlier life whose name the archive may have forgotten is verified instead.
"""

import time
from collections.abc import Callable
from typing import Final

import msgspec

from swapstats.errors import NotAcquired, StoreError, Transient
from swapstats.ports.archive import (
    Archive,
    ArchiveBatch,
    ArchiveJournal,
    ArchiveObserver,
    BatchNote,
)
from swapstats.ports.clock import Clock

REFUSED_RETRY_MS: Final = 10_000
NAME_SPAN_MS: Final = 600_000
"""How long after its note a batch may be sent again under its name: half of what the default
number of remembered blocks covers at 20 inserts a second."""
FAULT_POINTS: Final = (
    "archive.decided",
    "archive.noted",
    "archive.inserted",
    "archive.marked",
)
"""Steps at which a fault plan may stop the work, in the order they come."""


class BatchCarrier:
    """Carries batches; used from one thread.

    Args:
        archive: where rows go.
        journal: where batches are written down.
        clock: wall time.
        observer: told about each batch that is in the archive.
        name_span_ms: how long after its note a batch may be sent again under its name.
        faults: called between any two steps, see FAULT_POINTS.
    """

    def __init__(
        self,
        archive: Archive,
        journal: ArchiveJournal,
        clock: Clock,
        observer: ArchiveObserver,
        name_span_ms: int,
        faults: Callable[[str], None],
    ) -> None:
        self._archive = archive
        self._journal = journal
        self._clock = clock
        self._observer = observer
        self._name_span_ms = name_span_ms
        self._faults = faults

    def carry(self, batch: ArchiveBatch) -> None:
        """Bring one batch into the archive; repeatable from its start at any point.

        Raises:
            Transient: archive or journal cannot take it now; what is refused, after a while: a
                dropped table or a changed password is mended outside.
            Fenced: a higher epoch owns the partition.
        """
        began = time.perf_counter()
        self._faults("archive.decided")
        # Also before another try: a newer owner must not find us inserting.
        self._note(batch.note)
        self._faults("archive.noted")
        if batch.note.inserted:
            return
        try:
            if batch.note.doubtful or self._is_forgotten(batch):
                self._archive.verify(batch)
            else:
                self._archive.insert(batch)
        except StoreError as error:
            raise Transient(str(error), REFUSED_RETRY_MS) from error
        self._faults("archive.inserted")
        self._note(msgspec.structs.replace(batch.note, inserted=True))
        self._faults("archive.marked")
        took_ms = (time.perf_counter() - began) * 1_000
        self._observer.flushed(batch.note.partition, len(batch.run), took_ms)

    def end_offset(self, partition: int) -> int:
        """Tell how far the archive is; see `Archive.end_offset`.

        Raises:
            Transient: it cannot tell now.
        """
        try:
            return self._archive.end_offset(partition)
        except StoreError as error:
            raise Transient(str(error), REFUSED_RETRY_MS) from error

    def _note(self, note: BatchNote) -> None:
        """Write a batch down; in a journal that was emptied, as its owner again."""
        try:
            self._journal.note(note)
        except NotAcquired:
            self._journal.acquire(note.partition, note.epoch)
            self._journal.note(note)

    def _is_forgotten(self, batch: ArchiveBatch) -> bool:
        """True if the archive may have forgotten the batch's name since it was noted."""
        age_ms = self._clock.wall_ms() - batch.note.noted_ms
        return not 0 <= age_ms <= self._name_span_ms
