"""`swapstats stats` and `swapstats top`: numbers in the terminal."""

import json
import sys
import time
import urllib.parse
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.box import SIMPLE
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from swapstats.cli.api_client import fetch_json
from swapstats.cli.checkpointed import read_token
from swapstats.cli.printable import printable
from swapstats.errors import Transient
from swapstats.model.stats import FIELDS

URL = "http://127.0.0.1:8080"
_PLAIN_COLUMNS = 180
"""Width of tables where there is no terminal."""


def stats_command(
    token: str,
    *,
    url: str = URL,
    windows: str | None = None,
    data_dir: Path | None = None,
    json_text: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Show one token's windows, asked from the running service.

    With `--data-dir` they are read from the newest checkpoint instead, service or not.

    Parameters
    ----------
    token
        Token key (`1:0xc02a...`), or a symbol that only one token has.
    url
        Where the service listens.
    windows
        Only these, such as `5m,1h`.
    data_dir
        Read the newest checkpoint in this data directory instead of asking the service.
    json_text
        The answer as JSON.
    """
    query = {"numbers": "string"}
    if windows is not None:
        query["windows"] = windows
    path = f"/api/tokens/{urllib.parse.quote(token, safe='')}/stats"
    if data_dir is None:
        answer = fetch_json(url, path, query)
    else:
        answer = read_token(data_dir, token, windows)
    out = Console(highlight=False)
    if json_text:
        out.file.write(json.dumps(answer, ensure_ascii=False, indent=2) + "\n")
        return
    names = [name for name in answer if name[:1] == "w" and isinstance(answer[name], dict)]
    table = Table("", *(name[1:] for name in names), title=Text(_title(answer)))
    for field in FIELDS:
        table.add_row(field, *(f"{_grouped(answer[name][field])}" for name in names))
    out.print(table, markup=False)
    position = answer["position"]
    out.print(
        f"as of {_moment(answer['as_of'])}, partition {position['partition']} offset "
        f"{position['offset']}, lag {answer['lag_ms']} ms"
    )


def top_command(
    *,
    url: str = URL,
    window: str | None = None,
    sort: str = "vol_usd",
    limit: int = 20,
    once: Annotated[bool, Parameter(negative="")] = False,
    interval: float = 1.0,
) -> None:
    """Show the top tokens of the running service as a live table; Ctrl-C ends it.

    Parameters
    ----------
    url
        Where the service listens.
    window
        Which window; the first configured one by default.
    sort
        Any of vol_usd, vol_token, trades, buy, sell, buy_usd, sell_usd, unpriced, symbol, token.
    limit
        How many tokens.
    once
        Print one table and end (the default where the output is no terminal).
    interval
        Seconds between two looks.
    """
    query = {"sort": sort, "limit": str(limit), "numbers": "string"}
    if window is not None:
        query["window"] = window
    out = Console(highlight=False)
    if not out.is_terminal:
        out = Console(highlight=False, width=_PLAIN_COLUMNS)
    first = _table(fetch_json(url, "/api/overview", query))
    if once or not out.is_terminal:
        out.print(first, markup=False)
        return
    with Live(first, console=out, screen=False, auto_refresh=False) as live:
        while True:
            time.sleep(max(0.1, interval))
            try:
                live.update(_table(fetch_json(url, "/api/overview", query)), refresh=True)
            except Transient as error:
                live.console.print(f"{error}", markup=False)


def _table(answer: dict[str, Any]) -> Table:
    title = (
        f"top {answer['window']} by {answer['sort']} of {answer['tokens_total']:,} tokens, "
        f"as of {_moment(answer['as_of'])}, lag {answer['lag_ms']} ms"
    )
    table = Table("#", "symbol", "token", title=title, box=SIMPLE)
    for field in FIELDS:
        table.add_column(field, justify="right", no_wrap=True)
    for place, row in enumerate(answer["rows"], 1):
        values = (_grouped(row[field]) for field in FIELDS)
        symbol = printable(row.get("symbol") or "")
        table.add_row(str(place), symbol, printable(_short(row["token"])), *values)
    return table


def _title(answer: dict[str, Any]) -> str:
    symbol = answer.get("symbol")
    token = str(answer["token"])
    return printable(f"{symbol} ({token})" if symbol else token)


def _short(key: str) -> str:
    return key if len(key) <= 20 else f"{key[:10]}...{key[-6:]}"


def _grouped(value: str | int) -> str:
    """Write digits in groups of three without touching the number."""
    whole, _, places = str(value).partition(".")
    places = places.rstrip("0")
    return f"{int(whole):,}.{places}" if places else f"{int(whole):,}"


def _moment(t_ms: int) -> str:
    moment = datetime.fromtimestamp(t_ms / 1_000, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def confirm_clock_command(*, data_dir: str = "data") -> None:
    """Tell the running service that the wall clock is right after a jump.

    After a forward jump of the clock by more than `app.clock_jump` the windows stand, and the
    service says it is not ready, until somebody confirms that the new time is right.

    Parameters
    ----------
    data_dir
        Data directory of the service.
    """
    from swapstats.errors import UsageError
    from swapstats.wiring.service import CONFIRM_FILE

    if not (Path(data_dir) / "manifest.json").exists():
        raise UsageError(f"Expected the data directory of a service, was {data_dir!r}")
    (Path(data_dir) / CONFIRM_FILE).touch()
    sys.stdout.write("told; the service takes it up within a second\n")
