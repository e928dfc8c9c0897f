"""`swapstats preprocess`: raw events into priced swaps, one member of a group."""

import signal
import threading
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from swapstats.cli.run import pairs
from swapstats.observability.logs import Logs
from swapstats.settings import load
from swapstats.wiring.preprocess import PreprocessService
from swapstats.wiring.service import RunFlags


def preprocess_command(
    *,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    rebuild: Annotated[bool, Parameter(negative="")] = False,
    accept_gap: Annotated[bool, Parameter(negative="")] = False,
    log_level: str | None = None,
    log_format: str | None = None,
    set_: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
) -> None:
    """Turn raw events into swaps priced in USD, and write them into the swap log.

    Reads the raw log of a broker (`ingest.raw_topic`), which `swapstats collect` writes, as a
    member of a group; keeps its state and the newest prices in Redis, and minute candles in
    Postgres if `stores.postgres.dsn` is set. Another one may stand by; a partition belongs to one
    of them at a time. Killed at any moment, it goes on where it was.

    Parameters
    ----------
    config
        YAML file with settings; `swapstats config show` tells what is in effect.
    rebuild
        Make the state from the raw log again, as after a change of `preprocess` settings; what is
        in the swap log is not written again.
    accept_gap
        Go on although the raw log no longer holds the offset to resume from.
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
            "observability.log_level": log_level,
            "observability.log_format": log_format,
            **pairs(set_ or []),
        },
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    logs = Logs(settings.observability.log_format, settings.observability.log_level)
    try:
        PreprocessService(settings, RunFlags(rebuild, accept_gap), logs).run(stop)
    finally:
        logs.close()
