"""The command line as a whole: help that reads like a manual, errors in one line, statuses."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from tests.cli.conftest import Said

from swapstats import __version__
from swapstats.cli import app as app_module
from swapstats.errors import Fatal, Rejected, StoreLocked, Transient, UsageError

Cli = Callable[..., Said]
COMMANDS = sorted(app_module._COMMANDS)


def options(text: str) -> Iterator[tuple[str, str]]:
    """(names, explanation) of every option and argument of a help page."""
    _, _, panel = text.partition("\u2500 Parameters \u2500")
    for line in panel.splitlines()[1:]:
        row = re.match(r"\u2502 {1,5}\*? *((?:--?[a-z]|[A-Z]{2}).*?)(?: {2,}(.*?))? *\u2502$", line)
        if row is not None:
            yield row[1], row[2] or ""


@pytest.mark.parametrize("command", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_reads_like_a_manual(cli: Cli, command: list[str]) -> None:
    said = cli(*command)
    assert said.status == 0
    assert said.out.startswith("Usage: swapstats")
    _, purpose, *_ = [line for line in said.out.splitlines() if line.strip()]
    assert re.match(r"[A-Z].* [a-z]{3}.*[.:]$", purpose.rstrip()), "a sentence on what it does"
    for name, told in options(said.out):
        assert re.search(r"[a-z]{3}", told.partition("[default")[0]), f"{name} is not explained"


def test_every_command_is_listed_with_its_purpose(cli: Cli) -> None:
    said = cli("--help").out
    for name in COMMANDS:
        (line,) = re.findall(rf"^\u2502 {name} +(.*\S) *\u2502$", said, re.MULTILINE)
        assert len(line) > 15, name


def test_the_options_are_found_at_all(cli: Cli) -> None:
    found = dict(options(cli("run", "--help").out))
    names = " ".join(found)
    for name in ("--config", "--data-dir", "--source", "--set", "--rebuild", "--accept-gap"):
        assert name in names


def test_the_version(cli: Cli) -> None:
    assert cli("--version").out.strip() == __version__


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--nope"], "--nope"),
        (["nope"], "nope"),
        (["run", "--nope"], "--nope"),
        (["stats"], "TOKEN"),
        (["explain"], "FILE"),
        (["dead-letters", "--limit", "many"], "--limit"),
        (["replay", "x.ndjson", "--data-dir", "y", "--clock", "sun"], "--clock"),
        (["config", "show", "--format", "xml"], "Expected one of table, yaml, json, was 'xml'"),
        (["config", "show", "-c", "/nowhere.yaml"], "/nowhere.yaml"),
    ],
)
def test_what_cannot_be_done_as_asked_is_status_2(
    cli: Cli, arguments: list[str], told: str
) -> None:
    said = cli(*arguments)
    assert said.status == 2
    assert told.lower() in (said.out + said.err).lower()


def test_config_show_tells_where_each_value_is_from(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINDOWS", "5m,2h")
    said = cli("config", "show")
    assert said.status == 0
    assert re.search(r"^app\.windows +5m,2h +env WINDOWS", said.out, re.MULTILINE)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("no such thing"), 2),
        (Rejected("bad"), 2),
        (Transient("nobody there"), 1),
        (StoreLocked("locked by process 7"), 1),
        (Fatal("stop"), 1),
    ],
)
def test_errors_become_one_line_and_a_status(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(app_module, "app", fail)
    assert cli("run") == Said(status, "", f"swapstats: {error}\n")


def test_ctrl_c_is_status_130(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app_module, "app", interrupted)
    assert cli("run").status == 130


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (1, 1)])
def test_a_command_may_return_its_status(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, returned: object, status: int
) -> None:
    monkeypatch.setattr(app_module, "app", lambda *_, **__: returned)
    assert cli("run").status == status


def test_as_a_module_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "swapstats", "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == __version__
