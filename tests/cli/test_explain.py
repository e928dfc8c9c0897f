"""`explain`: what may be in the file, and what is said of it."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Said
from tests.roles.aggregator.rig import START_MS, swap

from swapstats.roles.explain import MESSAGES_MAX

Cli = Callable[..., Said]
ADD = swap(1, START_MS)
REMOVAL = swap(1, START_MS, removed=True)


def explained(cli: Cli, tmp_path: Path, content: bytes, *arguments: object) -> Said:
    path = tmp_path / "swap.json"
    path.write_bytes(content)
    return cli("explain", path, *arguments)


def test_an_add_and_its_removal(cli: Cli, tmp_path: Path) -> None:
    said = explained(cli, tmp_path, ADD + b"\n\n" + REMOVAL + b"\n")
    assert (said.status, said.err) == (0, "")
    assert "message 2" in said.out
    assert said.out.index("applied") < said.out.index("removed\n")
    assert said.out.rstrip().endswith("no difference")


def test_one_object_over_several_lines(cli: Cli, tmp_path: Path) -> None:
    pretty = json.dumps(json.loads(ADD), indent=2).encode()
    said = explained(cli, tmp_path, pretty)
    assert "message 2" not in said.out
    assert "\n  applied\n" in said.out


def test_a_bad_line_among_good_ones_is_a_message_of_its_own(cli: Cli, tmp_path: Path) -> None:
    said = explained(cli, tmp_path, ADD + b"\nnonsense [/]\n\xff\n" + swap(2, START_MS))
    assert said.status == 0
    assert "message 4" in said.out
    assert "refused, malformed_json" in said.out
    assert "refused, not_utf8" in said.out
    assert "nonsense [/]" in said.out


@pytest.mark.parametrize("content", [b"nonsense", b'{"a":', b"[1,\n2]", b"1\r2"])
def test_a_bad_message_is_explained(cli: Cli, tmp_path: Path, content: bytes) -> None:
    said = explained(cli, tmp_path, content)
    assert said.status == 0
    assert "refused, malformed_json" in said.out
    assert "keep it as a dead letter" in said.out


def test_the_standard_input(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ADD)))
    assert "\n  applied\n" in cli("explain", "-").out


def test_windows_of_ones_own(cli: Cli, tmp_path: Path) -> None:
    said = explained(cli, tmp_path, ADD, "--windows", "10s", "--bucket-step", "1s")
    assert f"end = {START_MS + 1_000}" in said.out
    assert '"w10s"' in said.out


@pytest.mark.parametrize("content", [b"", b"\n \n", b"{}\n" * (MESSAGES_MAX + 1)])
def test_nothing_and_too_much_are_refused(cli: Cli, tmp_path: Path, content: bytes) -> None:
    said = explained(cli, tmp_path, content)
    assert said.status == 2
    assert "Expected 1 to 1000 swaps" in said.err


@pytest.mark.parametrize("name", ["none.json", "."])
def test_what_cannot_be_read_is_refused(cli: Cli, tmp_path: Path, name: str) -> None:
    said = cli("explain", tmp_path / name)
    assert said.status == 2
    assert "Expected a file with a swap" in said.err
