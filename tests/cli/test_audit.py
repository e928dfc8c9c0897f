"""`audit`: what it prints and how it ends, for what is right and what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import ODD, Said
from tests.end_to_end.service_process import ServiceProcess
from tests.roles.aggregator.rig import START_MS, swap
from tests.roles.replayed import copied, flip_cell, flip_message, replay_into

Cli = Callable[..., Said]
MODES = pytest.mark.parametrize("mode", [(), ("--plain",)], ids=["columns", "plain"])


@pytest.fixture(scope="module")
def one_token(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("one") / "data"
    replay_into(path, [swap(n, START_MS, ODD) for n in range(3)], partitions=1)
    return path


@MODES
def test_no_difference(cli: Cli, data_dir: Path, mode: tuple[str, ...]) -> None:
    said = cli("audit", "--data-dir", data_dir, *mode)
    assert (said.status, said.err) == (0, "")
    assert said.out.rstrip().endswith("no difference")
    assert str(START_MS) in said.out


@MODES
def test_a_flipped_amount_is_shown_by_token_window_and_field(
    cli: Cli, one_token: Path, tmp_path: Path, mode: tuple[str, ...]
) -> None:
    flipped = copied(one_token, tmp_path / "copy")
    flip_cell(flipped, 0, START_MS // 5_000, 0, 3)  # the USD of its buys
    said = cli("audit", "--data-dir", flipped, *mode)
    assert said.status == 1
    lines = said.out.replace("\u2502", " ").splitlines()
    for window in ("5m", "1h", "24h"):
        (row,) = [line.split() for line in lines if f" {window} " in line and "buy_usd" in line]
        assert row[-3:] == ["1.500001", "1.500000", "0.000001"]
    assert "6 differences in 1 tokens, 0 damaged places" in said.out
    assert "\x1b" not in said.out
    assert "[red]key[/red]" in said.out


def test_a_damaged_group_is_named(cli: Cli, one_token: Path, tmp_path: Path) -> None:
    damaged = copied(one_token, tmp_path / "copy")
    flip_message(damaged, 0, 1, b'"1.5"', b'"1.6"', repack=False)
    said = cli("audit", "--data-dir", damaged)
    assert said.status == 1
    assert "damaged: partition 0, offsets 0 to 2: bytes are not what was written" in said.out
    assert "1 damaged places" in said.out


def test_many_differences_are_cut_short(cli: Cli, tmp_path: Path) -> None:
    replay_into(tmp_path / "a", [swap(n, START_MS, f"T{n}") for n in range(20)], partitions=1)
    replay_into(tmp_path / "b", [swap(n + 20, START_MS, f"T{n}") for n in range(20)], partitions=1)
    (tmp_path / "b" / "log.db").replace(tmp_path / "a" / "log.db")
    said = cli("audit", "--data-dir", tmp_path / "a")
    assert said.status == 1
    assert "... and " in said.out


def test_without_a_checkpoint_there_is_nothing_to_audit(cli: Cli, tmp_path: Path) -> None:
    replay_into(tmp_path / "data", [swap(1, START_MS)], partitions=1)
    said = cli("audit", "--data-dir", tmp_path / "none")
    assert said.status == 2
    assert "Expected a data directory" in said.err


def test_answers_of_a_running_service_are_proved(
    cli: Cli, service: ServiceProcess, tmp_path: Path
) -> None:
    asked = cli("audit", "--data-dir", service.data_dir, "--url", service.url, "--sample", "4")
    assert asked.status == 0, asked.out
    assert asked.out.count(": proved") == 4
    assert "\x1b" not in asked.out
    answer = service.ask("/api/tokens/BTC/stats?numbers=string")
    saved = tmp_path / "answer.json"
    saved.write_text(json.dumps(answer))
    assert "proved" in cli("audit", "--data-dir", service.data_dir, "--answer", saved).out
    answer["w5m"]["trades"] = 11
    saved.write_text(json.dumps(answer))
    said = cli("audit", "--data-dir", service.data_dir, "--answer", saved)
    assert said.status == 1
    assert "for BTC" in said.out
    assert "trades" in said.out


def test_an_answer_that_is_none_is_refused(cli: Cli, data_dir: Path, tmp_path: Path) -> None:
    said = cli("audit", "--data-dir", data_dir, "--answer", tmp_path / "none.json")
    assert said.status == 2
    assert "Expected a file with an answer" in said.err
