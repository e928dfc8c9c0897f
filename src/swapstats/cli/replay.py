"""`swapstats replay`: recorded swaps through the whole system, and a report of the windows."""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from swapstats.adapters.sources.ndjson import NdjsonSource
from swapstats.adapters.sources.text_files import STDIN
from swapstats.adapters.system_clock import SystemClock
from swapstats.core.replay_pace import parse_speed
from swapstats.errors import StoreError, UsageError
from swapstats.ports.observer import Silent
from swapstats.roles.aggregator.options import AggregatorOptions
from swapstats.roles.aggregator.run import Aggregator
from swapstats.roles.ingest import Ingest, by_token
from swapstats.roles.replay import replay
from swapstats.roles.report import render_report
from swapstats.roles.service_time import ServiceTime
from swapstats.settings import Settings, load
from swapstats.wiring.embedded import EmbeddedStores, NoFanOut, ShardRules, make_aggregator

FILES_MAX = 10_000
AT_MS_MAX = 253_402_300_799_999
"""The end of the year 9999."""


def replay_command(
    *files: Annotated[str, Parameter(allow_leading_hyphen=True)],
    data_dir: Path,
    report: Path | None = None,
    clock: Literal["event", "wall"] = "event",
    at: int | None = None,
    speed: str = "max",
    rate: float | None = None,
    shift_to_now: bool = False,
    partitions: int | None = None,
    windows: str | None = None,
    bucket_step: str | None = None,
    rebuild: bool = False,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
) -> None:
    """Replay recorded swaps (wire v1, one JSON object a line) and report the windows.

    Stop it at any moment, kill -9 included: the same command goes on where it was. The data
    directory remembers the files and what shapes the result, and refuses another set.

    Parameters
    ----------
    files
        NDJSON files in the order to read them; `.gz` and `.zst` are unpacked, `-` is the
        standard input.
    data_dir
        Where the log, checkpoints and dead letters are kept; made if absent.
    report
        Where the report is written as JSON; without it, it goes to the standard output.
    clock
        `event`: T is the newest event_time of all valid swaps. `wall`: T is the wall clock.
    at
        Fix T to this moment (ms since epoch) instead: all input is read, only event_time
        against the windows' end decides what counts.
    speed
        `max`, or a factor such as `10x`: times the recorded time of each file.
    rate
        Most messages a second.
    shift_to_now
        Move the event times of each file so that its first swap happens now.
    partitions
        Partitions of the log, chosen when the directory is made.
    windows
        Window widths, such as `5m,1h,24h`.
    bucket_step
        Bucket width, such as `5s`.
    rebuild
        Throw the checkpoints away and read the log again from its beginning.
    config
        YAML file with settings.
    """
    _expect_files(files)
    if at is not None and not 0 <= at <= AT_MS_MAX:
        raise UsageError(f"Expected --at from 0 to {AT_MS_MAX} (ms since epoch), was {at}")
    settings = load(
        config,
        flags={
            "data.dir": str(data_dir),
            "ingest.topic_cfg.partitions": partitions,
            "app.windows": windows,
            "app.bucket_step": bucket_step,
        },
    )
    source = NdjsonSource(
        list(files),
        SystemClock(),
        speed=parse_speed(speed),
        rate=rate,
        shift_to_now=shift_to_now,
    )
    stores = EmbeddedStores.open(
        Path(settings.data.dir),
        settings.ingest.topic_cfg.partitions,
        _manifest(files, settings, clock, at),
        durability=settings.data.durability,
        rebuild=rebuild,
    )
    try:
        text = _replay(source, stores, settings, clock, at, rebuild=rebuild)
    finally:
        stores.close()
    if report is None:
        Console().file.write(text)
    else:
        write_whole(report, text)


def _expect_files(files: tuple[str, ...]) -> None:
    """Refuse what cannot be files, before a data directory is made for them.

    Raises:
        UsageError: none, too many, a misspelt option, or a file that is not there.
    """
    if not 0 < len(files) <= FILES_MAX:
        raise UsageError(f"Expected 1 to {FILES_MAX} files to replay, was {len(files)}")
    for file in files:
        if file.startswith("-") and file != STDIN:
            raise UsageError(
                f"Expected an option of replay (see --help) or a file, was {file!r}: write "
                f"./{file} for a file of that name"
            )
        if file != STDIN and not Path(file).exists():
            raise UsageError(f"Expected a readable file {file}, found none: check the path")


def _replay(
    source: NdjsonSource,
    stores: EmbeddedStores,
    settings: Settings,
    clock: str,
    at: int | None,
    *,
    rebuild: bool,
) -> str:
    """Replay to the end; returns the report."""
    event_clock = clock == "event" and at is None
    service_time = ServiceTime(SystemClock(), settings.app.clock_jump_ms)
    options = AggregatorOptions(
        chunk_bytes_max=settings.ingest.read_bytes_max,
        snapshot_interval_ms=settings.app.snapshot_interval_ms,
        event_clock=event_clock,
        rebuild=rebuild,
    )
    rules = ShardRules(
        settings.windows,
        settings.app.grace_ms,
        settings.app.late,
        settings.app.max_ahead_ms if clock == "wall" and at is None else None,
        settings.app.tokens_max,
    )
    now_ms = service_time.now_ms
    if event_clock or at is not None:
        now_ms = partial(int, at or 0)
    aggregator = make_aggregator(stores, rules, options, now_ms, NoFanOut(), Silent())
    ingest = Ingest(
        stores.log, by_token(stores.key), service_time.now_ms, aggregator.wake.set, Silent()
    )
    with _progress_bars(source, aggregator) as show:
        t_ms = asyncio.run(_drive(source, ingest, aggregator, show))
    return render_report(aggregator.shards.values(), settings.windows, t_ms)


async def _drive(
    source: NdjsonSource, ingest: Ingest, aggregator: Aggregator, show: Callable[[], None]
) -> int:
    """Replay; SIGTERM ends it like Ctrl-C, with a last checkpoint, and the status of a SIGTERM."""
    loop = asyncio.get_running_loop()
    work = asyncio.ensure_future(replay(source, ingest, aggregator, show))
    told = asyncio.Event()

    def stop() -> None:
        if not told.is_set():  # a second one must not break off the last checkpoint
            told.set()
            work.cancel()

    loop.add_signal_handler(signal.SIGTERM, stop)
    try:
        return await work
    except asyncio.CancelledError:
        if told.is_set():
            sys.exit(128 + signal.SIGTERM)
        raise
    finally:
        await asyncio.to_thread(ingest.close)


def _manifest(
    files: tuple[str, ...], settings: Settings, clock: str, at: int | None
) -> dict[str, Any]:
    return {
        "purpose": "replay",
        "files": [file if file == STDIN else str(Path(file).resolve()) for file in files],
        "step_ms": settings.app.bucket_step_ms,
        "windows_ms": list(settings.app.windows_ms),
        "partitions": settings.ingest.topic_cfg.partitions,
        "clock": clock,
        "at": at,
        "grace_ms": settings.app.grace_ms,
        "late": settings.app.late,
    }


class _progress_bars:  # noqa: N801 - used like a function
    """Bars for reading and applying, on the standard error stream if that is a terminal."""

    def __init__(self, source: NdjsonSource, aggregator: Aggregator) -> None:
        self._source = source
        self._aggregator = aggregator
        console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description:>8}"),
            BarColumn(),
            TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._read = self._bars.add_task("read", total=None, told="")
        self._applied = self._bars.add_task("applied", total=None, told="")

    def __enter__(self) -> Callable[[], None]:
        self._bars.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def _show(self) -> None:
        read = self._source.status()
        self._bars.update(
            self._read, completed=read.done_bytes, total=read.total_bytes or None, told=read.detail
        )
        places = self._aggregator.status.places
        done = sum(place.next_offset for place in places)
        self._bars.update(
            self._applied,
            completed=done,
            total=sum(place.end_offset for place in places) or None,
            told=f"{done:,} messages ({self._aggregator.status.phase})",
        )


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all.

    Raises:
        StoreError: it cannot be written there.
    """
    with contextlib.ExitStack() as begun:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            begun.callback(Path(name).unlink, missing_ok=True)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except OSError as error:
            raise StoreError(
                f"Expected to write the report {path}, was {error}: name another file with "
                "--report and give the same command again; nothing is read twice"
            ) from error
