"""`swapstats aggregate`: one aggregator of a group, on real servers."""

import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from swapstats.cli.run import SWITCH_INTERVAL_S, pairs
from swapstats.observability.logs import Logs
from swapstats.settings import load
from swapstats.wiring.aggregate import AggregateService
from swapstats.wiring.service import RunFlags


def aggregate_command(
    *,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    rebuild: Annotated[bool, Parameter(negative="")] = False,
    accept_gap: Annotated[bool, Parameter(negative="")] = False,
    log_level: str | None = None,
    log_format: str | None = None,
    set_: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
) -> None:
    """Aggregate the partitions this group gives to this process.

    Reads the swap log of a broker as a member of `ingest.group_id`, keeps checkpoints and the
    newest statistics in Redis, and announces changes on NATS if `pubsub.nats.url` is set. Any
    number may run; a partition belongs to one of them at a time. `swapstats serve` answers.

    Parameters
    ----------
    config
        YAML file with settings; `swapstats config show` tells what is in effect.
    rebuild
        Throw the checkpoints of the partitions it gets away and rebuild their state from the log.
    accept_gap
        Go on although the log no longer holds the offset to resume from.
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
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    logs = Logs(settings.observability.log_format, settings.observability.log_level)
    try:
        AggregateService(settings, RunFlags(rebuild, accept_gap), logs).run(stop)
    finally:
        logs.close()
