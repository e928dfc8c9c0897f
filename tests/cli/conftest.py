"""A running service with a few known tokens, and the command line called in this process."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.end_to_end.service_process import ServiceProcess
from tests.roles.aggregator.rig import START_MS, swap
from tests.roles.replayed import replay_into

from swapstats.cli.app import main
from swapstats.testing.eventually import eventually

ODD = "a [red]key[/red] > \x1b[2J*\u00fc\U0001f680 [/]"
"""A token key that a terminal must not obey, nor a table take for mark-up."""


@dataclass(frozen=True)
class Said:
    """How a command line ended."""

    status: object
    out: str
    err: str


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Call `main` with arguments."""
    monkeypatch.delenv("SWAPSTATS_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["swapstats", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Said(ended.value.code, said.out, said.err)

    return call


def known_swaps(at_ms: int) -> list[bytes]:
    """Ten swaps of BTC, three of an odd key, one each of two tokens with one symbol."""
    return [
        *(swap(n, at_ms, "BTC", token_symbol="Bitcoin") for n in range(10)),
        *(swap(n, at_ms, ODD, token_symbol="\u001b[1mbold") for n in range(3)),
        swap(0, at_ms, "0xa", token_symbol="TWIN"),
        swap(0, at_ms, "0xb", token_symbol="TWIN"),
    ]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A service that has read `known_swaps` just now: for 5 minutes the narrow window has them."""
    path = tmp_path_factory.mktemp("service")
    lines = path / "known.ndjson"
    now_ms = int(time.time() * 1_000)
    lines.write_bytes(b"".join(message + b"\n" for message in [*known_swaps(now_ms), b"bad"]))
    running = ServiceProcess(path / "data", path, "--source", f"replay:{lines}")
    running.ready().applied(15)
    eventually(
        lambda: running.metrics()["snapshot_duration_ms_count"] >= 4, 60_000, "four checkpoints"
    )
    yield running
    running.close()


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory as a replay of `known_swaps` leaves it; not to be written to."""
    path = tmp_path_factory.mktemp("replayed") / "data"
    replay_into(path, known_swaps(START_MS), partitions=2)
    return path
