"""How an archive lies: its parts by disk, what is on its way, what failed."""

from dataclasses import dataclass


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
