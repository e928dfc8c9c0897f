"""What `archive status` tells: parts by disk, the oldest hot part, moves, S3 errors."""

from dataclasses import dataclass
from typing import Final

from swapstats.adapters.clickhouse.engine import Engine, text
from swapstats.adapters.clickhouse.schema import ArchiveSchema

_S3_ERRORS: Final = (
    "S3ReadRequestsErrors",
    "S3WriteRequestsErrors",
    "DiskS3ReadRequestsErrors",
    "DiskS3WriteRequestsErrors",
)


@dataclass(frozen=True, slots=True)
class DiskParts:
    """Parts of one table on one disk.

    Attributes:
        table: name.
        disk: name.
        parts: active parts that hold rows.
        rows: their rows.
        size_bytes: their size on disk.
        oldest: oldest event time in them, as `YYYY-MM-DD hh:mm:ss`.
    """

    table: str
    disk: str
    parts: int
    rows: int
    size_bytes: int
    oldest: str


@dataclass(frozen=True, slots=True)
class ArchiveStatus:
    """How the archive lies.

    Attributes:
        disks: by table and disk.
        oldest_hot_part: name of the hot part with the oldest rows, as `table/part`; None if the
            hot volume is empty.
        oldest_hot_time: its oldest event time, as `YYYY-MM-DD hh:mm:ss`; None likewise.
        overdue_parts: hot parts whose time to turn cold has come.
        moving_parts: parts on their way at the moment.
        s3_errors: failed S3 requests since the engine started.
        last_s3_error: the newest error of S3 or the network; None if there was none.
    """

    disks: tuple[DiskParts, ...]
    oldest_hot_part: str | None
    oldest_hot_time: str | None
    overdue_parts: int
    moving_parts: int
    s3_errors: int
    last_s3_error: str | None


def archive_status(engine: Engine, schema: ArchiveSchema) -> ArchiveStatus:
    """Look how the archive lies; reads system tables only.

    Raises:
        Transient: the engine cannot be reached.
    """
    here = f"active AND rows > 0 AND database = {text(schema.database)}"
    disks = engine.rows(
        "SELECT table, disk_name, count(), sum(rows), sum(bytes_on_disk), min(min_time) "  # noqa: S608 - names of ours
        f"FROM system.parts WHERE {here} GROUP BY table, disk_name ORDER BY table, disk_name"
    )
    hot = f"{here} AND disk_name = 'default' AND table IN ('raw_swaps', 'raw_late')"
    oldest = engine.rows(
        "SELECT table || '/' || name, min_time FROM system.parts "  # noqa: S608 - names of ours
        f"WHERE {hot} ORDER BY min_time LIMIT 1"
    )
    overdue = engine.rows(
        "SELECT countIf(arrayExists(moment -> moment <= now(), move_ttl_info.max)) "  # noqa: S608 - names of ours
        f"FROM system.parts WHERE {hot}"
    )
    moving = engine.rows(
        f"SELECT count() FROM system.moves WHERE database = {text(schema.database)}"  # noqa: S608 - names of ours
    )
    names = ", ".join(text(name) for name in _S3_ERRORS)
    errors = engine.rows(f"SELECT sum(value) FROM system.events WHERE event IN ({names})")  # noqa: S608 - names of ours
    last = engine.rows(
        "SELECT last_error_message FROM system.errors "
        "WHERE name IN ('S3_ERROR', 'NETWORK_ERROR', 'POCO_EXCEPTION') "
        "ORDER BY last_error_time DESC LIMIT 1"
    )
    return ArchiveStatus(
        disks=tuple(
            DiskParts(table, disk, int(parts), int(rows), int(size), when)
            for table, disk, parts, rows, size, when in disks
        ),
        oldest_hot_part=oldest[0][0] if oldest else None,
        oldest_hot_time=oldest[0][1] if oldest else None,
        overdue_parts=int(overdue[0][0]),
        moving_parts=int(moving[0][0]),
        s3_errors=int(errors[0][0]),
        last_s3_error=last[0][0].split("\n", 1)[0][:500] if last else None,
    )
