"""The writer of the archive, the same on both engines: one named block a table a batch.

Exactly once: the name (`insert_deduplication_token`) is made of the log, the partition and the
batch's bounds. ClickHouse remembers it for the table and for each view's target by itself, so that
the same batch sent again is dropped where it is and inserted where it is not. It remembers a
bounded number of blocks; a batch from before that is verified instead (`verify.py`).
"""

import time
from typing import Final

import numpy as np

from swapstats.adapters.clickhouse.arrow_block import COLUMN_NAMES, arrow_block
from swapstats.adapters.clickhouse.engine import Engine
from swapstats.adapters.clickhouse.positions import end_offset
from swapstats.adapters.clickhouse.schema import VIEWS, ArchiveSchema
from swapstats.adapters.clickhouse.tables import make_tables
from swapstats.adapters.clickhouse.verify import missing_rows, repair_view
from swapstats.core.archive_rows import LATE_SIGN, RowRun, columns_of
from swapstats.ports.archive import ArchiveBatch, BatchNote

_EVERY_INSERT: Final[dict[str, str | int]] = {
    "async_insert": 0,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "materialized_views_ignore_errors": 0,
    "max_partitions_per_insert_block": 100,
    # One insert is one block: parts of a cut one would have names of their own.
    "max_insert_block_size": 1_048_449,
    "min_insert_block_size_rows": 1_048_449,
    "input_format_parallel_parsing": 0,
    "max_insert_threads": 1,
}


class ClickHouseArchive:
    """Takes batches into ClickHouse; used from one thread.

    Args:
        engine: embedded or a server.
        schema: the tables; they are created if they are not there, and follow its ages.
        log_name: which log offsets belong to: batches are named by it, rows carry it.

    Raises:
        Transient: the engine cannot be reached.
        StoreError: the tables cannot be created.
    """

    def __init__(self, engine: Engine, schema: ArchiveSchema, log_name: str) -> None:
        self._engine = engine
        self._schema = schema
        self._log_name = log_name
        make_tables(engine, schema)

    def insert(self, batch: ArchiveBatch) -> None:
        """Insert a batch; see `Archive.insert`."""
        for table, run in _by_table(batch.run):
            self._insert(table, run, batch.note, self._name(batch.note))

    def verify(self, batch: ArchiveBatch) -> None:
        """Make the archive hold a batch once; see `Archive.verify`."""
        note = batch.note
        for table, run in _by_table(batch.run):
            missing = run.chosen(
                missing_rows(
                    self._engine, self._schema.table(table), run, self._log_name, note.partition
                )
            )
            # Whole, it goes under its own name: a zombie's insert of it would still be dropped.
            # A rest has a name of its own, as the batch's might still be remembered.
            rest = "" if len(missing) == len(run) else f"/rest-{time.time_ns()}"
            self._insert(table, missing, note, self._name(note) + rest)
        for view in VIEWS:
            repair_view(self._engine, self._schema, view, self._log_name, batch)

    def end_offset(self, partition: int) -> int:
        """Offset after the newest row of a partition; see `Archive.end_offset`."""
        return end_offset(self._engine, self._schema, self._log_name, partition)

    def close(self) -> None:
        """Release connections."""
        self._engine.close()

    def _insert(self, table: str, run: RowRun, note: BatchNote, name: str) -> None:
        if len(run) == 0:
            return
        self._engine.insert(
            self._schema.table(table),
            COLUMN_NAMES,
            arrow_block(columns_of(run, note.partition), self._log_name),
            {**_EVERY_INSERT, "insert_deduplication_token": name},
        )

    def _name(self, note: BatchNote) -> str:
        return f"{self._log_name}/{note.partition}/{note.first_offset}-{note.next_offset}"


def _by_table(run: RowRun) -> tuple[tuple[str, RowRun], ...]:
    """Part rows by the table they go to."""
    late = run.signs == LATE_SIGN
    return (("raw_swaps", run.chosen(np.logical_not(late))), ("raw_late", run.chosen(late)))
