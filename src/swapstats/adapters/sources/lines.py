"""Cutting text into messages, one a line. It never reads a file and never looks into a message.

Whole blocks are cut at once with NumPy; nothing here runs once per line, except for lines over
the size limit.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swapstats.model.record import MessageBlock
from swapstats.model.wire import MESSAGE_BYTES_MAX

CUT_BYTES = MESSAGE_BYTES_MAX + 1
"""A longer line is cut here: long enough for the decoder to call it too large."""

_NEWLINE = 10
_RETURN = 13


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Messages with their places in the text.

    Attributes:
        block: the messages.
        ends: int64[n], offset in the text after each message's line.
    """

    block: MessageBlock
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ends)

    def part(self, start: int, stop: int) -> "LineBlock":
        """Messages `start` to `stop` (exclusive); shares the memory of the whole."""
        if start == 0 and stop == len(self):
            return self
        bounds = self.block.bounds[start : stop + 1]
        buffer = self.block.buffer[int(bounds[0]) : int(bounds[-1])]
        return LineBlock(MessageBlock(buffer, bounds - bounds[0]), self.ends[start:stop])


class LineCutter:
    r"""Cuts a text that comes in pieces.

    `\n` and `\r\n` end a line; empty lines are no messages; a last line needs no end. A line
    over the size limit becomes one message of CUT_BYTES; memory stays within a piece and
    CUT_BYTES.

    Args:
        offset: place in the text where the first piece begins.
    """

    def __init__(self, offset: int = 0) -> None:
        self._carry = b""
        # Where the carry would begin if it were whole: dropped bytes of a long line are added.
        self._base = offset
        self._in_long_line = False

    def feed(self, piece: bytes) -> LineBlock | None:
        """Cut all lines that end in this piece; None if none does."""
        if self._in_long_line:
            newline = piece.find(b"\n")
            if newline < 0:
                self._base += len(piece)
                return None
            self._base += newline
            piece = piece[newline:]
            self._in_long_line = False
        text = self._carry + piece
        cut = text.rfind(b"\n") + 1
        self._carry = text[cut:]
        base = self._base
        self._base += cut
        if len(self._carry) > CUT_BYTES:
            self._base += len(self._carry) - CUT_BYTES
            self._carry = self._carry[:CUT_BYTES]
            self._in_long_line = True
        return cut_lines(text[:cut], base) if cut else None

    def finish(self) -> LineBlock | None:
        """Give the last line, if the text did not end with a line end."""
        if not self._carry:
            return None
        lines = cut_lines(self._carry + b"\n", self._base)
        self._carry = b""
        if lines is None:
            return None
        return LineBlock(lines.block, lines.ends - 1)


def cut_lines(text: bytes, base: int) -> LineBlock | None:
    """Cut a text that ends with a newline; None if all its lines are empty.

    Args:
        text: whole lines.
        base: offset of its first byte.
    """
    letters = np.frombuffer(text, dtype=np.uint8)
    stops = np.flatnonzero(letters == _NEWLINE)
    ends = stops + (base + 1)
    starts = np.concatenate((np.zeros(1, dtype=np.int64), stops[:-1] + 1))
    has_return = b"\r" in text  # one letter is found at memory speed, two are not
    if has_return:
        stops = stops - ((letters[np.maximum(stops - 1, 0)] == _RETURN) & (stops > starts))
    lengths = stops - starts
    if int(lengths.max()) > CUT_BYTES:
        lengths = np.minimum(lengths, CUT_BYTES)
        body = b"".join(
            text[start : start + length]
            for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
        )
    else:
        body = (text.replace(b"\r\n", b"\n") if has_return else text).replace(b"\n", b"")
    if not int(lengths.min()):
        kept = lengths > 0
        lengths, ends = lengths[kept], ends[kept]
        if not len(lengths):
            return None
    bounds = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=bounds[1:])
    return LineBlock(MessageBlock(np.frombuffer(body, dtype=np.uint8), bounds), ends)
