"""Finds rows that are in a raw table more than once, which never should be."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from swapstats.adapters.clickhouse.engine import Engine
from swapstats.adapters.clickhouse.schema import RAW_TABLES, ArchiveSchema

_MEMORY_BYTES: Final = 512 << 20
"""Beyond this a day's groups are spilled to the disk."""


@dataclass(frozen=True, slots=True)
class Doubled:
    """What one day of one table holds more than once.

    Attributes:
        table: name.
        day: by event time, in UTC, `YYYY-MM-DD`.
        rows: rows of the day.
        surplus: rows beyond the first of each place, identity and sign.
        example: one of them, as `log/partition/offset`; empty if there is none.
    """

    table: str
    day: str
    rows: int
    surplus: int
    example: str


def doubled_rows(engine: Engine, schema: ArchiveSchema) -> Iterator[Doubled]:
    """Look day by day, so that no look needs much memory: copies of a row have one event time.

    Raises:
        Transient: the engine cannot be reached.
    """
    for name in RAW_TABLES:
        table = schema.table(name)
        days = engine.rows(
            f"SELECT DISTINCT toDate(event_time, 'UTC') AS day FROM {table} ORDER BY day"  # noqa: S608 - names of ours
        )
        for (day,) in days:
            (row,) = engine.rows(
                "SELECT sum(copies), sum(copies) - count(), anyIf(place, copies > 1) FROM ("  # noqa: S608 - names of ours
                "SELECT count() AS copies, "
                "any(concat(log, '/', toString(`partition`), '/', toString(`offset`))) AS place "
                f"FROM {table} WHERE toDate(event_time, 'UTC') = '{day}' "
                "GROUP BY log, `partition`, `offset`, sign, event_id, inclusion) "
                f"SETTINGS max_bytes_before_external_group_by = {_MEMORY_BYTES}"
            )
            yield Doubled(name, day, int(row[0]), int(row[1]), row[2])
