"""A small world for the archiver: a log, shards, checkpoints and an archive that forgets nothing.

Everything a killed process would lose is dropped by `crash`; the log, the checkpoint store, the
journal's file and the archive stay. `lived` holds what was last decided about every record.
"""

from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

from swapstats.adapters.embedded.checkpoints import EmbeddedCheckpointStore
from swapstats.adapters.embedded.journal import EmbeddedArchiveJournal
from swapstats.core.archive_batcher import BatchLimits
from swapstats.core.archive_rows import LATE_SIGN, RowRun
from swapstats.core.batches import cut_batch
from swapstats.core.hash_key import HashKey
from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig
from swapstats.errors import Transient
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.model.window import WindowSpec
from swapstats.ports.archive import ArchiveBatch
from swapstats.ports.pair_memory import PairMemory
from swapstats.roles.aggregator.archiving import Piece
from swapstats.roles.aggregator.known_pairs import KnownPairs
from swapstats.roles.archive_lane import ReplayStep
from swapstats.roles.archiver import Archiver
from swapstats.testing.manual_clock import ManualClock

START_MS = 1_704_412_800_000
KEY = HashKey.of(b"sixteen bytes ok")
Row = tuple[int, int, int, bytes]
"""Partition, offset, sign, message."""


class MemoryArchive:
    """An archive with a raw table and one view, each with a memory for names of its own.

    Args:
        chance: decides which inserts fail or are cut off.
        names_max: names remembered by each table.
        faults: called between the table and its view.
    """

    def __init__(self, chance: Random, names_max: int = 1_000) -> None:
        self.raw: list[Row] = []
        self.view: Counter[tuple[int, bytes]] = Counter()
        self.chance = chance
        self.failing = 0.0
        self.faults: Callable[[str], None] = lambda _: None
        self.verified = 0
        self._raw_names: deque[str] = deque(maxlen=names_max)
        self._view_names: deque[str] = deque(maxlen=names_max)

    def insert(self, batch: ArchiveBatch) -> None:
        note = batch.note
        name = f"{note.partition}/{note.first_offset}-{note.next_offset}"
        if self.chance.random() < self.failing:
            raise Transient("no answer", 10)
        if name not in self._raw_names:
            self._raw_names.append(name)
            self.raw += _rows(note.partition, batch.run)
        self.faults("insert.raw")
        if name not in self._view_names:
            self._view_names.append(name)
            self.view.update(_signed(note.partition, batch.run))
        self.faults("insert.view")
        if self.chance.random() < self.failing:
            raise Transient("the answer was lost", 10)

    def verify(self, batch: ArchiveBatch) -> None:
        self.verified += 1
        partition = batch.note.partition
        there = set(self.raw)
        self.raw += [row for row in _rows(partition, batch.run) if row not in there]
        for _, _, _, message in _rows(partition, batch.run):
            key = (partition, message)
            self.view[key] = sum(sign for part, _, sign, found in self.raw if (part, found) == key)

    def end_offset(self, partition: int) -> int:
        return max((offset + 1 for part, offset, _, _ in self.raw if part == partition), default=0)

    def close(self) -> None:
        """Nothing to release."""


class ArchivedWorld:
    """Shards of several partitions that archive what they decide.

    Args:
        directory: where the stores are.
        chance: every decision of the test.
        messages: by partition.
        width_ms: the only window; a narrow one makes records too old.
        pairs: what is known from before the windows.
    """

    def __init__(
        self,
        directory: Path,
        chance: Random,
        messages: list[list[bytes]],
        width_ms: int,
        pairs: PairMemory | None = None,
    ) -> None:
        self._pairs = KnownPairs(pairs, wait_s=0.0)
        self.left_out_again = 0
        self.chance = chance
        self.messages = messages
        self.clock = ManualClock(START_MS + 10_000)
        self.archive = MemoryArchive(chance)
        self.lived: dict[tuple[int, int], int] = {}
        self.faults: Callable[[str], None] = lambda _: None
        self.limits = BatchLimits(rows_due=8, rows_max=12, steps_max=5, months_max=3)
        self._directory = directory
        self._spec = WindowSpec(1_000, (width_ms,))
        self._append_ms = [
            [START_MS + 20 * number for number in range(len(part))] for part in messages
        ]
        self.shards: dict[int, Shard] = {}
        self.steps: dict[int, list[ReplayStep]] = {}
        self._saved: dict[int, list[int]] = {}

    def start(self) -> None:
        """Open the stores and restore every shard, sometimes from the revision before."""
        self.store = EmbeddedCheckpointStore(self._directory / "checkpoints.db")
        self.journal = EmbeddedArchiveJournal(self._directory / "journal.db")
        self.archiver = Archiver(
            self.archive, self.journal, self.clock, self.limits, faults=self._fault
        )
        previous = self.chance.random() < 0.3
        for partition in range(len(self.messages)):
            config = ShardConfig(partition, self._spec, KEY)
            epoch = self.store.acquire(partition)
            checkpoint = self.store.load(partition, previous=previous) or self.store.load(partition)
            shard = (
                Shard(config, epoch)
                if checkpoint is None
                else Shard.restore(config, checkpoint, epoch)
            )
            self.shards[partition] = shard
            self._saved[partition] = [shard.next_offset]
            self.steps[partition] = list(self.archiver.resume(partition, epoch, shard.next_offset))

    def crash(self) -> None:
        """Lose what a killed process loses."""
        self.store.close()
        self.journal.close()
        self.shards.clear()

    def apply_some(self, partition: int) -> None:
        """Apply the next records of a partition, as the contract of `archiver` says."""
        shard = self.shards[partition]
        end = len(self.messages[partition])
        if shard.next_offset >= end or not self.archiver.has_room():
            return
        count = self.chance.randint(1, 9)
        batch = self._read(partition, shard.next_offset, min(end, shard.next_offset + count))
        steps = self.steps[partition]
        now_ms = self.clock.wall_ms()
        step = steps[0] if steps else None
        if steps:
            batch, _ = cut_batch(batch, steps[0].next_offset)
            now_ms = steps[0].moment_ms(batch, now_ms)
        moment_ms = max(now_ms, shard.t_ms)
        try:
            effects = self._pairs.apply(shard, Piece(batch, moment_ms, step))
        except Transient:
            return
        if steps and batch.next_offset == steps[0].next_offset:
            steps.pop(0)
        self.left_out_again += step is not None and step.left_out
        rows = effects.archive
        for offset in batch.offsets.tolist():
            self.lived.pop((partition, offset), None)
        for index, sign in zip(rows.index.tolist(), rows.sign.tolist(), strict=True):
            self.lived[partition, int(batch.offsets[index])] = sign
        for index in rows.late_index.tolist():
            self.lived[partition, int(batch.offsets[index])] = LATE_SIGN
        self.archiver.offer(partition, batch, rows, moment_ms)

    def tick(self, partition: int) -> None:
        """Let time pass for a shard that does not replay."""
        if not self.steps[partition]:
            self.shards[partition].tick(self.clock.wall_ms())

    def checkpoint(self, partition: int) -> None:
        """Save a checkpoint once everything before it is archived."""
        draft = self.shards[partition].snapshot()
        offset = draft.header.next_offset
        self.archiver.ask_flush(partition, offset)
        while self.archiver.flushed_offset(partition) < offset:
            if self.steps[partition]:
                self.apply_some(partition)
            self.work()
        self.faults("checkpoint.flushed")
        self.store.save(draft.encode())
        self.faults("checkpoint.saved")
        self._saved[partition] = [*self._saved[partition], offset][-2:]
        self.archiver.forget(partition, self._saved[partition][0])

    def work(self) -> None:
        """One round of the archiver, after whatever it waits for."""
        self.clock.advance(self.archiver.step())

    def is_done(self) -> bool:
        """True if every record is applied."""
        return all(
            shard.next_offset >= len(self.messages[partition])
            for partition, shard in self.shards.items()
        )

    def expected_rows(self) -> list[Row]:
        """Rows the archive must hold: what was last decided about every record."""
        return sorted(
            (partition, offset, sign, self.messages[partition][offset])
            for (partition, offset), sign in self.lived.items()
        )

    def expected_view(self) -> Counter[tuple[int, bytes]]:
        """What the view must hold."""
        total: Counter[tuple[int, bytes]] = Counter()
        for partition, _, sign, message in self.expected_rows():
            total[partition, message] += sign
        return total

    def _fault(self, point: str) -> None:
        self.faults(point)

    def _read(self, partition: int, begin: int, end: int) -> RecordBatch:
        block = MessageBlock.of(self.messages[partition][begin:end])
        return RecordBatch(
            partition,
            np.arange(begin, end, dtype=np.int64),
            np.array(self._append_ms[partition][begin:end], dtype=np.int64),
            block.buffer,
            block.bounds,
        )


def _rows(partition: int, run: RowRun) -> list[Row]:
    return [
        (partition, offset, sign, message)
        for offset, sign, message in zip(
            run.offsets.tolist(), run.signs.tolist(), run.messages, strict=True
        )
    ]


def _signed(partition: int, run: RowRun) -> Counter[tuple[int, bytes]]:
    total: Counter[tuple[int, bytes]] = Counter()
    for _, _, sign, message in _rows(partition, run):
        total[partition, message] += sign
    return total
