"""A process that archives until it is killed: for `test_kills.py`.

    python kill_process.py DIRECTORY SEED END KILL_POINT KILL_NTH

It resumes from the offset in DIRECTORY/checkpoint, offers records in batches of random size, and
checkpoints now and then. With END > 0 it ends there and prints what the archive holds.
"""

import json
import os
import sys
from pathlib import Path
from random import Random

import numpy as np
from tests.adapters.clickhouse.batches import message

from swapstats.adapters.clickhouse.archive import ClickHouseArchive
from swapstats.adapters.clickhouse.embedded import EmbeddedEngine
from swapstats.adapters.clickhouse.schema import ArchiveSchema
from swapstats.adapters.clickhouse.verify import view_differences
from swapstats.adapters.embedded.journal import EmbeddedArchiveJournal
from swapstats.adapters.system_clock import SystemClock
from swapstats.core.archive_batcher import BatchLimits
from swapstats.core.batches import cut_batch
from swapstats.model.effects import ArchiveRows
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.roles.archiver import Archiver
from swapstats.testing.faults import Fault, FaultPlan

DAY_MS = 86_400_000


def records(begin: int, end: int, base_ms: int) -> RecordBatch:
    """Records of a stream over three months; the same offsets make the same bytes."""
    block = MessageBlock.of(
        [message(at, base_ms - (at % 3) * 31 * DAY_MS) for at in range(begin, end)]
    )
    offsets = np.arange(begin, end, dtype=np.int64)
    return RecordBatch(0, offsets, np.full(len(offsets), base_ms), block.buffer, block.bounds)


def decided(batch: RecordBatch) -> ArchiveRows:
    """What a shard would decide: by offset, a tenth nothing, a tenth late, a tenth taken back."""
    fate = batch.offsets % 10
    index = np.flatnonzero(fate < 8).astype(np.int32)
    sign = np.where(fate[index] == 7, -1, 1).astype(np.int8)
    return ArchiveRows(index, sign, np.flatnonzero(fate == 8).astype(np.int32))


class Life:
    """One life of the process."""

    def __init__(self, directory: Path, seed: int, plan: FaultPlan) -> None:
        self.directory = directory
        self.chance = Random(seed)
        self.base_ms = int((directory / "base").read_text())
        self.schema = ArchiveSchema(cold=False)
        self.engine = EmbeddedEngine(directory / "archive")
        self.journal = EmbeddedArchiveJournal(directory / "journal.db")
        archive = ClickHouseArchive(self.engine, self.schema, "log")
        self.archiver = Archiver(
            archive,
            self.journal,
            SystemClock(),
            BatchLimits(rows_due=50, rows_max=400, delay_ms=20, inserts_per_s_max=1_000),
            faults=plan,
        )
        self.checkpoint = directory / "checkpoint"
        self.offset = int(self.checkpoint.read_text()) if self.checkpoint.exists() else 0
        self.steps = self.archiver.resume(0, seed, self.offset)

    def offer_some(self, end: int) -> None:
        batch = records(
            self.offset, min(end, self.offset + self.chance.randint(1, 200)), self.base_ms
        )
        moment_ms = self.base_ms + self.offset
        if self.steps:
            batch, _ = cut_batch(batch, self.steps[0].next_offset)
            moment_ms = self.steps[0].moment_ms(batch, moment_ms)
            if batch.next_offset == self.steps[0].next_offset:
                self.steps.pop(0)
        self.archiver.offer(0, batch, decided(batch), moment_ms)
        self.offset = batch.next_offset

    def save(self) -> None:
        if not self.archiver.flush(0, self.offset, 60_000):
            return
        made = self.checkpoint.with_suffix(".new")
        made.write_text(str(self.offset))
        os.replace(made, self.checkpoint)  # noqa: PTH105 - the atomic one
        self.archiver.forget(0, self.offset)

    def report(self) -> dict[str, object]:
        raw = self.engine.rows(
            "SELECT count(), uniqExact(`offset`), sum(sign), "
            f"sum(toDecimal256(amount_token, 18) * sign) FROM {self.schema.table('raw_swaps')}"
        )
        late = self.engine.rows(
            f"SELECT count(), uniqExact(`offset`) FROM {self.schema.table('raw_late')}"
        )
        views = [
            self.engine.rows(f"SELECT sum(trades), sum(vol_token) FROM {self.schema.table(view)}")[
                0
            ]
            for view in ("hourly", "daily")
        ]
        return {
            "raw": raw[0],
            "late": late[0],
            "views": views,
            "differences": view_differences(self.engine, self.schema),
        }


def main() -> None:
    directory, seed, end = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    point, nth = sys.argv[4], int(sys.argv[5])
    life = Life(directory, seed, FaultPlan([Fault(point, "kill", nth)] if point else []))
    life.archiver.start()
    (directory / "working").write_text(str(os.getpid()))
    while not end or life.offset < end:
        while life.archiver.has_room() and life.archiver.waiting_bytes() < 300_000:
            if end and life.offset >= end:
                break
            life.offer_some(end or 1 << 40)
            if life.chance.random() < 0.05 and not life.steps:
                life.save()
        life.archiver.flush(0, life.archiver.flushed_offset(0) + 1, 100)
    life.save()
    life.archiver.stop()
    print(json.dumps(life.report()))


if __name__ == "__main__":
    main()
