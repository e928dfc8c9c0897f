"""`swapstats backfill` as it is typed: what it says, what it refuses, its exit status."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.adapters.backfill.tables import execute_sqlite
from tests.cli.conftest import Said

from swapstats.cli.backfill import moment
from swapstats.errors import UsageError

NOW_MS = int(time.time() * 1_000)
Cli = Callable[..., Said]

CONFIG = """
backfill:
  columns:
    event_id: "= x:{id}"
    token_address: token | lower
    side: direction
    amount_token: raw | abs | scale 18
    amount_usd: usd | round
    event_time: seconds | unix_s
  sides: {in: buy, out: sell}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "swapstats.yaml"
    path.write_text(CONFIG + f"data: {{dir: {tmp_path / 'data'}}}\n")
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Five swaps, one of them a day and an hour old, and two rows that are none."""
    path = tmp_path / "swaps.csv"
    now_s = NOW_MS // 1_000
    lines = [
        "id,token,direction,raw,usd,seconds",
        *(f"{n},0xAB,{'in' if n % 2 else 'OUT'},-{n}5,1.0000005,{now_s - n}" for n in range(4)),
        f"4,0xAB,in,1,,{now_s - 90_000}",
        f"5,0xAB,sideways,1,1,{now_s}",
        "6,0xAB",
    ]
    path.write_text("\n".join(lines))
    return path


def test_written_said_and_nothing_to_do_again(cli: Cli, config: Path, table: Path) -> None:
    said = cli("backfill", table, "--config", config)
    assert said.status == 0
    assert "begins" in said.err
    assert "7 rows read, 4 written to the log" in said.out
    assert "1 left out as older (before 2" in said.out
    assert "2 refused (bad_row 1, bad_side 1)" in said.out
    kept = config.parent / "data" / "refused-swaps.csv.ndjson"
    assert str(kept) in said.out
    found = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [(each["row"], each["reason"]) for each in found] == [(6, "bad_side"), (7, "bad_row")]
    assert "reads them at its next start" in said.out
    again = cli("backfill", table, "--config", config)
    assert again.status == 0
    assert "nothing to do" in again.out
    assert "7 rows read, 4 written to the log" in again.out
    assert "next start" not in again.out


def test_again_and_all(cli: Cli, config: Path, table: Path) -> None:
    cli("backfill", table, "--config", config)
    assert "4 written" in cli("backfill", table, "--config", config, "--again").out
    said = cli("backfill", table, "--config", config, "--all")
    assert "5 written" in said.out
    assert "is recognised" in said.err


def test_check_before_and_after(cli: Cli, config: Path, table: Path) -> None:
    cli("backfill", table, "--config", config, "--until", NOW_MS // 1_000 * 1_000 - 1_000)
    before = cli("backfill", table, "--config", config, "--check")
    assert before.status == 1
    assert "2 missing in the log" in before.out
    assert '"event_id":"x:1"' in before.out
    assert "2 rows are no swap (bad_row 1, bad_side 1)" in before.out
    cli("backfill", table, "--config", config)
    after = cli("backfill", table, "--config", config, "--check")
    assert (after.status, after.out.splitlines()[-1]) == (0, "no difference")


def test_a_conflict_is_found(cli: Cli, config: Path, table: Path) -> None:
    cli("backfill", table, "--config", config)
    other = table.with_name("other.csv")
    other.write_text(table.read_text().replace("in,-15,", "in,-16,"))
    said = cli("backfill", other, "--config", config, "--check")
    assert said.status == 1
    assert "1 differences: 1 conflict" in said.out


def test_more_differences_than_are_shown(cli: Cli, config: Path, tmp_path: Path) -> None:
    table = tmp_path / "many.csv"
    now_s = NOW_MS // 1_000
    rows = "".join(f"{n},0xab,in,1,1,{now_s - n}\n" for n in range(50))
    table.write_text("id,token,direction,raw,usd,seconds\n" + rows)
    cli("backfill", table, "--config", config, "--until", 1_704_412_800_000)
    said = cli("backfill", table, "--config", config, "--check")
    assert "... and 30 more" in said.out
    assert "50 differences: 50 missing in the log" in said.out


def test_a_database_by_the_configuration(cli: Cli, config: Path, tmp_path: Path) -> None:
    now_s = NOW_MS // 1_000
    execute_sqlite(
        tmp_path / "dex.db",
        "CREATE TABLE fills (id, token, direction, raw, usd, seconds)",
        f"INSERT INTO fills VALUES (1, '0xAB', 'in', 5, '1.5', {now_s}), "
        f"(2, '0xAB', 'in', 5, '1.5', {now_s - 90_000}), (3, '0xAB', 'in', 5, 1.5, {now_s})",
    )
    url = f"backfill.url=sqlite:///{tmp_path}/dex.db"
    said = cli("backfill", "--config", config, "--set", url, "--table", "fills")
    assert said.status == 0, said
    assert "2 rows read, 1 written" in said.out
    assert "1 left out as older" in said.out
    assert "1 refused (bad_amount_usd 1)" in said.out  # a float
    floats = (*("--set", "backfill.allow_float=true"), "--table", "fills")
    assert "2 written" in cli("backfill", "--config", config, "--set", url, *floats).out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "name a file"),
        (["none.csv"], "check the path"),
        (["TABLE", "--since", "1", "--all"], "Expected --since or --all"),
        (["TABLE", "--since", "yesterday"], "Expected --since as"),
        (["TABLE", "--name", "a/b"], "letters, digits"),
        (["TABLE", "--table", "x"], "with a database only"),
        (["TABLE", "--set", "app.late=drop"], "Expected apply"),
        (["TABLE", "--set", "backfill.refused_max=1"], "Expected at most 1 refused rows"),
        (["TABLE", "--check"], "Expected a data directory"),
    ],
)
def test_refusals(cli: Cli, config: Path, table: Path, arguments: list[str], told: str) -> None:
    given = [str(table) if each == "TABLE" else each for each in arguments]
    said = cli("backfill", *given, "--config", config)
    assert said.status == 2
    assert told in said.err


def test_moments() -> None:
    assert moment("1704412811005", "--since") == 1_704_412_811_005
    assert moment("2024-01-05T00:00:11.005Z", "--since") == 1_704_412_811_005
    with pytest.raises(UsageError, match="--until"):
        moment("2024-01-05", "--until")
