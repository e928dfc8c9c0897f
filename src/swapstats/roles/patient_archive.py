"""An archive that is opened when it is first needed, and again until that succeeds.

A server that is away when a role starts must not keep the windows from being served.
"""

import threading
from collections.abc import Callable

from swapstats.ports.archive import Archive, ArchiveBatch


class PatientArchive:
    """An `Archive`; from any thread, one call at a time.

    Args:
        open_archive: opens it and makes its tables; Transient while it cannot be reached.
    """

    def __init__(self, open_archive: Callable[[], Archive]) -> None:
        self._open_archive = open_archive
        self._lock = threading.Lock()
        self._opened: Archive | None = None

    def insert(self, batch: ArchiveBatch) -> None:
        """Insert a batch; see `Archive.insert`."""
        with self._lock:
            self._archive().insert(batch)

    def verify(self, batch: ArchiveBatch) -> None:
        """Make the archive hold a batch once; see `Archive.verify`."""
        with self._lock:
            self._archive().verify(batch)

    def end_offset(self, partition: int) -> int:
        """Tell how far the archive is; see `Archive.end_offset`."""
        with self._lock:
            return self._archive().end_offset(partition)

    def close(self) -> None:
        """Release connections, if there are any."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _archive(self) -> Archive:
        if self._opened is None:
            self._opened = self._open_archive()
        return self._opened
