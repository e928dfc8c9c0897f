"""`swapstats serve`: a stateless API process on Redis and NATS."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Annotated

import uvloop
from cyclopts import Parameter

from swapstats.cli.run import SWITCH_INTERVAL_S, keep_out_of_collections, pairs
from swapstats.errors import SettingsError
from swapstats.observability.logs import Logs
from swapstats.settings import Settings, load
from swapstats.wiring.serve import ServeService


def serve_command(
    *,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    api_http_addr: str | None = None,
    windows: str | None = None,
    bucket_step: str | None = None,
    partitions: int | None = None,
    log_level: str | None = None,
    log_format: str | None = None,
    set_: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
) -> None:
    """Serve page, HTTP and WebSocket from what aggregators wrote to Redis.

    Holds no state of its own: start any number, behind one address; a client may go on with
    another one where it left. `stores.redis.addr` says where the statistics are. With
    `pubsub.nats.url`, changes of watched tokens come sooner. While Redis is away, what is known
    is served with its growing lag.

    Parameters
    ----------
    config
        YAML file with settings; `swapstats config show` tells what is in effect.
    api_http_addr
        Address of page, API and WebSocket.
    windows
        Window widths, such as `5m,1h,24h`; those of the aggregators.
    bucket_step
        Bucket width, such as `5s`; that of the aggregators.
    partitions
        Partitions of the log; as many as the aggregators read.
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
            "api.http.addr": api_http_addr,
            "app.windows": windows,
            "app.bucket_step": bucket_step,
            "ingest.topic_cfg.partitions": partitions,
            "observability.log_level": log_level,
            "observability.log_format": log_format,
            **pairs(set_ or []),
        },
    )
    # Which log aggregators read is none of this process's business.
    blockers = [told for told in settings.blockers() if not told.startswith("ingest.")]
    if blockers:
        raise SettingsError("; ".join(blockers))
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    logs = Logs(settings.observability.log_format, settings.observability.log_level)
    try:
        uvloop.run(_live(settings, logs))
    finally:
        logs.close()


async def _live(settings: Settings, logs: Logs) -> None:
    log = logs.logger("serve")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # What `run` would do with these settings is told by `run`.
    notices = [told for told in settings.notices if "`swapstats run`" not in told]
    for notice in notices:
        log.warning(notice)
    host = settings.api.http.addr.host

    def started(port: int) -> None:
        name = f"[{host}]" if ":" in host else host
        log.info("page and API", url=f"http://{name}:{port}")

    service = ServeService(settings, logs, keep_out_of_collections)
    await service.run(notices, stop, started)
