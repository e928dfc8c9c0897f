"""`dead-letters`: what was refused, as it came."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Said
from tests.roles.aggregator.rig import START_MS, swap
from tests.roles.replayed import replay_into

from swapstats.adapters.embedded.dead_letters import EmbeddedDeadLetterStore
from swapstats.model.effects import DeadLetter
from swapstats.model.wire import REASONS

Cli = Callable[..., Said]
BAD = {
    b"\xff\x00\xfe{": "not_utf8",
    b"\x1b[2J [red]not[/red] [/] JSON \x07": "malformed_json",
    "{\u00fc\U0001f680}".encode(): "malformed_json",
    swap(1, START_MS, side="hold"): "bad_side",
    b'{"a":"' + b"x" * 1_000: "malformed_json",
}


@pytest.fixture(scope="module")
def refused_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("refused") / "data"
    replay_into(path, [swap(0, START_MS), *BAD, swap(2, START_MS)], partitions=2)
    return path


def test_json_lines_hold_every_byte(cli: Cli, refused_dir: Path) -> None:
    said = cli("dead-letters", "--data-dir", refused_dir, "--json")
    assert said.status == 0
    found = {}
    for line in said.out.splitlines():
        letter = json.loads(line)
        text = letter.get("message")
        message = base64.b64decode(letter["message_base64"]) if text is None else text.encode()
        found[message] = letter["reason"]
        assert set(letter) >= {"partition", "offset", "append_ms", "detail"}
        assert letter["detail"].startswith("Expected")
    assert found == BAD


def test_the_table_has_reasons_counts_and_safe_text(cli: Cli, refused_dir: Path) -> None:
    said = cli("dead-letters", "--data-dir", refused_dir)
    assert said.status == 0
    assert "\x1b" not in said.out
    assert "\x07" not in said.out
    counted = [line.split() for line in said.out.splitlines()[-3:]]
    assert counted == [["1", "bad_side"], ["3", "malformed_json"], ["1", "not_utf8"]]
    joined = "".join(said.out.replace("\u2502", "").split())
    assert "\\x1b[2J[red]not" in joined
    assert "xxx..." in joined, "a long message is cut, and says so"


@pytest.mark.parametrize("reason", ["bad_side", "malformed_json", "conflict"])
def test_only_one_reason(cli: Cli, refused_dir: Path, reason: str) -> None:
    said = cli("dead-letters", "--data-dir", refused_dir, "--reason", reason, "--json")
    reasons = [json.loads(line)["reason"] for line in said.out.splitlines()]
    assert reasons == [reason] * sum(1 for kept in BAD.values() if kept == reason)


@pytest.mark.parametrize(("limit", "count"), [(0, 0), (2, 2), (100, 5)])
def test_a_limit(cli: Cli, refused_dir: Path, limit: int, count: int) -> None:
    said = cli("dead-letters", "--data-dir", refused_dir, "--limit", limit, "--json")
    assert len(said.out.splitlines()) == count


@pytest.mark.parametrize("reason", ["ok", "bad", "BAD_SIDE"])
def test_an_unknown_reason_is_refused_with_the_known_ones(
    cli: Cli, refused_dir: Path, reason: str
) -> None:
    said = cli("dead-letters", "--data-dir", refused_dir, "--reason", reason)
    assert said.status == 2
    assert f"was {reason!r}" in said.err
    assert all(known in said.err for known in REASONS[1:])


def test_none(cli: Cli, data_dir: Path) -> None:
    assert cli("dead-letters", "--data-dir", data_dir).out == "no dead letters\n"
    assert cli("dead-letters", "--data-dir", data_dir, "--json").out == ""


def test_no_directory(cli: Cli, tmp_path: Path) -> None:
    said = cli("dead-letters", "--data-dir", tmp_path / "none")
    assert said.status == 2
    assert "Expected a data directory" in said.err


def test_raw_events_that_became_no_swap_are_listed_apart(cli: Cli, tmp_path: Path) -> None:
    said = cli("dead-letters", "--raw", "--data-dir", tmp_path)
    assert (said.status, "Expected raw events" in said.err) == (2, True)
    store = EmbeddedDeadLetterStore(tmp_path / "raw-dead-letters.db")
    store.put([DeadLetter(0, 7, START_MS, "unknown_chain", "Expected a chain", b'{"chain_id":5}')])
    store.close()
    said = cli("dead-letters", "--raw", "--data-dir", tmp_path, "--json")
    assert [json.loads(line)["offset"] for line in said.out.splitlines()] == [7]
    said = cli("dead-letters", "--raw", "--data-dir", tmp_path, "--reason", "unknown_chain")
    assert "unknown_chain" in said.out
