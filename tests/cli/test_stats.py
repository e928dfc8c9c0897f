"""`stats`, `top` and `confirm-clock`: numbers in the terminal."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import ODD, Said
from tests.end_to_end.service_process import ServiceProcess

from swapstats.cli.stats import top_command

Cli = Callable[..., Said]


def cells(said: str, name: str) -> list[str]:
    """The cells of the one row that begins with a name."""
    rows = [
        re.split(r" *[\u2502\u2503] *| {2,}", line.strip(" \u2502")) for line in said.splitlines()
    ]
    (row,) = [row for row in rows if row[0] == name]
    return row


def test_stats_of_a_running_service(cli: Cli, service: ServiceProcess) -> None:
    said = cli("stats", "BTC", "--url", service.url)
    assert (said.status, said.err) == (0, "")
    assert "Bitcoin (BTC)" in said.out
    assert cells(said.out, "vol_usd") == ["vol_usd", "15", "15", "15"]
    assert cells(said.out, "trades") == ["trades", "10", "10", "10"]
    assert cells(said.out, "vol_token") == ["vol_token", "55", "55", "55"]
    assert re.search(
        r"as of \d{4}-\d\d-\d\d .* UTC, partition \d+ offset \d+, lag \d+ ms", said.out
    )


def test_only_some_windows(cli: Cli, service: ServiceProcess) -> None:
    said = cli("stats", "BTC", "--url", service.url, "--windows", "1h")
    assert cells(said.out, "trades") == ["trades", "10"]


def test_the_answer_as_json(cli: Cli, service: ServiceProcess) -> None:
    said = cli("stats", "Bitcoin", "--url", service.url, "--json")
    answer = json.loads(said.out)
    assert (answer["token"], answer["symbol"]) == ("BTC", "Bitcoin")
    assert answer["w5m"]["vol_token"] == "55"


@pytest.mark.parametrize("source", ["url", "data-dir"])
def test_a_key_that_no_terminal_may_obey(
    cli: Cli, service: ServiceProcess, data_dir: Path, source: str
) -> None:
    place = ("--url", service.url) if source == "url" else ("--data-dir", data_dir)
    said = cli("stats", ODD, *place)
    assert said.status == 0
    assert "\x1b" not in said.out
    assert "[red]key[/red] > \\x1b[2J*\u00fc\U0001f680 [/]" in " ".join(said.out.split())
    assert "\\x1b[1mbold" in said.out
    assert cells(said.out, "trades") == ["trades", "3", "3", "3"]


def test_top_of_a_running_service(cli: Cli, service: ServiceProcess) -> None:
    said = cli("top", "--url", service.url, "--once", "--sort", "trades", "--limit", "3")
    assert (said.status, said.err) == (0, "")
    assert "top 5m by trades of 4 tokens" in said.out
    assert "\x1b" not in said.out
    rows = [line.split() for line in said.out.splitlines() if re.match(r" *\d+ ", line)]
    assert len(rows) == 3
    assert rows[0][:3] == ["1", "Bitcoin", "BTC"]
    assert "15" in rows[0]
    assert "\\x1b[1mbold" in rows[1]


def test_top_of_a_window(cli: Cli, service: ServiceProcess) -> None:
    assert "top 24h by vol_usd" in cli("top", "--url", service.url, "--window", "24h").out
    refused = cli("top", "--url", service.url, "--window", "7m")
    assert refused.status == 2
    assert "7m" in refused.err


def test_top_goes_on_until_ctrl_c(service: ServiceProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal it is live; here its second look is interrupted."""
    looks: list[float] = []

    def interrupted(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            raise KeyboardInterrupt

    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("TTY_INTERACTIVE", "1")
    monkeypatch.setattr("swapstats.cli.stats.time.sleep", interrupted)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(KeyboardInterrupt):
        top_command(url=service.url, interval=0.5)
    assert looks == [0.5, 0.5]


@pytest.mark.parametrize("command", [["stats", "BTC"], ["top"]])
def test_without_a_service_it_says_what_to_do(cli: Cli, command: list[str]) -> None:
    said = cli(*command, "--url", "http://127.0.0.1:1")
    assert (said.status, said.out) == (1, "")
    assert "Expected a running service at http://127.0.0.1:1" in said.err
    assert "start `swapstats run`" in said.err


def test_an_unknown_token_is_told(cli: Cli, service: ServiceProcess) -> None:
    said = cli("stats", "nobody", "--url", service.url)
    assert said.status == 2
    assert "nobody" in said.err


def test_the_clock_is_confirmed_by_a_file(cli: Cli, data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    assert cli("confirm-clock", "--data-dir", tmp_path).status == 0
    assert (tmp_path / "confirm-clock").exists()
    refused = cli("confirm-clock", "--data-dir", tmp_path / "none")
    assert refused.status == 2
    assert "Expected the data directory of a service" in refused.err
