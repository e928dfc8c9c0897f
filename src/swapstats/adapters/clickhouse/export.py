"""`archive export DAY`: one day of `raw_swaps` as a Parquet file, in a directory or on S3.

ClickHouse makes the file itself, rows ordered by their place in the log. An export that is there
already is written anew: the day may have got late rows since.
"""

import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from swapstats.adapters.clickhouse.engine import Engine, text
from swapstats.adapters.clickhouse.schema import COLUMNS, ArchiveSchema
from swapstats.adapters.clickhouse.storage import ColdStorage
from swapstats.errors import UsageError

_FILE = "raw_swaps-{day}.parquet"
_TRIES = 3
"""Tries of one request to the store; the default of 500 takes many minutes to give up."""
_ORDER = "`partition`, `offset`"


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote.

    Attributes:
        day: the day, in UTC.
        rows: rows of the day, removals included.
        place: path or URL of the file.
    """

    day: date
    rows: int
    place: str


def parse_day(value: str) -> date:
    """Read a day as people write it, `2026-11-21`.

    Raises:
        UsageError: it is none.
    """
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise UsageError(f"Expected a day such as 2026-11-21, was {value!r}") from error


def export_to_store(
    engine: Engine, schema: ArchiveSchema, day: date, store: ColdStorage
) -> Exported:
    """Write a day to object storage.

    Args:
        engine: where the archive is.
        schema: its tables.
        day: by event time, in UTC.
        store: where the file goes, with the prefix it gets.

    Raises:
        Transient: the archive or the store cannot be reached.
        UsageError: the day has no rows.
    """
    url = f"{store.endpoint}{_FILE.format(day=day)}"
    rows = _count(engine, schema, day)
    target = f"s3({text(url)}, {text(store.key_id)}, {text(store.secret)}, 'Parquet')"
    engine.run(
        f"INSERT INTO FUNCTION {target} SETTINGS s3_truncate_on_insert = 1, "
        f"s3_retry_attempts = {_TRIES} {_select(schema, day)}"
    )
    return Exported(day, rows, url)


def export_to_directory(
    engine: Engine, schema: ArchiveSchema, day: date, directory: Path
) -> Exported:
    """Write a day into a directory of this machine.

    The file appears whole or not at all. See `export_to_store` for what is raised.
    """
    rows = _count(engine, schema, day)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory.absolute() / _FILE.format(day=day)
    made = path.with_suffix(".parquet.part")
    made.unlink(missing_ok=True)
    engine.save(_select(schema, day), made)
    shutil.move(made, path)
    return Exported(day, rows, str(path))


def _count(engine: Engine, schema: ArchiveSchema, day: date) -> int:
    found = engine.rows(
        f"SELECT count() FROM {schema.table('raw_swaps')} WHERE {_within(day)}"  # noqa: S608 - names of ours
    )
    rows = int(found[0][0])
    if rows == 0:
        raise UsageError(f"Expected rows of {day} in the archive, was none")
    return rows


def _select(schema: ArchiveSchema, day: date) -> str:
    names = ", ".join(f"`{name}`" for name, _ in COLUMNS)
    return (
        f"SELECT {names} FROM {schema.table('raw_swaps')} "  # noqa: S608 - names of ours
        f"WHERE {_within(day)} ORDER BY {_ORDER}"
    )


def _within(day: date) -> str:
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    end = begin + timedelta(days=1)
    return (
        f"event_time >= toDateTime64({text(f'{begin:%Y-%m-%d %H:%M:%S}')}, 3, 'UTC') "
        f"AND event_time < toDateTime64({text(f'{end:%Y-%m-%d %H:%M:%S}')}, 3, 'UTC')"
    )
