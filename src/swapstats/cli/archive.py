"""`swapstats archive`: how the archive lies, whether it is right, and days of it as Parquet."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from swapstats.adapters.clickhouse.export import (
    export_to_directory,
    export_to_store,
    parse_day,
)
from swapstats.adapters.clickhouse.status import archive_status
from swapstats.cli.api_client import fetch_json
from swapstats.cli.archive_findings import tell_views
from swapstats.cli.differences import SHOWN_MAX
from swapstats.errors import StoreLocked, UsageError
from swapstats.model.archive_status import ArchiveStatus
from swapstats.settings import Settings, load
from swapstats.settings.kinds import format_size
from swapstats.wiring.archive import ArchiveReader, export_store, open_archive_reader
from swapstats.wiring.archive_auditing import ArchiveAuditor

PLAIN_COLUMNS: Final = 160
"""Width of tables where there is no terminal, in characters."""

app = App(name="archive", help="Look after the archive of raw swaps in ClickHouse.")

_Config = Annotated[Path | None, Parameter(name=["--config", "-c"])]


@app.command(name="status")
def status_command(
    *,
    data_dir: Path | None = None,
    url: str | None = None,
    json_text: Annotated[bool, Parameter(name="--json", negative="")] = False,
    config: _Config = None,
) -> None:
    """Show parts by disk, the oldest hot part, moves that are due or under way, S3 errors.

    An archive in a data directory is owned by the `swapstats run` that writes it: that process is
    asked then, at its API.

    Parameters
    ----------
    data_dir
        Data directory with the archive; else the one of the settings, or their server.
    url
        Ask the process that listens here.
    json_text
        The answer as JSON.
    config
        YAML file with settings.
    """
    settings = load(config, flags={"data.dir": data_dir})
    status = _ask(url) if url is not None else _look(settings, _place(settings, data_dir))
    out = _out()
    if json_text:
        out.file.write(json.dumps(msgspec.to_builtins(status), indent=2) + "\n")
        return
    _tell(out, status)


@app.command(name="export")
def export_command(
    day: str,
    /,
    *,
    to: Path | None = None,
    to_s3: Annotated[bool, Parameter(negative="")] = False,
    data_dir: Path | None = None,
    config: _Config = None,
) -> None:
    """Write one day of raw swaps as a Parquet file, removals and all.

    A file that is there already is written anew: the day may have got late rows since.

    Parameters
    ----------
    day
        The day by event time, in UTC, such as 2026-11-21.
    to
        Into this directory of this machine.
    to_s3
        To `exports/` below `stores.clickhouse.cold.endpoint`; so by itself where that is set and
        `--to` is not given.
    data_dir
        Data directory with the archive; else the one of the settings, or their server.
    config
        YAML file with settings.
    """
    wanted = parse_day(day)
    settings = load(config, flags={"data.dir": data_dir})
    store = None if to is not None and not to_s3 else export_store(settings)
    if (to is None) == (store is None):
        raise UsageError(
            "Expected --to DIR, or --to-s3 with stores.clickhouse.cold.endpoint set, was "
            + ("both" if store is not None else "neither")
        )
    reader = _open(settings, _place(settings, data_dir))
    try:
        if store is not None:
            done = export_to_store(reader.engine, reader.schema, wanted, store)
        else:
            assert to is not None
            done = export_to_directory(reader.engine, reader.schema, wanted, to)
    finally:
        reader.close()
    _out().print(f"{done.rows:,} rows of {done.day} in {done.place}")


@app.command(name="check")
def check_command(*, data_dir: Path | None = None, config: _Config = None) -> int:
    """Compare the hourly and daily sums with the rows, and look for rows that are there twice.

    Status 1 if anything is wrong. `swapstats audit` compares the rows with the windows.

    Parameters
    ----------
    data_dir
        Data directory with the archive; else the one of the settings, or their server.
    config
        YAML file with settings.
    """
    settings = load(config, flags={"data.dir": data_dir})
    place = _place(settings, data_dir)
    reader = _open(settings, place)
    auditor = ArchiveAuditor(reader, "")
    out = _out()
    try:
        wrong = tell_views(out, auditor.views())
        days = list(auditor.doubled())
    finally:
        auditor.close()
    surplus = sum(day.surplus for day in days)
    doubled = [day for day in days if day.surplus]
    for day in doubled[:SHOWN_MAX]:
        out.print(f"{day.table} {day.day}: {day.surplus:,} copies, such as {day.example}")
    out.print(f"{sum(day.rows for day in days):,} rows, {surplus:,} of them copies")
    return 1 if wrong or surplus else 0


def _place(settings: Settings, data_dir: Path | None) -> Path | None:
    """Where an embedded archive would be; None for roles on brokers."""
    on_brokers = settings.ingest.broker_type != "embedded"
    return None if on_brokers and data_dir is None else Path(settings.data.dir)


def _open(settings: Settings, place: Path | None) -> ArchiveReader:
    try:
        return open_archive_reader(settings, data_dir=place)
    except StoreLocked as error:
        raise StoreLocked(
            f"Expected the archive in {place} to be free, was in use by a running process: stop "
            f"that for so long, or keep the archive on a server (stores.clickhouse.dsn); "
            f"`swapstats archive status` works meanwhile"
        ) from error


def _look(settings: Settings, place: Path | None) -> ArchiveStatus:
    try:
        reader = open_archive_reader(settings, data_dir=place)
    except StoreLocked:
        return _ask(f"http://{settings.api.http.addr}")
    try:
        return archive_status(reader.engine, reader.schema)
    finally:
        reader.close()


def _ask(url: str) -> ArchiveStatus:
    """Ask the process that owns the archive."""
    answer: dict[str, Any] = fetch_json(url, "/api/archive", {})
    return msgspec.convert(answer, ArchiveStatus)


def _tell(out: Console, status: ArchiveStatus) -> None:
    table = Table("table", "disk", "parts", "rows", "size", "oldest row")
    for parts in status.disks:
        table.add_row(
            parts.table,
            parts.disk,
            f"{parts.parts:,}",
            f"{parts.rows:,}",
            _size(parts.size_bytes),
            parts.oldest,
        )
    out.print(table, markup=False)
    if status.oldest_hot_part is not None:
        out.print(f"oldest hot part: {status.oldest_hot_part}, from {status.oldest_hot_time}")
    out.print(f"moves: {status.overdue_parts} overdue, {status.moving_parts} under way")
    out.print(f"S3 errors since the engine started: {status.s3_errors}")
    if status.last_s3_error is not None:
        out.print(f"last one: {status.last_s3_error}")


def _size(size_bytes: int) -> str:
    """A size in whole units, rounded up."""
    for unit in (1 << 30, 1 << 20, 1 << 10):
        if size_bytes >= 10 * unit:
            return format_size(-(-size_bytes // unit) * unit)
    return format_size(size_bytes)


def _out() -> Console:
    found = Console(highlight=False, markup=False, soft_wrap=True)
    if not found.is_terminal:
        found.width = PLAIN_COLUMNS
    return found
