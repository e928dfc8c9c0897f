"""Messages to measure with: the demo market, and recorded wire v1 lines repeated as often as asked.

A stream is cut into batches once, before anything is timed: the floor gets each batch as the
bytes objects it consists of, the full path as the block a log hands out.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swapstats.core.demo_market import SLICE_MS, DemoMarket
from swapstats.errors import UsageError
from swapstats.model.record import MessageBlock, RecordBatch

DEMO_START_MS = 1_770_000_000_000
_REPEAT_GAP_MS = 86_400_000
_EVENT_TIME = re.compile(rb'"event_time":(\d{13})')
_EVENT_ID = b'"event_id":"'


@dataclass(frozen=True, slots=True)
class Batch:
    """The same messages in the form each side takes them.

    Attributes:
        messages: one bytes object a message.
        append_ms: int64[n], when each arrived, ms since epoch.
        block: the messages end to end.
    """

    messages: list[bytes]
    append_ms: NDArray[np.int64]
    block: MessageBlock

    @staticmethod
    def of(messages: list[bytes], append_ms: NDArray[np.int64]) -> "Batch":
        """Lay messages end to end."""
        return Batch(messages, append_ms, MessageBlock.of(messages))

    def records(self, first_offset: int) -> RecordBatch:
        """The batch as records of partition 0 from an offset on."""
        count = len(self.messages)
        offsets = np.arange(first_offset, first_offset + count, dtype=np.int64)
        return RecordBatch(0, offsets, self.append_ms, self.block.buffer, self.block.bounds)


def demo_arrivals(seed: int, tokens: int, rate: int) -> Iterator[tuple[bytes, int]]:
    """The demo market without end: (message, arrival time in ms), in order of arrival."""
    market = DemoMarket(seed, tokens, rate)
    at_ms = DEMO_START_MS
    while True:
        arrived_ms = at_ms + SLICE_MS
        for message in market.slice(at_ms):
            yield message, arrived_ms
        at_ms = arrived_ms


def line_arrivals(files: Sequence[Sequence[bytes]]) -> Iterator[tuple[bytes, int]]:
    """Recorded files, one after the other in order of their first event, again and again.

    Each time around, event times move on and event ids get another first part, so that nothing
    is a duplicate but what was one in the files. A message arrives at its event_time.

    Args:
        files: messages of each file, with `event_id`, `event_time` as an integer, in order.

    Raises:
        UsageError: a message has no event_id or no event_time in milliseconds.
    """
    ordered = sorted((_pieces(messages) for messages in files if messages), key=lambda f: f[0][3])
    if not ordered:
        raise UsageError("Expected recorded messages, was none")
    first_ms = min(piece[3] for file in ordered for piece in file)
    last_ms = max(piece[3] for file in ordered for piece in file)
    turn_ms = last_ms - first_ms + _REPEAT_GAP_MS
    turn = 0
    while True:
        moved_ms = turn * turn_ms
        for file in ordered:
            for head, middle, tail, when_ms in file:
                event_ms = when_ms + moved_ms
                yield b"%b%d.%b%d%b" % (head, turn, middle, event_ms, tail), event_ms
        turn += 1


def interleaved(files: Sequence[Sequence[bytes]]) -> list[bytes]:
    """Messages of several files in order of event_time, as one file."""
    rows = sorted(
        (piece for messages in files for piece in _pieces(messages)), key=lambda piece: piece[3]
    )
    return [b"%b%b%d%b" % (head, middle, when_ms, tail) for head, middle, tail, when_ms in rows]


def cut_batches(
    arrivals: Iterable[tuple[bytes, int]],
    messages_total: int,
    batch_messages: int,
    on_progress: Callable[[int], None],
) -> list[Batch]:
    """Take the next messages of a stream as batches of equal size.

    Args:
        arrivals: the stream; taken from where it stands.
        messages_total: how many to take.
        batch_messages: how many a batch holds; the last may hold fewer.
        on_progress: told the number of messages after each batch.
    """
    source = iter(arrivals)
    batches: list[Batch] = []
    left = messages_total
    while left:
        count = min(left, batch_messages)
        rows = [next(source) for _ in range(count)]
        append_ms = np.array([arrived_ms for _, arrived_ms in rows], dtype=np.int64)
        batches.append(Batch.of([message for message, _ in rows], append_ms))
        left -= count
        on_progress(count)
    return batches


def _pieces(messages: Sequence[bytes]) -> list[tuple[bytes, bytes, bytes, int]]:
    """Cut messages around the start of the event_id and the event_time."""
    found = []
    for message in messages:
        id_at = message.find(_EVENT_ID)
        when = _EVENT_TIME.search(message)
        if id_at < 0 or when is None or id_at > when.start():
            raise UsageError(
                "Expected recorded messages with event_id, then event_time in milliseconds, "
                f"was {message[:80]!r}"
            )
        id_at += len(_EVENT_ID)
        found.append(
            (
                message[:id_at],
                message[id_at : when.start(1)],
                message[when.end(1) :],
                int(when.group(1)),
            )
        )
    return found
