"""Finds what the archive lacks, by looking: rows of a batch, and what a view missed of them.

For batches whose names ClickHouse may have forgotten. Rows are known by their place in their log
and their identity. A view is compared with `raw_swaps` hour by hour (day by day) for the tokens of
the batch within its log and partition; the difference, if any, is inserted: so a repair that was
itself cut off is simply made again. Groups whose raw rows may be deleted by age are left as they
are.

That comparison is safe because a log's partition has one writer, who is at rest while it verifies:
nobody inserts into these groups meanwhile. Across logs it would not be. An insert reaches the raw
table and a view one after the other; seen in between by another writer, it would look like a row
that the view missed, and be added twice. Hence views are grouped by log too.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swapstats.adapters.clickhouse.engine import Engine, text
from swapstats.adapters.clickhouse.schema import (
    DAY_S,
    SUMS,
    VIEW_KEY,
    VIEWS,
    ArchiveSchema,
    view_key,
    view_sums,
)
from swapstats.core.archive_rows import RowRun, event_id_of
from swapstats.ports.archive import ArchiveBatch

_YOUNGER_BY_S: Final = 2 * DAY_S
"""A group this close to deletion by age is not compared: merges may have begun on it."""
_LOOKS: Final = 4
_KEY_COLUMNS: Final = len(VIEW_KEY) + 1


def missing_rows(
    engine: Engine, table: str, run: RowRun, log_name: str, partition: int
) -> NDArray[np.bool_]:
    """Tell which rows of a batch a table lacks.

    Args:
        engine: where to look.
        table: full name, quoted.
        run: the rows that should be there.
        log_name: their log.
        partition: theirs.

    Returns:
        bool[n].
    """
    if len(run) == 0:
        return np.zeros(0, dtype=np.bool_)
    found = engine.rows(
        f"SELECT `offset`, sign, inclusion, event_id FROM {table} "  # noqa: S608 - names of ours
        f"WHERE {of_partition(log_name, partition)} "
        f"AND `offset` BETWEEN {int(run.offsets[0])} AND {int(run.offsets[-1])} "
        f"AND event_time BETWEEN {time_literal(int(run.event_ms.min()))} "
        f"AND {time_literal(int(run.event_ms.max()))}"
    )
    there = {(int(offset), int(sign), int(number), name) for offset, sign, number, name in found}
    wanted = zip(run.offsets.tolist(), run.signs.tolist(), run.swaps, strict=True)
    return np.array(
        [
            (offset, sign, swap.inclusion or 0, event_id_of(swap)) not in there
            for offset, sign, swap in wanted
        ],
        dtype=np.bool_,
    )


def repair_view(
    engine: Engine,
    schema: ArchiveSchema,
    view: tuple[str, str, str, str],
    log_name: str,
    batch: ArchiveBatch,
) -> None:
    """Insert what a view lacks of the groups a batch belongs to; only for the log's writer."""
    name, moment, _, of = view
    note, run = batch.note, batch.run
    if len(run) == 0:
        return
    mine = of_partition(log_name, note.partition)
    groups = (
        f"SELECT DISTINCT chain_id, token_address, {of} FROM {schema.table('raw_swaps')} "  # noqa: S608 - names of ours
        f"WHERE {mine} "
        f"AND `offset` >= {note.first_offset} AND `offset` < {note.next_offset}"
    )
    key = view_key(moment)
    columns = ", ".join(f"`{column}`" for column, _, _ in SUMS)
    differences = _differences(
        schema,
        view,
        f"{mine} AND (chain_id, token_address, {moment}) IN ({groups})",
    )
    engine.run(
        f"INSERT INTO {schema.table(name)} ({key}, {columns}) "
        f"SETTINGS insert_deduplicate = 0, async_insert = 0 {differences}"
    )


def view_differences(
    engine: Engine, schema: ArchiveSchema, partition: int | None = None
) -> dict[str, list[list[str]]]:
    """Compare every view with the raw rows.

    Args:
        engine: where to look.
        schema: the tables.
        partition: one partition; None = all.

    Returns:
        View -> groups that differ: chain_id, token_address, hour or day, log, partition, then raw
        minus view of each sum. Empty lists if all is well.
    """
    where = "1" if partition is None else f"`partition` = {partition}"
    return {view[0]: engine.rows(_differences(schema, view, where)) for view in VIEWS}


def settled_differences(
    engine: Engine, schema: ArchiveSchema, pause: Callable[[], None]
) -> dict[str, list[list[str]]]:
    """Compare every view with the raw rows while others write; see `view_differences`.

    An insert reaches the raw table and a view one after the other. What a look finds counts only
    if every further look finds its group again.

    Args:
        engine: where to look.
        schema: the tables.
        pause: called between two looks.
    """
    found = view_differences(engine, schema)
    for _ in range(_LOOKS - 1):
        if not any(found.values()):
            break
        pause()
        again = view_differences(engine, schema)
        for name, groups in found.items():
            still = {tuple(group[:_KEY_COLUMNS]) for group in groups}
            found[name] = [group for group in again[name] if tuple(group[:_KEY_COLUMNS]) in still]
    return found


def _differences(schema: ArchiveSchema, view: tuple[str, str, str, str], where: str) -> str:
    """A query of the groups in which a view differs from `raw_swaps`, and by how much."""
    name, moment, kind, of = view
    oldest = (
        f"{moment} >= to{'Date' if kind == 'Date' else 'DateTime'}"
        f"(now('UTC') - INTERVAL {max(0, schema.delete_after_s - _YOUNGER_BY_S)} SECOND, 'UTC')"
    )
    key = view_key(moment)
    sums = ", ".join(f"sum(d_{column}) AS `{column}`" for column, _, _ in SUMS)
    negated = ", ".join(f"-`{column}` AS d_{column}" for column, _, _ in SUMS)
    differs = " OR ".join(f"`{column}` != 0" for column, _, _ in SUMS)
    of_raw = (
        f"SELECT chain_id, token_address, {of} AS {moment}, `log`, `partition`, "  # noqa: S608 - names of ours
        f"{view_sums(prefix='d_')} FROM {schema.table('raw_swaps')} "
        f"WHERE {where} AND {oldest} GROUP BY {key}"
    )
    of_view = f"SELECT {key}, {negated} FROM {schema.table(name)} WHERE {where} AND {oldest}"  # noqa: S608 - names of ours
    return (
        f"SELECT {key}, {sums} FROM ({of_raw} UNION ALL {of_view}) "  # noqa: S608 - names of ours
        f"GROUP BY {key} HAVING {differs} ORDER BY {key}"
    )


def of_partition(log_name: str, partition: int) -> str:
    """The condition of being a row of a log's partition."""
    return f"`log` = {text(log_name)} AND `partition` = {partition}"


def time_literal(moment_ms: int) -> str:
    """A moment as a literal of DateTime64(3)."""
    seconds, rest = divmod(moment_ms, 1_000)
    return f"toDateTime64({text(f'{seconds}.{rest:03}')}, 3, 'UTC')"
