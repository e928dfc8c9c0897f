"""`replay`: what is refused, and what is written; its results are held elsewhere.

Results, crashes and restarts: tests/end_to_end/test_replay_*.py.
"""

import contextlib
import gzip
import io
import json
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.cli.conftest import Said
from tests.roles.aggregator.rig import START_MS, swap

from swapstats.adapters.embedded.log_reader import EmbeddedSwapLogReader
from swapstats.cli.replay import write_whole
from swapstats.errors import StoreError
from swapstats.testing.eventually import eventually

Cli = Callable[..., Said]
MESSAGES = [swap(n, START_MS + n, f"T{n % 3}") for n in range(9)]
TEXT = b"".join(message + b"\n" for message in MESSAGES)


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "lines.ndjson"
    path.write_bytes(TEXT)
    return path


def test_the_report_goes_to_the_standard_output_or_a_file(
    cli: Cli, lines: Path, tmp_path: Path
) -> None:
    said = cli("replay", lines, "--data-dir", tmp_path / "data")
    assert (said.status, said.err) == (0, "")
    document = json.loads(said.out)
    assert document["counters"]["applied"] == 9
    assert list(document["tokens"]) == ["T0", "T1", "T2"]
    report = tmp_path / "reports" / "deep" / "report.json"
    again = cli("replay", lines, "--data-dir", tmp_path / "data", "--report", report)
    assert (again.status, again.out) == (0, "")
    assert report.read_text() == said.out
    assert [file.name for file in report.parent.iterdir()] == ["report.json"]


def test_archives_and_the_standard_input(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tmp_path / "first.ndjson.gz"
    packed.write_bytes(gzip.compress(TEXT[: TEXT.index(b"\n") + 1]))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT)))
    said = cli("replay", packed, "-", "--data-dir", tmp_path / "data")
    assert said.status == 0
    counters = json.loads(said.out)["counters"]
    assert (counters["ingested"], counters["applied"], counters["duplicates"]) == (10, 9, 1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Expected 1 to 10000 files to replay, was 0"),
        (["none.ndjson"], "Expected a readable file none.ndjson, found none"),
        (["LINES", "--widows=5m"], "--widows"),
        (["LINES", "--", "-x"], "Expected an option of replay"),
        (["LINES", "--speed", "fast"], "Expected a speed such as max, 10x or 0.5x, was 'fast'"),
        (["LINES", "--speed", "-1x"], "--speed"),
        (["LINES", "--at", "-1"], "Expected --at from 0 to 253402300799999"),
        (["LINES", "--at", str(1 << 70)], "Expected --at from 0"),
        (["LINES", "--partitions", "0"], "Expected a whole number from 1 to 1024, was '0'"),
        (["LINES", "--windows", "7s"], "multiples of the bucket step"),
        (["LINES", "--bucket-step", "0s"], "app.bucket_step"),
        (["LINES", "--clock", "sun"], "--clock"),
    ],
)
def test_what_is_refused_leaves_no_directory(
    cli: Cli, lines: Path, tmp_path: Path, arguments: list[str], told: str
) -> None:
    given = [str(lines) if part == "LINES" else part for part in arguments]
    options = given.index("--") if "--" in given else len(given)
    given[options:options] = ["--data-dir", str(tmp_path / "data")]
    said = cli("replay", *given)
    assert said.status == 2
    assert told in " ".join((said.out + said.err).split())
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf"])
def test_a_rate_is_above_zero(cli: Cli, lines: Path, tmp_path: Path, rate: str) -> None:
    said = cli("replay", lines, "--data-dir", tmp_path / "data", "--rate", rate)
    assert said.status == 2
    assert "Expected a rate above 0" in said.err
    assert cli("replay", lines, "--data-dir", tmp_path / "data").status == 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (["--windows", "5m"], "windows_ms"),
        (["--bucket-step", "10s"], "step_ms"),
        (["--partitions", "3"], "partitions"),
        (["--at", "1704412800000"], "at: made with null, now 1704412800000"),
        (["--clock", "wall"], 'clock: made with "event", now "wall"'),
    ],
)
def test_another_set_on_the_same_directory_is_refused(
    cli: Cli, lines: Path, tmp_path: Path, changes: list[str], told: str
) -> None:
    first = ["replay", str(lines), "--data-dir", str(tmp_path / "data")]
    assert cli(*first).status == 0
    said = cli(*first, *changes)
    assert said.status == 1
    assert told in said.err


def test_a_report_that_cannot_be_written_is_told_and_costs_nothing(
    cli: Cli, lines: Path, tmp_path: Path
) -> None:
    first = ["replay", str(lines), "--data-dir", str(tmp_path / "data")]
    said = cli(*first, "--report", tmp_path)
    assert said.status == 1
    assert f"Expected to write the report {tmp_path}, was" in said.err
    assert not list(tmp_path.parent.glob(f".{tmp_path.name}.*"))
    assert cli(*first).status == 0


def test_sigterm_ends_it_with_a_checkpoint_and_its_own_status(
    cli: Cli, lines: Path, tmp_path: Path
) -> None:
    """Ten seconds a message: it is stopped in the middle, then goes on at full speed."""
    data_dir = tmp_path / "data"

    def begun() -> bool:
        try:
            reader = EmbeddedSwapLogReader(data_dir / "log.db")
        except StoreError:
            return False
        with contextlib.closing(reader):
            return sum(reader.end_offsets()) > 0

    def stop() -> None:
        eventually(begun, 60_000, "the first message to be in the log")
        os.kill(os.getpid(), signal.SIGTERM)

    with ThreadPoolExecutor(1) as pool:
        stopped = pool.submit(stop)
        said = cli("replay", lines, "--data-dir", data_dir, "--rate", "0.1")
        stopped.result()
    assert said.status == 128 + signal.SIGTERM
    assert cli("audit", "--data-dir", data_dir).status == 0
    again = cli("replay", lines, "--data-dir", data_dir)
    assert json.loads(again.out)["counters"]["applied"] == 9


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    write_whole(path, "one")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("swapstats.cli.replay.os.fsync", fail)
    with pytest.raises(StoreError, match="No space left"):
        write_whole(path, "two")
    assert path.read_text() == "one"
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]
