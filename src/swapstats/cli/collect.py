"""`swapstats collect`: raw events of chains and exchanges, into the raw log or as lines."""

import asyncio
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import uvloop
from cyclopts import App, Parameter

from swapstats.adapters.system_clock import SystemClock
from swapstats.cli.run import keep_out_of_collections, pairs
from swapstats.errors import SettingsError, UsageError
from swapstats.observability.logs import Logs
from swapstats.roles.printing import LinePrinter
from swapstats.settings import FlagValue, Settings, load
from swapstats.wiring.ingest import IngestService
from swapstats.wiring.sources import NamedSources, open_sources
from swapstats.wiring.transport import raw_transport

STANDARD_OUTPUT: Final = "-"

app = App(name="collect", help="Collect raw events of chains and exchanges.")


@Parameter(name="*")
@dataclass(frozen=True)
class Shared:
    """Options of both commands.

    Attributes:
        config: YAML file with settings; `swapstats config show` tells what is in effect.
        output: `-` prints events as lines instead, from the start of each source; no log is needed.
        log_level: `debug`, `info`, `warning` or `error`.
        log_format: `auto`, `console` or `json`.
        set_: any other setting, as `key=value`; may be given several times.
    """

    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None
    output: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    log_level: str | None = None
    log_format: str | None = None
    set_: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None


@app.command(name="evm")
def evm_command(
    *,
    chain: Annotated[list[str] | None, Parameter(negative="")] = None,
    rpc: Annotated[list[str] | None, Parameter(negative="")] = None,
    shared: Shared | None = None,
) -> None:
    """Collect swaps of EVM chains from their nodes; reorgs become removals.

    Writes into the raw log on brokers and goes on where it was, also after a kill.

    Parameters
    ----------
    chain
        Name of a chain of `source.evm.chains`; may be given several times. Without one, all that
        have nodes.
    rpc
        Node to ask, as `URL` or `NAME=URL`; may be given several times, the first is asked first.
    """
    use = [f"evm:{name}" for name in chain or []] or ["evm"]
    rpc_lines = None if rpc is None else "\n".join(rpc)
    _collect(shared or Shared(), {"source.use": use, "source.evm.rpc": rpc_lines})


@app.command(name="exchange")
def exchange_command(*markets: str, shared: Shared | None = None) -> None:
    """Collect trades of exchanges; what was missed while disconnected is asked for.

    Writes into the raw log on brokers and goes on where it was, also after a kill.

    Parameters
    ----------
    markets
        Exchange and markets, such as `binance:BTCUSDT,ETHUSDT`.
    """
    if not markets:
        raise UsageError("Expected an exchange and its markets such as binance:BTCUSDT, was none")
    _collect(shared or Shared(), {"source.use": list(markets)})


def _collect(shared: Shared, flags: dict[str, FlagValue]) -> None:
    settings = load(
        shared.config,
        flags={
            **flags,
            "observability.log_level": shared.log_level,
            "observability.log_format": shared.log_format,
            **pairs(shared.set_ or []),
        },
    )
    if shared.output not in {None, STANDARD_OUTPUT}:
        raise UsageError(
            f"Expected --output - for lines on standard output, was {shared.output!r}: leave it "
            f"out to write into the raw log"
        )
    if shared.output is None:
        raw_transport(settings)  # refused before anything else is tried
        blockers = [told for told in settings.blockers() if told.startswith("metrics.")]
        if blockers:
            raise SettingsError("; ".join(blockers))
    logs = Logs(settings.observability.log_format, settings.observability.log_level)
    try:
        uvloop.run(_live(settings, logs, is_printed=shared.output == STANDARD_OUTPUT))
    finally:
        logs.close()


async def _live(settings: Settings, logs: Logs, *, is_printed: bool) -> None:
    log = logs.logger("collect")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    for notice in settings.notices:
        log.warning(notice)
    sources = await open_sources(settings.source, SystemClock())
    _expect_raw(sources)
    if is_printed:
        await LinePrinter(sys.stdout.buffer).run(sources.raw, stop)
    else:
        service = IngestService(settings, logs, is_raw=True)
        await service.run(sources.raw, stop, keep_out_of_collections)


def _expect_raw(sources: NamedSources) -> None:
    if sources.finished:
        names = ", ".join(source.name for source in sources.finished)
        raise UsageError(
            f"Expected chains or exchanges, was {names} with finished swaps: use `swapstats ingest`"
        )
