"""`swapstats backfill`: a producer's table into the log, or held against it."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Self

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from swapstats.cli.printable import printable
from swapstats.cli.run import pairs
from swapstats.core.plain_decode import time_ms
from swapstats.errors import UsageError
from swapstats.roles.backfill import BackfillSource
from swapstats.roles.backfill_check import CheckReport
from swapstats.settings import Settings, load
from swapstats.wiring.backfill import Backfill, BackfillRequest, expect_name

PLAIN_COLUMNS: Final = 180
LINE_EVERY_S: Final = 10.0
SHOWN_MAX: Final = 20
MESSAGE_CHARS_MAX: Final = 160

_STARTS: Final = {
    "new": "begins",
    "resumed": "goes on where it was",
    "changed": "begins: source, mapping or span are others than before; what is in the log already "
    "is recognised",
}


def backfill_command(
    source: str | None = None,
    *,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    data_dir: Path | None = None,
    table: str | None = None,
    query: str | None = None,
    name: str = "",
    since: str | None = None,
    until: str | None = None,
    all_: Annotated[bool, Parameter(name="--all", negative="")] = False,
    again: Annotated[bool, Parameter(negative="")] = False,
    check: Annotated[bool, Parameter(negative="")] = False,
    refused: Path | None = None,
    set_: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
) -> int:
    """Write swaps from a table that their producer keeps into the log, or compare it with the log.

    For a cold start with full windows, and for what the log missed. Columns become fields of wire
    v1 as `backfill.columns` says; one named like a field needs no entry. Rows that are no swap are
    kept in a file with their number and the reason. Stop it at any moment, kill -9 included: the
    same command goes on where it was. Rows that are in the log already are duplicates and change
    nothing.

    Parameters
    ----------
    source
        A CSV file with a header row (`.gz` and `.zst` are unpacked), a Parquet file,
        `sqlite:///FILE` or `postgresql://USER@HOST/DATABASE`; without it, `backfill.url`.
    config
        YAML file with settings; if it names brokers, the log there is written.
    data_dir
        Data directory of `swapstats run`, which must not run meanwhile; made if absent.
    table
        Table of the database.
    query
        Query to read instead of a table.
    name
        Name that the log keeps the position under; made of the source if it is not given.
    since
        Leave out rows before this time (RFC 3339 or ms since epoch). By default those are left out
        that no window can count any more.
    until
        Leave out rows from this time on.
    all_
        Write all rows, for the archive's sake.
    again
        Begin anew, although it ended before or was stopped.
    check
        Compare and write nothing: rows that the log lacks, swaps that the table lacks, conflicts.
        Works beside a running service. Exit status 1 if anything differs.
    refused
        File for refused rows.
    set_
        Any other setting, as `key=value`; may be given several times.
    """
    settings = load(
        config,
        flags={
            "data.dir": data_dir,
            "backfill.table": table,
            "backfill.query": query,
            **pairs(set_ or []),
        },
    )
    place = source or settings.backfill.url.reveal()
    if not place:
        raise UsageError("Expected a source to read, was none: name a file or a database's URL")
    if since is not None and all_:
        raise UsageError("Expected --since or --all, was both: --all has no lower bound")
    request = BackfillRequest(
        place,
        expect_name(name) if name else "",
        None if since is None else moment(since, "--since"),
        None if until is None else moment(until, "--until"),
        all_,
        again,
        refused,
    )
    backfill = Backfill(settings, request)
    try:
        return _check(backfill) if check else _write(backfill, settings)
    finally:
        backfill.close()


def moment(text: str, option: str) -> int:
    """Read a time from the command line, in ms since epoch.

    Raises:
        UsageError: it is none.
    """
    found = int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else time_ms(text)
    if found is None:
        raise UsageError(
            f"Expected {option} as 2026-01-31T12:00:00Z or in ms since epoch, was {text!r}"
        )
    return found


def _write(backfill: Backfill, settings: Settings) -> int:
    console = Console(stderr=True)
    with _Bar(console) as bar:
        asyncio.run(_drive(backfill, bar))
    source = bar.source
    assert source is not None
    if source.start == "finished":
        print(
            f"{source.name} was read to its end before, and nothing of it changed since: "
            f"nothing to do. --again writes it anew; --check compares it with the log."
        )
    _tell(source, backfill, settings)
    return 0


async def _drive(backfill: Backfill, bar: "_Bar") -> None:
    """Write; SIGTERM ends it like Ctrl-C, after the append under way, with its own status."""
    work = asyncio.ensure_future(backfill.write(bar.begin, bar.show, bar.trouble))
    told = asyncio.Event()

    def stop() -> None:
        if not told.is_set():
            told.set()
            work.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    try:
        await work
    except asyncio.CancelledError:
        if told.is_set():
            sys.exit(128 + signal.SIGTERM)
        raise


def _tell(source: BackfillSource, backfill: Backfill, settings: Settings) -> None:
    """Print the summary."""
    found = source.position
    print(f"{found.rows:,} rows read, {found.written:,} written to the log")
    if found.older:
        since = "" if backfill.since_ms is None else f" (before {_time(backfill.since_ms)})"
        print(
            f"{found.older:,} left out as older{since}; --all writes them, for the archive's sake"
        )
    if found.newer:
        print(f"{found.newer:,} left out as newer than --until")
    if found.refused:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in found.refused.items())
        print(f"{found.refused_count:,} refused ({reasons}): see {backfill.kept_path}")
    if found.first_ms is not None and found.last_ms is not None:
        print(f"event times from {_time(found.first_ms)} to {_time(found.last_ms)}")
    if found.written and not backfill.on_servers and source.start != "finished":
        print(f"`swapstats run --data-dir {settings.data.dir}` reads them at its next start")


def _check(backfill: Backfill) -> int:
    console = Console(stderr=True)
    last_s = 0.0

    def show(said: str) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s >= (1.0 if console.is_terminal else LINE_EVERY_S):
            last_s = now_s
            console.print(said, highlight=False, end="\r" if console.is_terminal else "\n")

    report = backfill.check(SHOWN_MAX, show)
    out = Console(highlight=False)
    if not out.is_terminal:
        out = Console(highlight=False, width=PLAIN_COLUMNS)
    for sentence in _sentences(report):
        out.print(sentence, markup=False)
    if report.differences:
        out.print(_difference_table(report), markup=False)
    total = report.counts.total()
    if total > len(report.differences):
        out.print(f"... and {total - len(report.differences):,} more")
    counted = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report.counts.items()))
    out.print(f"{total:,} differences: {counted}" if total else "no difference", markup=False)
    return 1 if total else 0


def _sentences(report: CheckReport) -> list[str]:
    said = [f"{report.rows:,} rows of the table against {report.records:,} records of the log"]
    if report.since_ms is not None and report.until_ms is not None:
        last_ms = report.until_ms - 1
        said.append(f"event times from {_time(report.since_ms)} to {_time(last_ms)}")
    if report.outside:
        said.append(f"{report.outside:,} rows outside the span")
    if report.refused:
        reasons = ", ".join(f"{name} {count:,}" for name, count in sorted(report.refused.items()))
        said.append(f"{report.refused.total():,} rows are no swap ({reasons})")
    if report.unreadable:
        said.append(f"{report.unreadable:,} records of the log are dead letters")
    return said


def _difference_table(report: CheckReport) -> Table:
    table = Table("what", "event time", "row", "in the log", "message")
    for each in report.differences:
        text = printable(each.message.decode("utf-8", "replace"))
        table.add_row(
            each.kind,
            _time(each.event_ms),
            f"{each.row:,}" if each.row else "",
            f"{each.partition}:{each.offset}" if each.partition >= 0 else "",
            text if len(text) <= MESSAGE_CHARS_MAX else f"{text[:MESSAGE_CHARS_MAX]}...",
        )
    return table


def _time(at_ms: int) -> str:
    try:
        when = datetime.fromtimestamp(at_ms / 1_000, UTC)
    except (ValueError, OverflowError):
        return str(at_ms)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Bar:
    """A bar on a terminal, a line now and then elsewhere; both on the standard error stream."""

    def __init__(self, console: Console, now_s: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._now_s = now_s
        self._last_s = now_s()
        self.source: BackfillSource | None = None
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bars.add_task("backfill", total=None, told="")
        self._is_told = False

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def begin(self, source: BackfillSource) -> None:
        """Take the source whose progress is shown."""
        self.source = source

    def show(self) -> None:
        """Show how far it is."""
        assert self.source is not None
        status = self.source.status()
        if not self._is_told and status.state in {"live", "done"}:
            self._is_told = True
            if self.source.start in _STARTS:
                self._say(f"{self.source.name} {_STARTS[self.source.start]}")
        self._bars.update(
            self._task,
            completed=status.done_bytes,
            total=status.total_bytes or None,
            told=status.detail,
        )
        if not self._console.is_terminal and self._now_s() - self._last_s >= LINE_EVERY_S:
            self._last_s = self._now_s()
            share = ""
            if status.total_bytes:
                share = f" ({min(status.done_bytes / status.total_bytes, 1):.0%})"
            self._say(f"{status.detail}{share}")

    def trouble(self, said: str) -> None:
        """Tell that brokers are away, or back."""
        self._say(f"waiting for the brokers: {said}" if said else "the brokers are back")

    def _say(self, text: str) -> None:
        self._bars.console.print(
            f"swapstats: {text}", highlight=False, markup=False, soft_wrap=True
        )
