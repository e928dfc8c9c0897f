"""One SQLite file as the stores use it: opening, format check, transactions, errors.

Every store is one file in WAL mode: one writing connection behind a lock, and for readers, in this
process or another, connections of their own that never wait for the writer. Files use
`auto_vacuum = INCREMENTAL`: pages freed by pruning are used again first, and what is free beyond a
quarter of the file goes back to the file system a little at a time.

This module never knows what a store keeps, and lets no `sqlite3` error out: `translated` turns them
into those of `swapstats.errors`. The stores are in `log.py`, `checkpoints.py`, `dead_letters.py`.
"""

import contextlib
import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from swapstats.errors import StoreCorrupt, StoreError, StoreFormat, StoreFull

Durability = Literal["process", "full"]
"""`process`: survives kill -9 of the process. `full`: survives power loss too (fsync a commit)."""

Faults = Callable[[str], None]
"""Called with the name of each step; a test makes it raise to stop a store in between."""

BUSY_TIMEOUT_S: Final = 10.0
WAL_CHECKPOINT_BYTES: Final = 16 << 20
WAL_BYTES_KEPT_MAX: Final = 64 << 20
READERS_IDLE_MAX: Final = 8
RECLAIM_FREE_PAGES_MIN: Final = 2_048
RECLAIM_PAGES_MAX: Final = 1_024
FULL_BELOW_BYTES: Final = 256 << 10

_SYNCHRONOUS: Final[dict[Durability, str]] = {"process": "NORMAL", "full": "FULL"}
_CORRUPT_NAMES: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT", "SQLITE_MISMATCH")


@dataclass(frozen=True, slots=True)
class StoreKind:
    """What tells one kind of store file from another.

    Attributes:
        name: as people call it, such as `swap log`.
        application_id: number in the file's header; another one is not this kind of store.
        version: schema version this code writes and reads.
        schema: statements that make an empty store.
        page_bytes: page size of a new file; large rows are cheaper on large pages.
    """

    name: str
    application_id: int
    version: int
    schema: tuple[str, ...]
    page_bytes: int = 4_096


def no_faults(_point: str) -> None:
    """Stand in for a fault plan: every step succeeds."""


def store_error(error: Exception, path: Path, kind: StoreKind) -> StoreError:
    """Say what an error of SQLite or the file system means for a store.

    Args:
        error: a `sqlite3.Error` or an `OSError`.
        path: the store's file.
        kind: what it is.
    """
    where = f"the {kind.name} {path}"
    if _is_full(error, path):
        return StoreFull(
            f"Expected room to write {where}, was a full disk ({error}): free space or keep less"
        )
    code = getattr(error, "sqlite_errorname", "")
    if code.startswith(_CORRUPT_NAMES) or (isinstance(error, sqlite3.Error) and not code):
        return _corrupt(where, error)
    if code == "SQLITE_ERROR" and "no such" in str(error):
        return _corrupt(where, error)
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreError(f"Expected {where} to be free, was locked by another process ({error})")
    return StoreError(f"Expected to use {where}, was {error}: check the disk and its permissions")


def _corrupt(where: str, error: Exception) -> StoreCorrupt:
    return StoreCorrupt(
        f"Expected the bytes that were written in {where}, was a damaged file ({error}): "
        "restore it from a copy, or rebuild the state from the log"
    )


def _is_full(error: Exception, path: Path) -> bool:
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    code = getattr(error, "sqlite_errorname", "")
    if code in {"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"}:
        return True
    if not code.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")):
        return False
    # SQLite reports a full disk as a plain I/O error where it was not writing pages.
    with contextlib.suppress(OSError):
        disk = os.statvfs(path.parent)
        return disk.f_bavail * disk.f_frsize < FULL_BELOW_BYTES
    return False


@contextlib.contextmanager
def translated(path: Path, kind: StoreKind) -> Iterator[None]:
    """Turn errors of SQLite and the file system into store errors.

    Raises:
        StoreFull: no space.
        StoreCorrupt: a damaged file.
        StoreError: anything else the file system refused.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise store_error(error, path, kind) from error
    except UnicodeDecodeError as error:
        # Text in the file, or a damaged name in SQLite's own message, is no UTF-8 any more.
        raise _corrupt(f"the {kind.name} {path}", error) from error


def open_writer(path: Path, kind: StoreKind, durability: Durability) -> sqlite3.Connection:
    """Open the writing connection of a store, creating the file if there is none.

    The connection may be used from any thread; its owner locks around it.

    Raises:
        StoreFull: no space.
        StoreCorrupt: not such a store, or damaged.
        StoreFormat: written by a newer version.
    """
    with translated(path, kind):
        connection = _connect(path.as_posix(), uri=False)
        try:
            # Both hold for a new file only, and must come before its first page is written.
            connection.execute(f"PRAGMA page_size = {kind.page_bytes}")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            if connection.execute("PRAGMA user_version").fetchone() == (0,):
                _create(connection, path, kind)
            _check_format(connection, path, kind)
            _set_wal(connection, path, kind)
            connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
            wal_pages = WAL_CHECKPOINT_BYTES // kind.page_bytes
            connection.execute(f"PRAGMA wal_autocheckpoint = {wal_pages}")
            connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_KEPT_MAX}")
            # Deleted pages hold nothing secret; zeroing them would double the cost of pruning.
            connection.execute("PRAGMA secure_delete = OFF")
        except BaseException:
            connection.close()
            raise
        return connection


def open_reader(path: Path, kind: StoreKind) -> sqlite3.Connection:
    """Open a connection that can only read; works beside a writer in another process.

    Raises:
        StoreCorrupt: not such a store, or damaged.
        StoreFormat: written by a newer version.
        StoreError: there is no such file.
    """
    if not path.exists():
        raise _nothing_there(path, kind)
    with translated(path, kind):
        connection = _connect(f"file:{quote(path.absolute().as_posix())}?mode=ro", uri=True)
        try:
            _check_format(connection, path, kind)
        except BaseException:
            connection.close()
            raise
        return connection


def _nothing_there(path: Path, kind: StoreKind) -> StoreError:
    return StoreError(
        f"Expected a {kind.name} at {path}, found none: check the data directory, "
        "or start `swapstats run` or `swapstats replay` there first"
    )


def _connect(target: str, *, uri: bool) -> sqlite3.Connection:
    return sqlite3.connect(
        target, uri=uri, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )


def _set_wal(connection: sqlite3.Connection, path: Path, kind: StoreKind) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(
            f"Expected a file system with shared memory for the {kind.name} {path}, was journal "
            f"mode {mode}: put the data directory on a local disk"
        )


def _create(connection: sqlite3.Connection, path: Path, kind: StoreKind) -> None:
    if connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone() != (0,):
        raise StoreCorrupt(
            f"Expected a swapstats {kind.name} at {path}, was another SQLite file: "
            "use another data directory"
        )
    _set_wal(connection, path, kind)
    connection.execute("BEGIN IMMEDIATE")
    for statement in kind.schema:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {kind.application_id}")
    connection.execute(f"PRAGMA user_version = {kind.version}")
    connection.execute("COMMIT")


def _check_format(connection: sqlite3.Connection, path: Path, kind: StoreKind) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if (application_id, version) == (0, 0):
        # A writer in another process has just made the file and is about to fill it.
        raise _nothing_there(path, kind)
    if application_id != kind.application_id:
        raise StoreCorrupt(
            f"Expected a swapstats {kind.name} at {path} (application id {kind.application_id}), "
            f"was application id {application_id}: use another data directory"
        )
    if version > kind.version:
        raise StoreFormat(
            f"Expected format {kind.version} of the {kind.name} {path}, was {version}: "
            "run the newer version of swapstats that wrote it, or use another data directory"
        )


@contextlib.contextmanager
def write_transaction(
    connection: sqlite3.Connection, path: Path, kind: StoreKind
) -> Iterator[sqlite3.Connection]:
    """Run statements as one transaction: all of them are on disk after it, or none.

    Raises:
        StoreFull: no space; nothing was changed.
        StoreCorrupt: a damaged file; nothing was changed.
        StoreError: the file cannot be written; nothing was changed.
    """
    with translated(path, kind):
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            # SQLite may have rolled back by itself already, for instance when the disk is full.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def reclaim(connection: sqlite3.Connection) -> None:
    """Give surplus free pages back to the file system, a bounded number a call.

    A failure is left alone: nothing depends on it and the next call tries again.
    """
    with contextlib.suppress(sqlite3.Error):
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        (total,) = connection.execute("PRAGMA page_count").fetchone()
        if free > max(RECLAIM_FREE_PAGES_MIN, total // 4):
            # A page is freed with each step of the statement; `execute` would make only one.
            connection.executescript(f"PRAGMA incremental_vacuum({RECLAIM_PAGES_MAX})")


class ReadPool:
    """Reading connections of one store file, one for each thread that reads at the moment.

    Args:
        path: the store's file.
        kind: what it is.

    Raises:
        StoreCorrupt: not such a store, or damaged.
        StoreFormat: written by a newer version.
        StoreError: there is no such file.
    """

    def __init__(self, path: Path, kind: StoreKind) -> None:
        self._path = path
        self._kind = kind
        self._lock = threading.Lock()
        self._closed = False
        self._idle: list[sqlite3.Connection] = [open_reader(path, kind)]

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection whose reads all see the same moment of the store.

        Raises:
            StoreCorrupt: a damaged file.
            StoreError: the file cannot be read, or the store was closed.
        """
        connection = self._take()
        try:
            with translated(self._path, self._kind):
                connection.execute("BEGIN")
                try:
                    yield connection
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
        except StoreError:
            connection.close()
            raise
        except BaseException:
            self._give_back(connection)
            raise
        self._give_back(connection)

    def close(self) -> None:
        """Close idle connections now and lent ones when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise StoreError(f"Expected an open {self._kind.name}, was closed: {self._path}")
            if self._idle:
                return self._idle.pop()
        return open_reader(self._path, self._kind)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < READERS_IDLE_MAX:
                self._idle.append(connection)
                return
        connection.close()
