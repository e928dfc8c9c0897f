"""Replay of wire v1 files: one message a line, plain, gzip or Zstandard, or the standard input.

It never decodes a message, never changes anything but `event_time` (and that only when asked),
and never blocks the event loop: reading, unpacking and cutting happen in a thread, one block
ahead of the reader.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from threading import Event
from typing import BinaryIO

import msgspec
import numpy as np

from swapstats.adapters.sources.event_times import find_event_times, shift_event_times
from swapstats.adapters.sources.lines import LineBlock, LineCutter
from swapstats.adapters.sources.text_files import (
    STDIN,
    RawInput,
    Text,
    open_raw,
    open_text,
    unreadable,
)
from swapstats.core.replay_pace import NO_TIME_MS, ReplayPace
from swapstats.errors import Rejected
from swapstats.ports.clock import Clock
from swapstats.ports.source import NO_NOTES, SourceBatch, SourceStatus

BLOCK_BYTES = 1 << 20
"""Text of one block at least, where the file has it; a block takes one piece more at most."""
WAIT_MS_MAX = 200
"""No single wait is longer, so that a clock that jumps is noticed."""
TICK_MS = 10
"""Paced messages go out at most this often: not one by one."""
SHOW_WAIT_MS = 1_000

_START_AGAIN = "start with an empty data directory to replay from the beginning"


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place in a replay.

    Attributes:
        file: number of the file, from 0.
        offset: bytes of its (unpacked) text that were delivered.
        shift_ms: what is added to its event times; None if nothing or not known yet.
        start_ms: wall time that the first message of the file was moved to.
    """

    file: int
    offset: int
    shift_ms: int | None = None
    start_ms: int | None = None

    @property
    def text(self) -> str:
        """The position as the log keeps it."""
        return msgspec.json.encode(self).decode()

    @staticmethod
    def parse(position: str, file_count: int) -> "Place":
        """Read a position.

        Raises:
            Rejected: it is none, or none of these files.
        """
        try:
            place = msgspec.json.decode(position, type=Place)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise Rejected(
                f"Expected a position of a replay, was {position!r}: {_START_AGAIN}"
            ) from error
        if not 0 <= place.file < file_count or place.offset < 0:
            raise Rejected(
                f"Expected the position to be within {file_count} files, was file "
                f"{place.file + 1}: give the files in the order they were given before"
            )
        return place


class FileBlocks:
    """Blocks of one file, read by a thread.

    Args:
        path: the file, or `-`.
        stdin: what `-` reads.
        offset: how much of the text to pass over first.
        block_bytes: text of one block at least.
    """

    def __init__(self, path: str, stdin: BinaryIO, offset: int, block_bytes: int) -> None:
        self._path = path
        self._stopped = Event()
        self._raw: RawInput = open_raw(path, stdin, self._stopped)
        self._text: Text | None = None
        self._offset = offset
        self._cutter = LineCutter(offset)
        self._block_bytes = block_bytes
        self._failure: Rejected | None = None
        self._at_end = False

    @property
    def done_bytes(self) -> int:
        """Stored bytes read so far."""
        return self._raw.done_bytes

    def read(self) -> LineBlock | None:
        """Read the next block; blocks. None at the end.

        Raises:
            Rejected: the file is damaged, or shorter than the position; raised after everything
                that could be read was given.
        """
        if self._text is None:
            self._text = self._open_at_offset()
        while self._failure is None and not self._at_end:
            piece = self._read_piece(self._text)
            lines = self._cutter.feed(piece) if piece else None
            if self._at_end and lines is None:
                lines = self._cutter.finish()
            if lines is not None:
                return lines
        if self._failure is not None:
            raise self._failure
        return self._cutter.finish()

    def stop(self) -> None:
        """Let a read that waits for a pipe return soon; from any thread."""
        self._stopped.set()

    def close(self) -> None:
        """Close the file; no read may be under way."""
        if self._path != STDIN:
            self._raw.close()

    def _open_at_offset(self) -> Text:
        text = open_text(self._raw, self._path)
        if self._offset:
            skipped = text.skip(self._offset)
            if skipped < self._offset:
                raise Rejected(
                    f"Expected {self._path} to hold the {self._offset} bytes of text delivered "
                    f"before, was {skipped}: put the file back as it was, or {_START_AGAIN}"
                )
        return text

    def _read_piece(self, text: Text) -> bytes:
        """Read about a block; what came before a failure or the end counts."""
        pieces: list[bytes] = []
        size = 0
        while size < self._block_bytes:
            try:
                piece = text.read()
            except Rejected as failure:
                self._failure = failure
                break
            except OSError as error:
                self._failure = unreadable(self._path, error)
                break
            if not piece:
                self._at_end = True
                break
            pieces.append(piece)
            size += len(piece)
            if not self._raw.can_seek:
                break  # a pipe is read as it comes
        return b"".join(pieces)


class NdjsonSource:
    """Messages of files, in the order given: the `Source` port for replays.

    Args:
        paths: files; `-` is the standard input.
        clock: wall clock for `shift_to_now`, monotonic clock for the pace.
        speed: how many times the recorded pace of each file; None = as fast as read.
        rate: messages a second; None = no bound.
        shift_to_now: add to all event times of a file what makes its first message happen at the
            moment its replay began; the same after a resume.
        name: stable name in the log.
        stdin: what `-` reads; the process's own by default.
        block_bytes: text of one block at least.
        sleep: waits for seconds; tests let a manual clock advance instead.
    """

    def __init__(
        self,
        paths: Sequence[str],
        clock: Clock,
        *,
        speed: float | None = None,
        rate: float | None = None,
        shift_to_now: bool = False,
        name: str = "replay",
        stdin: BinaryIO | None = None,
        block_bytes: int = BLOCK_BYTES,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._paths = list(paths)
        self._clock = clock
        self._speed = speed
        self._rate = rate
        self._shift_to_now = shift_to_now
        self._name = name
        self._stdin = stdin
        self._block_bytes = block_bytes
        self._sleep = sleep
        self._status = SourceStatus("connecting", "Not started yet")
        self._total_bytes = 0
        self._before_bytes = 0

    @property
    def name(self) -> str:
        """Stable name: positions in the log are kept under it."""
        return self._name

    def status(self) -> SourceStatus:
        """Report which file is being read and how far; bytes are those stored, not unpacked."""
        return self._status

    async def open(
        self,
        position: str | None,
        notes: Mapping[str, str] = NO_NOTES,  # noqa: ARG002 - the port's
    ) -> AsyncIterator[SourceBatch]:
        """Stream the messages from after `position` on.

        Raises:
            Rejected: a file cannot be read, is damaged (what came before was delivered), or is
                not the one the position was taken in.
        """
        try:
            place = self._place(position)
            sizes = self._check_files(place.file)
            pace = ReplayPace(self._speed, self._rate, self._clock.monotonic_ms())
            for number in range(place.file, len(self._paths)):
                at = place if number == place.file else Place(number, 0)
                async with aclosing(self._file(at, pace)) as batches:
                    async for batch in batches:
                        yield batch
                self._before_bytes += sizes[number]
        except Rejected as failure:
            self._tell("failed", str(failure), self._status.done_bytes)
            raise
        self._tell("done", f"Replayed {len(self._paths)} files", self._total_bytes)

    def _place(self, position: str | None) -> Place:
        if position is None:
            return Place(0, 0)
        place = Place.parse(position, len(self._paths))
        if place.shift_ms is not None and not self._shift_to_now:
            raise Rejected(
                "Expected event times to be shifted as before, was no shift: "
                f"ask for it again, or {_START_AGAIN}"
            )
        return place

    def _check_files(self, first: int) -> list[int]:
        """Look at all files before the first is read: a missing third one is known at once."""
        sizes = [0] * len(self._paths)
        for number, path in enumerate(self._paths):
            if path == STDIN:
                continue
            try:
                with Path(path).open("rb"):
                    sizes[number] = Path(path).stat().st_size
            except OSError as error:
                if number >= first:
                    raise unreadable(path, error) from error
        self._total_bytes = 0 if STDIN in self._paths else sum(sizes)
        self._before_bytes = sum(sizes[:first])
        return sizes

    def _tell(self, state: str, detail: str, done_bytes: int) -> None:
        self._status = SourceStatus(state, detail, done_bytes, self._total_bytes)

    async def _file(self, place: Place, pace: ReplayPace) -> AsyncGenerator[SourceBatch, None]:
        """Stream one file from a place on."""
        path = self._paths[place.file]
        stdin = self._stdin or sys.stdin.buffer
        blocks = FileBlocks(path, stdin, place.offset, self._block_bytes)
        live = f"Reading {'standard input' if path == STDIN else path}"
        self._tell("live", live, self._before_bytes)
        begun_ms = self._clock.monotonic_ms()
        if place.shift_ms is not None and place.start_ms is not None:
            # A shifted recording goes on happening while nobody reads: catch up, do not lag.
            pace.begin_file(begun_ms - self._clock.wall_ms() + place.start_ms, place.start_ms)
        else:
            pace.begin_file(begun_ms)
        async with aclosing(_read_ahead(blocks)) as line_blocks:
            async for lines in line_blocks:
                if self._speed is None and not self._shift_to_now:
                    block = lines
                    pace.offer(np.full(len(lines), NO_TIME_MS, dtype=np.int64))
                else:
                    block, place = await asyncio.to_thread(self._timed, lines, place, pace)
                sent = 0
                while pace.left_count:
                    now_ms = self._clock.monotonic_ms()
                    due = pace.due_count(now_ms)
                    if due <= 0:
                        wait_ms = pace.wait_ms(now_ms)
                        if wait_ms > SHOW_WAIT_MS:
                            detail = f"{live}, next message in {wait_ms / 1_000:.0f} s"
                            self._tell("waiting", detail, self._status.done_bytes)
                        await self._sleep(min(max(wait_ms, TICK_MS), WAIT_MS_MAX) / 1_000)
                        continue
                    pace.take(due)
                    part = block.part(sent, sent + due)
                    sent += due
                    place = Place(place.file, int(part.ends[-1]), place.shift_ms, place.start_ms)
                    self._tell("live", live, self._before_bytes + blocks.done_bytes)
                    yield SourceBatch(part.block, place.text)

    def _timed(self, lines: LineBlock, place: Place, pace: ReplayPace) -> tuple[LineBlock, Place]:
        """Shift the event times of a block if asked, and offer it to the pace; for a thread."""
        times = find_event_times(lines.block)
        if not self._shift_to_now:
            pace.offer(times.event_ms)
            return lines, place
        known = times.event_ms[times.event_ms != NO_TIME_MS]
        if place.shift_ms is None and len(known):
            start_ms = self._clock.wall_ms()
            place = Place(place.file, place.offset, start_ms - int(known[0]), start_ms)
        shift_ms = place.shift_ms or 0
        block = shift_event_times(lines.block, times, shift_ms)
        shifted_ms = np.where(times.event_ms == NO_TIME_MS, NO_TIME_MS, times.event_ms + shift_ms)
        pace.offer(shifted_ms)
        return LineBlock(block, lines.ends), place


async def _read_ahead(blocks: FileBlocks) -> AsyncGenerator[LineBlock, None]:
    """Read blocks in a thread, one ahead; closes them at the end."""
    reading = asyncio.create_task(asyncio.to_thread(blocks.read))
    try:
        while (lines := await asyncio.shield(reading)) is not None:
            reading = asyncio.create_task(asyncio.to_thread(blocks.read))
            yield lines
    finally:
        blocks.stop()
        await asyncio.wait([reading])  # the file must not be closed under a read
        blocks.close()
        if not reading.cancelled():
            reading.exception()  # seen above, or nobody is left to see it
