"""Reading text out of plain, gzip and Zstandard files and out of a pipe, all of it blocking.

It never holds more than a bounded piece of text, never takes the end of a cut-off archive for the
end of the text, and knows nothing of lines. The next file is `lines.py`.
"""

import io
import os
import select
import zlib
from pathlib import Path
from threading import Event
from typing import BinaryIO, Protocol

import zstandard

from swapstats.errors import Rejected

STDIN = "-"
READ_BYTES = 1 << 18
"""How much is asked of a file at once."""
TEXT_BYTES_MAX = 1 << 18
"""How much text one read of a gzip file gives at most."""
GZIP_PIECE_BYTES = 1 << 14
ZSTD_PIECE_BYTES = 1 << 10
"""One kibibyte of Zstandard holds 256 blocks of 128 KiB at most: 32 MiB is what one read can take,
whatever the file claims. Smaller pieces would not cost much more."""
ZSTD_WINDOW_BYTES_MAX = 1 << 27
SKIP_BYTES = 1 << 20
POLL_S = 0.2
"""How long a silent pipe may delay a stop."""

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_GZIP_WBITS = 31


class Text(Protocol):
    """Decompressed text, read from front to end."""

    def read(self) -> bytes:
        """Read some more text; empty = the end.

        Raises:
            Rejected: the bytes are no text of the kind they claim to be.
        """
        ...

    def skip(self, count: int) -> int:
        """Pass over `count` bytes of text; returns how many there were."""
        ...


class RawInput:
    """The bytes as they are stored, counted.

    Args:
        file: unbuffered file; a pipe gives what it has.
        stopped: when set, waiting for a silent pipe ends and the input seems to be over.
    """

    def __init__(self, file: BinaryIO, stopped: Event) -> None:
        self._file = file
        self._stopped = stopped
        self._pushed = b""
        self.done_bytes = 0
        self.total_bytes = 0
        self.can_seek = file.seekable()
        if self.can_seek:
            position = file.tell()
            self.total_bytes = file.seek(0, io.SEEK_END) - position
            file.seek(position)
        self._poll_handle = None if self.can_seek else _handle(file)

    def read(self, count: int = READ_BYTES) -> bytes:
        """Read up to `count` bytes; empty = the end."""
        if self._pushed:
            piece, self._pushed = self._pushed[:count], self._pushed[count:]
            return piece
        if self._poll_handle is None:
            piece = self._file.read(count)
        else:
            while not select.select([self._poll_handle], [], [], POLL_S)[0]:
                if self._stopped.is_set():
                    return b""
            piece = os.read(self._poll_handle, count)
        self.done_bytes += len(piece)
        return piece

    def push_back(self, piece: bytes) -> None:
        """Let `piece` be read again."""
        self._pushed = piece + self._pushed

    def skip(self, count: int) -> int:
        """Pass over `count` bytes; returns how many there were."""
        if self.can_seek:
            left = self.total_bytes - self.done_bytes + len(self._pushed)
            skipped = min(count, left)
            self._file.seek(skipped - len(self._pushed), io.SEEK_CUR)
            self.done_bytes += skipped - len(self._pushed)
            self._pushed = b""
            return skipped
        skipped = 0
        while skipped < count and (piece := self.read(min(SKIP_BYTES, count - skipped))):
            skipped += len(piece)
        return skipped

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _handle(file: BinaryIO) -> int | None:
    try:
        return file.fileno()
    except (AttributeError, OSError):
        return None


class PlainText:
    """Text stored as it is."""

    def __init__(self, raw: RawInput) -> None:
        self._raw = raw

    def read(self) -> bytes:
        """Read some more text; empty = the end."""
        return self._raw.read()

    def skip(self, count: int) -> int:
        """Pass over `count` bytes of text; returns how many there were."""
        return self._raw.skip(count)


class PackedText:
    """Text stored in one or more gzip members or Zstandard frames, one after the other.

    Args:
        raw: the packed bytes.
        name: file name, for messages.
        kind: `gzip` or `zstd`.
    """

    def __init__(self, raw: RawInput, name: str, kind: str) -> None:
        self._raw = raw
        self._name = name
        self._kind = kind
        self._offset = 0
        self._extra = b""
        self._engine: _Engine | None = None
        self._member_count = 0
        self._packed = b""
        self._packed_at = 0

    def read(self) -> bytes:
        """Read some more text; empty = the end.

        Raises:
            Rejected: damaged or cut off.
        """
        text = self._read()
        self._offset += len(text)
        return text

    def skip(self, count: int) -> int:
        """Pass over `count` bytes of text; returns how many there were."""
        skipped = 0
        while skipped < count:
            text = self.read()
            if not text:
                break
            skipped += len(text)
            if skipped > count:
                self._extra = text[count - skipped :]
                self._offset -= len(self._extra)
                skipped = count
        return skipped

    def _read(self) -> bytes:
        if self._extra:
            text, self._extra = self._extra, b""
            return text
        while True:
            packed = self._next_packed()
            if self._engine is None:
                if self._member_count:
                    if not packed:
                        return b""
                    if self._kind == "gzip" and not (packed := packed.lstrip(b"\0")):
                        continue  # a gzip file may be padded with zeros
                self._engine = _GzipEngine() if self._kind == "gzip" else _ZstdEngine()
                self._member_count += 1
            try:
                text, rest_bytes = self._engine.decompress(packed)
            except (zlib.error, zstandard.ZstdError) as error:
                raise self._damaged(f"damaged ({error})") from error
            self._packed_at -= rest_bytes
            if self._engine.eof:
                self._engine = None
            elif not packed and not text:
                raise self._damaged("cut off")
            if text:
                return text

    def _next_packed(self) -> bytes:
        """Take a small piece: what is lost with a damaged one, and what one can unpack to."""
        if self._packed_at == len(self._packed):
            self._packed, self._packed_at = self._raw.read(), 0
        stop = self._packed_at + (GZIP_PIECE_BYTES if self._kind == "gzip" else ZSTD_PIECE_BYTES)
        piece = self._packed[self._packed_at : stop]
        self._packed_at += len(piece)
        return piece

    def _damaged(self, what: str) -> Rejected:
        return Rejected(
            f"Expected whole {self._kind} data in {self._name}, was {what} after "
            f"{self._offset} bytes of text: what came before counts; "
            f"put a whole copy in its place and start again to read the rest"
        )


class _Engine(Protocol):
    @property
    def eof(self) -> bool: ...

    def decompress(self, packed: bytes) -> tuple[bytes, int]:
        """Give text, and how many of the last bytes of `packed` are to be given again."""
        ...


class _GzipEngine:
    def __init__(self) -> None:
        self._engine = zlib.decompressobj(_GZIP_WBITS)

    @property
    def eof(self) -> bool:
        return self._engine.eof

    def decompress(self, packed: bytes) -> tuple[bytes, int]:
        engine = self._engine
        text = engine.decompress(packed, TEXT_BYTES_MAX)
        return text, len(engine.unused_data if engine.eof else engine.unconsumed_tail)


class _ZstdEngine:
    def __init__(self) -> None:
        context = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES_MAX)
        self._engine = context.decompressobj()

    @property
    def eof(self) -> bool:
        return self._engine.eof

    def decompress(self, packed: bytes) -> tuple[bytes, int]:
        text = self._engine.decompress(packed)
        return text, len(self._engine.unused_data) if self._engine.eof else 0


def open_raw(path: str, stdin: BinaryIO, stopped: Event) -> RawInput:
    """Open a file, or the standard input for `-`.

    Raises:
        Rejected: it cannot be opened.
    """
    if path == STDIN:
        return RawInput(stdin, stopped)
    try:
        return RawInput(Path(path).open("rb", buffering=0), stopped)
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: str, error: OSError) -> Rejected:
    """Say that a file cannot be read."""
    return Rejected(
        f"Expected a readable file {path}, was {error.strerror or error}: "
        f"check the path and the permissions, or leave the file out"
    )


def open_text(raw: RawInput, path: str) -> Text:
    """Choose how to read, by name (`.gz`, `.zst`) and else by the first bytes."""
    head = b""
    while len(head) < len(_ZSTD_MAGIC) and (piece := raw.read(len(_ZSTD_MAGIC) - len(head))):
        head += piece
    raw.push_back(head)
    if path.endswith(".gz") or head.startswith(_GZIP_MAGIC):
        return PackedText(raw, path, "gzip")
    if path.endswith(".zst") or head == _ZSTD_MAGIC:
        return PackedText(raw, path, "zstd")
    return PlainText(raw)
