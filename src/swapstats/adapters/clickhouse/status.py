"""What `archive status` tells: parts by disk, the oldest hot part, moves, S3 errors."""

from typing import Final

from swapstats.adapters.clickhouse.engine import Engine, text
from swapstats.adapters.clickhouse.schema import ArchiveSchema
from swapstats.model.archive_status import ArchiveStatus, DiskParts

_S3_ERRORS: Final = (
    "S3ReadRequestsErrors",
    "S3WriteRequestsErrors",
    "DiskS3ReadRequestsErrors",
    "DiskS3WriteRequestsErrors",
)


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
