"""The data directory: who may write in it, what it was made with, and its hash key.

    DIR/lock            held by the one writer (flock: a kill -9 frees it); holds its pid
    DIR/manifest.json   the settings that shaped what lies here
    DIR/hash.key        secret of the fingerprints, 16 bytes
    DIR/log.db          swap log             (log.py)
    DIR/checkpoints.db  checkpoints          (checkpoints.py)
    DIR/dead-letters.db refused messages     (dead_letters.py)
    DIR/raw.db          raw log, where a collector writes here      (log.py)
    DIR/preprocess.db   the preprocessor's state                    (states.py)
    DIR/raw-dead-letters.db refused raw events                      (dead_letters.py)
    DIR/candles.db      minute candles                              (candles.py)
    DIR/journal.db      batches of the archive (journal.py), where there is one
    DIR/archive/        the archive itself, where it is embedded

Files made here are written whole: to a temporary file, flushed, then renamed into place. Nothing
here opens a store.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from swapstats.errors import (
    InvariantBroken,
    KeyMismatch,
    SettingsMismatch,
    StoreCorrupt,
    StoreError,
    StoreFormat,
    StoreFull,
    StoreLocked,
    UsageError,
)

MANIFEST_FORMAT: Final = 1
KEY_BYTES: Final = 16
KEY_ID_DIGITS: Final = 16
_ABSENT: Final = "absent"


class _Manifest(msgspec.Struct, frozen=True):
    """What `manifest.json` holds."""

    format: int
    settings: dict[str, Any]


class DataDirectory:
    """A data directory that was opened; use `open`, and `with` or `close` to leave it.

    Args:
        path: the directory.
        lock_fd: descriptor of the held lock file; None for a reader.
    """

    def __init__(self, path: Path, lock_fd: int | None) -> None:
        self._path = path
        self._lock_fd = lock_fd

    @classmethod
    def open(cls, path: Path, *, writer: bool) -> Self:
        """Open a directory: as its one writer (creating it), or as one of any number of readers.

        Raises:
            StoreLocked: another process writes here; the message names its pid.
            UsageError: a reader found no such directory.
            StoreFull: no space to create it.
            StoreError: it cannot be created or locked.
        """
        if not writer:
            if not path.is_dir():
                raise UsageError(
                    f"Expected a data directory at {path}, found none: check --data-dir, or start "
                    "`swapstats run` or `swapstats replay` there first"
                )
            return cls(path, None)
        with _translated(path):
            path.mkdir(parents=True, exist_ok=True)
            return cls(path, _take_lock(path / "lock"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The directory itself."""
        return self._path

    @property
    def log_path(self) -> Path:
        """File of the swap log."""
        return self._path / "log.db"

    @property
    def checkpoints_path(self) -> Path:
        """File of the checkpoint store."""
        return self._path / "checkpoints.db"

    @property
    def dead_letters_path(self) -> Path:
        """File of the dead-letter store."""
        return self._path / "dead-letters.db"

    @property
    def raw_log_path(self) -> Path:
        """File of the raw log."""
        return self._path / "raw.db"

    @property
    def states_path(self) -> Path:
        """File of the preprocessor's state."""
        return self._path / "preprocess.db"

    @property
    def raw_dead_letters_path(self) -> Path:
        """File of the raw events that became no swap."""
        return self._path / "raw-dead-letters.db"

    @property
    def candles_path(self) -> Path:
        """File of the candles."""
        return self._path / "candles.db"

    @property
    def journal_path(self) -> Path:
        """File of the archive's journal."""
        return self._path / "journal.db"

    def close(self) -> None:
        """Let the lock go; may be called again."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def manifest(self) -> dict[str, Any] | None:
        """Settings this directory was made with; None if it holds nothing yet.

        Raises:
            StoreCorrupt: the manifest cannot be read as one.
            StoreFormat: written by a newer version.
        """
        path = self._path / "manifest.json"
        with _translated(path):
            try:
                text = path.read_bytes()
            except FileNotFoundError:
                return None
        try:
            raw = msgspec.json.decode(text, type=dict[str, Any])
            written = msgspec.convert(raw.get("format"), type=int)
            if written > MANIFEST_FORMAT:
                raise StoreFormat(
                    f"Expected manifest format {MANIFEST_FORMAT} in {path}, was {written}: run "
                    "the newer version of swapstats that wrote it, or use another data directory"
                )
            return msgspec.convert(raw, type=_Manifest).settings
        except msgspec.MsgspecError as error:
            raise StoreCorrupt(
                f"Expected a manifest in {path}, was damaged ({error}): restore it from a copy, "
                "or use another data directory"
            ) from error

    def ensure_manifest(self, settings: Mapping[str, Any]) -> None:
        """Note the settings that shape this directory, or check that they are those noted.

        Args:
            settings: by name; values that JSON can hold.

        Raises:
            SettingsMismatch: other settings made this directory; each is named with both values.
            StoreCorrupt: the manifest cannot be read as one.
            StoreFormat: written by a newer version.
            StoreFull: no space to write it.
        """
        wanted = msgspec.json.decode(msgspec.json.encode(dict(settings)), type=dict[str, Any])
        made_with = self.manifest()
        if made_with is None:
            text = msgspec.json.encode(_Manifest(MANIFEST_FORMAT, wanted))
            self._write_whole("manifest.json", msgspec.json.format(text, indent=2) + b"\n", 0o644)
            return
        differing = [
            f"{name}: made with {_text(made_with, name)}, now {_text(wanted, name)}"
            for name in sorted({*made_with, *wanted})
            if _text(made_with, name) != _text(wanted, name)
        ]
        if differing:
            raise SettingsMismatch(
                f"Expected the settings {self._path} was made with, was others "
                f"({'; '.join(differing)}): give those, or use another data directory"
            )

    def hash_key(self, *, may_create: bool) -> tuple[bytes, str]:
        """Read the secret of the fingerprints.

        Args:
            may_create: make one if there is none: only while no checkpoint depends on it.

        Returns:
            The key, 16 bytes, and its id: the first 16 hex digits of its SHA-256.

        Raises:
            KeyMismatch: the key is lost or damaged.
            StoreFull: no space to write it.
        """
        path = self._path / "hash.key"
        with _translated(path):
            try:
                key = path.read_bytes()
            except FileNotFoundError:
                if not may_create:
                    raise KeyMismatch(
                        f"Expected the hash key {path}, found none: restore that file from a "
                        "copy, or start with --rebuild to rebuild the state from the log with a "
                        "new key"
                    ) from None
                key = secrets.token_bytes(KEY_BYTES)
                self._write_whole("hash.key", key, 0o600)
        if len(key) != KEY_BYTES:
            raise KeyMismatch(
                f"Expected a hash key of {KEY_BYTES} bytes in {path}, was {len(key)}: restore that "
                "file from a copy, or remove it and start with --rebuild to rebuild the state "
                "from the log with a new key"
            )
        return key, hashlib.sha256(key).hexdigest()[:KEY_ID_DIGITS]

    def _write_whole(self, name: str, content: bytes, mode: int) -> None:
        """Write a file so that it is there whole or not at all, after power loss too."""
        if self._lock_fd is None:
            raise InvariantBroken(f"Expected the writer of {self._path}, was a reader: {name}")
        temporary = self._path / f"{name}.new"
        with _translated(temporary):
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path / name)
            directory = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)


def _take_lock(path: Path) -> int:
    """Lock the file and write this process's pid into it; returns its descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise StoreLocked(
                f"Expected to be the only writer of {path.parent}, was locked by process "
                f"{holder or 'unknown'}: stop it, or use another data directory"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _text(settings: Mapping[str, Any], name: str) -> str:
    return msgspec.json.encode(settings[name]).decode() if name in settings else _ABSENT


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StoreFull(
                f"Expected room to write {path}, was a full disk ({error}): free space"
            ) from error
        raise StoreError(
            f"Expected to use {path}, was {error}: check the disk and its permissions"
        ) from error
