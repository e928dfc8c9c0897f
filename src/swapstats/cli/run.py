"""`swapstats run`: the whole service in one process."""

import asyncio
import gc
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import uvloop
from cyclopts import Parameter

from swapstats.adapters.system_clock import SystemClock
from swapstats.errors import SettingsError
from swapstats.observability.logs import Logs
from swapstats.settings import Settings, load
from swapstats.wiring.brokers import kafka_address, redis_url
from swapstats.wiring.on_servers import ServersService
from swapstats.wiring.price_rules import expect_tokens
from swapstats.wiring.service import RunFlags, Service
from swapstats.wiring.sources import open_sources

SWITCH_INTERVAL_S = 0.0005
"""How long a thread may keep the interpreter while another waits: bounds the event loop's delay
behind the aggregator's Python parts; its kernels run without the interpreter lock anyway."""


def run_command(
    *,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    data_dir: Path | None = None,
    source: Annotated[list[str] | None, Parameter(negative="")] = None,
    rpc: Annotated[list[str] | None, Parameter(negative="")] = None,
    api_http_addr: str | None = None,
    windows: str | None = None,
    bucket_step: str | None = None,
    partitions: int | None = None,
    embedded: Annotated[bool, Parameter(negative="")] = False,
    rebuild: Annotated[bool, Parameter(negative="")] = False,
    accept_gap: Annotated[bool, Parameter(negative="")] = False,
    log_level: str | None = None,
    log_format: str | None = None,
    set_: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
) -> None:
    """Run everything in one process: sources, log, windows, API, page, metrics.

    Without any option it takes live Binance trades if the exchange can be reached within 3 s,
    else the demo market, keeps its data in `./data`, and serves the page and the API on
    http://127.0.0.1:8080. Stop it with Ctrl-C (a last checkpoint is written) or kill it: it
    goes on where it was.

    With a configuration whose `ingest.broker_type` is a broker, it is `swapstats aggregate` and
    `swapstats serve` in one process, and `swapstats ingest` too if `--source` or `source.use`
    names sources; further processes may run beside it.

    Parameters
    ----------
    config
        YAML file with settings; `swapstats config show` tells what is in effect.
    data_dir
        Data directory; made if absent.
    source
        Where swaps come from: `auto`, `demo`, an exchange with its markets such as
        `binance:BTCUSDT,ETHUSDT`, `evm` or `evm:CHAIN`, `stdin` (one message a line) or
        `replay:FILE` (at its recorded pace, moved to now). May be given several times.
    rpc
        Node of a chain for `--source evm`, as `URL` or `NAME=URL`; may be given several times, the
        first is asked first.
    api_http_addr
        Address of page, API and WebSocket.
    windows
        Window widths, such as `5m,1h,24h`.
    bucket_step
        Bucket width, such as `5s`.
    partitions
        Partitions of the log, chosen when the data directory is made.
    embedded
        Run on the embedded log although the configuration names a broker.
    rebuild
        Throw the checkpoints away and rebuild the state from the log, and the preprocessor's from
        the raw log.
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
            "data.dir": data_dir,
            "source.use": source,
            "source.evm.rpc": None if rpc is None else "\n".join(rpc),
            "api.http.addr": api_http_addr,
            "app.windows": windows,
            "app.bucket_step": bucket_step,
            "ingest.topic_cfg.partitions": partitions,
            "ingest.embedded_fallback": True if embedded else None,
            "observability.log_level": log_level,
            "observability.log_format": log_format,
            **pairs(set_ or []),
        },
    )
    blockers = settings.blockers()
    if blockers:
        raise SettingsError("; ".join(blockers))
    if _on_servers(settings):
        settings = _for_servers(settings)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    logs = Logs(settings.observability.log_format, settings.observability.log_level)
    try:
        uvloop.run(_live(settings, RunFlags(rebuild, accept_gap), logs))
    finally:
        logs.close()


def pairs(texts: list[str]) -> dict[str, str]:
    """Split `key=value` texts.

    Raises:
        SettingsError: a text without `=`.
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingsError(f"Expected --set key=value, was {text!r}")
        found[name.strip()] = value.strip()
    return found


def keep_out_of_collections() -> None:
    """Take what lives as long as the process out of the garbage collector's sight.

    Modules and compiled kernels are some 180,000 objects. Looking through all of them stopped
    every thread for up to 180 ms, several times a minute under load; without them it is 1 to 30.
    """
    gc.collect()
    gc.freeze()


def _on_servers(settings: Settings) -> bool:
    ingest = settings.ingest
    return ingest.broker_type != "embedded" and not ingest.embedded_fallback


def _for_servers(settings: Settings) -> Settings:
    """Check what servers need; nothing is written into a shared log that was not asked for.

    Raises:
        SettingsError: a server is not named.
    """
    kafka_address(settings)
    redis_url(settings)
    if settings.origin_of("source.use") != "default":
        return settings
    return replace(settings, source=replace(settings.source, use=()))


async def _live(settings: Settings, flags: RunFlags, logs: Logs) -> None:
    log = logs.logger("run")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    for notice in settings.notices:
        log.warning(notice)
    on_servers = _on_servers(settings)
    sources = await open_sources(settings.source, SystemClock())
    expect_tokens(settings, sources.raw)
    for sentence in sources.told:
        log.info(sentence)
    host = settings.api.http.addr.host
    place = f"topic {settings.ingest.topic}" if on_servers else settings.data.dir

    def started(port: int) -> None:
        name = f"[{host}]" if ":" in host else host
        log.info("page and API", url=f"http://{name}:{port}", data=place)

    make = ServersService if on_servers else Service
    service = make(settings, flags, logs, keep_out_of_collections)
    await service.run(sources, [*sources.told, *settings.notices], stop, started)
