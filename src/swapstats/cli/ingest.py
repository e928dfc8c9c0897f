"""`swapstats ingest`: sources into the log on brokers."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import uvloop
from cyclopts import Parameter

from swapstats.adapters.system_clock import SystemClock
from swapstats.cli.run import keep_out_of_collections, pairs
from swapstats.errors import SettingsError, UsageError
from swapstats.observability.logs import Logs
from swapstats.settings import Settings, load
from swapstats.wiring.ingest import IngestService
from swapstats.wiring.sources import open_sources
from swapstats.wiring.transport import transport


def ingest_command(
    *,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    source: Annotated[list[str] | None, Parameter(negative="")] = None,
    log_level: str | None = None,
    log_format: str | None = None,
    set_: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
) -> None:
    """Write swaps from sources into the log on Kafka or Redpanda.

    Goes on where each source was, also after a kill; swaps of the last moment may be written twice
    then, which aggregators recognise. It waits while the brokers are away. It ends by itself, with
    status 0, when all its sources have ended. Let one process at a time write a source.

    Parameters
    ----------
    config
        YAML file with settings; `swapstats config show` tells what is in effect.
    source
        Where swaps come from: `demo`, `stdin` (one message a line) or `replay:FILE` (at its
        recorded pace, moved to now). May be given several times. For chains and exchanges there
        is `swapstats collect`.
    log_level
        `debug`, `info`, `warning` or `error`.
    log_format
        `auto`, `console` or `json`.
    set_
        Any other setting, as `key=value`; may be given several times.
    """
    settings = load(
        config,
        flags={
            "source.use": source,
            "observability.log_level": log_level,
            "observability.log_format": log_format,
            **pairs(set_ or []),
        },
    )
    transport(settings)  # refused before anything else is tried
    # It serves metrics and profiles only: what concerns the API concerns others.
    blockers = [told for told in settings.blockers() if told.startswith("metrics.")]
    if blockers:
        raise SettingsError("; ".join(blockers))
    logs = Logs(settings.observability.log_format, settings.observability.log_level)
    try:
        uvloop.run(_live(settings, logs))
    finally:
        logs.close()


async def _live(settings: Settings, logs: Logs) -> None:
    log = logs.logger("ingest")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    for notice in settings.notices:
        log.warning(notice)
    sources = await open_sources(settings.source, SystemClock())
    for sentence in sources.told:
        log.info(sentence)
    if sources.raw:
        names = ", ".join(source.name for source in sources.raw)
        raise UsageError(
            f"Expected sources of swaps, was {names} with raw events: use `swapstats collect`"
        )
    await IngestService(settings, logs).run(sources.finished, stop, keep_out_of_collections)
