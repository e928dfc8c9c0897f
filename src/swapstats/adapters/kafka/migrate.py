"""A log copied into a new topic with another number of partitions.

The order of each token's records and their append times stay: records of all source partitions are
merged by append time, so that what was not late before is not late after, and each copy carries its
original append time in a header that readers prefer to the broker's. How far the copy is, is noted
in the target's positions topic after each round; a copy that was stopped goes on from there and may
write some records of the last round again, which the windows recognise as duplicates. Where
the writers of the source stand is handed over too, so that they go on with the target, and so is
the end of the copies: what lies before was archived from the source.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from swapstats.adapters.kafka.client import (
    KafkaAddress,
    count_partitions,
    end_offsets,
    expect_partitions,
    kafka_admin,
    start_offsets,
)
from swapstats.adapters.kafka.log import keys_in
from swapstats.adapters.kafka.partition_reader import PartitionReader
from swapstats.adapters.kafka.positions import SourcePositions, positions_topic
from swapstats.adapters.kafka.records import APPEND_MS_HEADER, Chunk, take_records
from swapstats.adapters.kafka.writer import DELIVERY_MS, Header, TopicWriter
from swapstats.core.decode import decode_block, partitions_of
from swapstats.core.hash_key import HashKey
from swapstats.errors import OffsetGone, UsageError
from swapstats.model.record import MessageBlock

ROUND_BYTES_MAX: Final = 1 << 20
"""Read of each source partition at a time."""

_READS_A_ROUND: Final = 4
"""A round waits for its acknowledgements twice; the more it writes, the less that costs."""

_COPY: Final = "copy:"
COPY_ENDS: Final = "copy:ends"
"""Name among the target's positions: a JSON list of the offsets its copied records end at."""


@dataclass(frozen=True, slots=True)
class CopyProgress:
    """How far a copy is.

    Attributes:
        copied: records copied by this run.
        left: records of the source not copied yet, as of the last look.
        next_offsets: by source partition, the next one to copy.
        handed_over: True if nothing was left, and where writers stand was written down.
    """

    copied: int
    left: int
    next_offsets: tuple[int, ...]
    handed_over: bool = False


@dataclass(slots=True)
class _Cursor:
    """A source partition being read.

    Attributes:
        next_offset: next record to take.
        chunk: records read and not taken yet; None at the end.
        row: first of them.
        sort_ms: int64[n], append times that never go back within the partition.
    """

    reader: PartitionReader
    next_offset: int
    chunk: Chunk | None = None
    row: int = 0
    sort_ms: NDArray[np.int64] | None = None
    newest_ms: int = 0


@dataclass(slots=True)
class _Taken:
    """Records of all partitions in order of append time, not written yet.

    Attributes:
        messages: their bytes.
        append_ms: their append times, as they are told.
        size_bytes: of all messages.
    """

    messages: list[bytes] = field(default_factory=list)
    append_ms: list[int] = field(default_factory=list)
    size_bytes: int = 0


class LogCopy:
    """Copies one topic into another; one thread, and one copy of a pair of topics at a time.

    Args:
        address: the brokers of both.
        source: topic to copy.
        target: topic to copy into, made before (with `<target>.positions`).
        key: hash key, for decoding token keys.
        round_bytes_max: read of each source partition at a time; a round writes some times that.
        delivery_ms: how long records may wait for their acknowledgement.

    Raises:
        UsageError: source and target are the same.
        OffsetGone: the source no longer holds what comes next.
        Fatal: a topic is not there, or no right to use it.
        Transient: the brokers cannot be reached.
    """

    def __init__(
        self,
        address: KafkaAddress,
        source: str,
        target: str,
        key: HashKey,
        *,
        round_bytes_max: int = ROUND_BYTES_MAX,
        delivery_ms: int = DELIVERY_MS,
    ) -> None:
        if source == target:
            raise UsageError(f"Expected a new topic to copy {source} into, was the same")
        self._source = source
        self._target = target
        self._key = key
        self._round_bytes_max = round_bytes_max
        self._admin = kafka_admin(address)
        self._partitions = range(expect_partitions(self._admin, source))
        self._target_count = expect_partitions(self._admin, target)
        expect_partitions(self._admin, positions_topic(target))
        self._positions = SourcePositions(address, self._admin, target)
        self._copied = 0
        self._taken = _Taken()
        self._was_full = False
        self._handed_over: dict[str, str] = {}
        has_positions = count_partitions(self._admin, positions_topic(source)) is not None
        self._sources = SourcePositions(address, self._admin, source) if has_positions else None
        self._cursors = [
            _Cursor(PartitionReader(address, self._admin, source, partition), next_offset)
            for partition, next_offset in enumerate(self._resume())
        ]
        self._writer = TopicWriter(address, delivery_ms)

    def run(
        self,
        on_progress: Callable[[CopyProgress], None],
        follow: Callable[[], bool] = lambda: False,
    ) -> CopyProgress:
        """Copy everything there is, and then what comes, as long as `follow` says so.

        Args:
            on_progress: called after each round.
            follow: asked whenever the copy has caught up; may wait. True = look again, until it
                says no for the first time.

        Returns:
            The last progress; everything that was in the source when `follow` said no was copied.
            Where its writers stand is handed over once nothing is left: not while they go on.

        Raises:
            OffsetGone: the source's retention overtook the copy.
            Transient: the brokers cannot be reached; run again, it goes on where it was.
        """
        last_ends: list[int] | None = None
        had_all = False
        while True:
            # Messages come before the position that stands for them: once nothing is left, all
            # messages of positions read before are copied.
            sources = self._source_positions()
            moved = self.step()
            progress = self.progress()
            on_progress(progress)
            if moved == 0:
                self._hand_over(sources | {COPY_ENDS: self._target_ends()})
            elif self._was_full:
                continue
            if last_ends is None and not follow():
                last_ends = end_offsets(self._admin, self._source, self._partitions)
            if last_ends is None:
                continue
            # With all of that copied, one more round finds nothing, unless writers go on.
            if moved == 0 or had_all:
                return replace(progress, handed_over=moved == 0)
            had_all = all(map(operator.ge, progress.next_offsets, last_ends))

    def step(self) -> int:
        """Copy one round; returns the number of records copied, 0 if there were none.

        Raises:
            OffsetGone: the source's retention overtook the copy.
            Transient: the brokers cannot be reached; the next step goes on.
        """
        taken = self._taken
        while taken.size_bytes < _READS_A_ROUND * self._round_bytes_max and self._take():
            pass
        count = len(taken.messages)
        self._was_full = taken.size_bytes >= _READS_A_ROUND * self._round_bytes_max
        if not count:
            return 0
        self._write(taken)
        self._taken = _Taken()
        self._copied += count
        self._note()
        return count

    def progress(self) -> CopyProgress:
        """How far the copy is; asks the broker for the source's end.

        Raises:
            Transient: the brokers cannot be reached.
        """
        ends = end_offsets(self._admin, self._source, self._partitions)
        places = tuple(cursor.next_offset for cursor in self._cursors)
        left = sum(max(0, end - place) for end, place in zip(ends, places, strict=True))
        return CopyProgress(self._copied, left, places)

    def close(self) -> None:
        """Release connections; the copy can be taken up again later."""
        self._writer.close()
        self._positions.close()
        if self._sources is not None:
            self._sources.close()
        for cursor in self._cursors:
            cursor.reader.close()

    def _resume(self) -> list[int]:
        """Next offset of each source partition: where a stopped copy was, or the log's start."""
        starts = start_offsets(self._admin, self._source, self._partitions)
        places = []
        for partition, start in enumerate(starts):
            noted = self._positions.get(self._name(partition))
            if noted is not None and int(noted) < start:
                raise OffsetGone(
                    f"Expected offset {noted} of partition {partition} of topic {self._source}, "
                    f"was deleted: it begins at {start}; copy into a new topic from the start"
                )
            places.append(start if noted is None else int(noted))
        return places

    def _take(self) -> bool:
        """Take what can be put in order now; False if there is nothing."""
        for cursor in self._cursors:
            if cursor.chunk is None:
                self._fill(cursor)
        full = [cursor for cursor in self._cursors if cursor.sort_ms is not None]
        if not full:
            return False
        # Beyond the oldest "last read", a partition may still have older records to come.
        bound_ms = min(int(cursor.sort_ms[-1]) for cursor in full if cursor.sort_ms is not None)
        messages: list[bytes] = []
        append_ms: list[NDArray[np.int64]] = []
        sort_ms: list[NDArray[np.int64]] = []
        for cursor in full:
            rows = _rows_up_to(cursor, bound_ms)
            if cursor.chunk is None or cursor.sort_ms is None or not rows:
                continue
            messages += cursor.chunk.values[rows.start : rows.stop]
            append_ms.append(cursor.chunk.append_ms[rows.start : rows.stop])
            sort_ms.append(cursor.sort_ms[rows.start : rows.stop])
            _advance(cursor, len(rows))
        order = np.argsort(np.concatenate(sort_ms), kind="stable")
        taken = self._taken
        taken.messages += [messages[at] for at in order.tolist()]
        taken.append_ms += np.concatenate(append_ms)[order].tolist()
        taken.size_bytes += sum(map(len, messages))
        return True

    def _fill(self, cursor: _Cursor) -> None:
        messages = cursor.reader.read(cursor.next_offset, self._round_bytes_max)
        if not messages:
            return
        cursor.chunk = take_records(messages, self._source, any_time=True)
        cursor.row = 0
        cursor.sort_ms = np.maximum(np.maximum.accumulate(cursor.chunk.append_ms), cursor.newest_ms)
        cursor.newest_ms = int(cursor.sort_ms[-1])

    def _write(self, taken: _Taken) -> None:
        block = MessageBlock.of(taken.messages)
        columns = decode_block(block, self._key, max(taken.append_ms))
        stamps: dict[int, list[Header]] = {
            ms: [(APPEND_MS_HEADER, b"%d" % ms)] for ms in set(taken.append_ms)
        }
        self._writer.write(
            self._target,
            taken.messages,
            keys_in(columns),
            partitions_of(columns, block, self._target_count).tolist(),
            [stamps[ms] for ms in taken.append_ms],
        )

    def _note(self) -> None:
        """Write down how far the copy is, after the records themselves."""
        count = len(self._cursors)
        self._writer.write(
            positions_topic(self._target),
            [b"%d" % cursor.next_offset for cursor in self._cursors],
            [self._name(partition).encode() for partition in range(count)],
            [0] * count,
        )

    def _source_positions(self) -> dict[str, str]:
        """Where the writers of the source stand, so that they can go on with the target."""
        if self._sources is None:
            return {}
        return {
            name: position
            for name, position in self._sources.everything().items()
            if not name.startswith(_COPY)
        }

    def _hand_over(self, sources: dict[str, str]) -> None:
        """Write down in the target where the writers of the source stand, and where copies end."""
        if sources == self._handed_over:
            return
        forgotten = [name for name in self._handed_over if name not in sources]
        self._writer.write(
            positions_topic(self._target),
            [position.encode() for position in sources.values()] + [None] * len(forgotten),
            [name.encode() for name in (*sources, *forgotten)],
            [0] * (len(sources) + len(forgotten)),
        )
        self._handed_over = sources

    def _target_ends(self) -> str:
        ends = end_offsets(self._admin, self._target, range(self._target_count))
        return msgspec.json.encode(ends).decode()

    def _name(self, partition: int) -> str:
        return f"{_COPY}{self._source}:{partition}"


def _rows_up_to(cursor: _Cursor, bound_ms: int) -> range:
    """Rows whose time is not above the bound."""
    if cursor.sort_ms is None:
        return range(0)
    return range(cursor.row, int(np.searchsorted(cursor.sort_ms, bound_ms, side="right")))


def _advance(cursor: _Cursor, count: int) -> None:
    """Go past rows that were taken."""
    if cursor.chunk is None or count == 0:
        return
    cursor.row += count
    cursor.next_offset = int(cursor.chunk.offsets[cursor.row - 1]) + 1
    if cursor.row == len(cursor.chunk):
        cursor.chunk = None
        cursor.sort_ms = None
