"""What `audit` says of the archive, on a real engine."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from tests.cli.conftest import Said, known_swaps
from tests.roles.aggregator.rig import START_MS
from tests.roles.archived import archive_directory
from tests.roles.replayed import flip_cell, replay_into

from swapstats.cli.archive_findings import ArchiveFindings, wants_archive
from swapstats.roles.audit_archive import ArchiveAudit
from swapstats.settings import load
from swapstats.wiring.archive import EMBEDDED_LOG, open_archive

pytest.importorskip("chdb", reason="no chdb: pip install 'swapstats[archive]'")

Cli = Callable[..., Said]
CONFIG = "stores: {clickhouse: {delete_after: 7300d}}\n"


def _archive(config: Path, data_dir: Path) -> None:
    opened = open_archive(load(config, environ={}), data_dir=data_dir, log_name=EMBEDDED_LOG)
    assert opened is not None
    archive_directory(data_dir, opened.archive)
    opened.close()


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A replayed directory with an archive in it, and `config.yaml` beside."""
    path = tmp_path_factory.mktemp("archived") / "data"
    (path.parent / "config.yaml").write_text(CONFIG)
    replay_into(path, known_swaps(START_MS), partitions=1)
    _archive(path.parent / "config.yaml", path)
    return path


def test_an_archive_that_agrees_is_told_so(cli: Cli, archived: Path) -> None:
    config = archived.parent / "config.yaml"
    said = cli("audit", "--data-dir", archived, "--config", config, "--archive")
    assert said.status == 0, said.out
    assert f"archive: partition 0 as of {START_MS}, offset 15: 4 tokens equal" in said.out
    for view in ("hourly", "daily"):
        assert f"archive: {view} is the sum of raw_swaps" in said.out
    without = cli("audit", "--data-dir", archived, "--config", config)
    assert "archive" not in without.out, "an embedded one is compared when asked for"


def test_rows_that_say_otherwise_fail_the_audit(cli: Cli, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    replay_into(tmp_path / "data", known_swaps(START_MS), partitions=1)
    _archive(config, tmp_path / "data")
    flip_cell(tmp_path / "data", 0, START_MS // 5_000, 0, 3)
    said = cli("audit", "--data-dir", tmp_path / "data", "--config", config, "--archive")
    assert said.status == 1
    assert "archive: partition 0" in said.out
    assert "6 differences" in said.out
    assert "the archive says" in said.out


def test_a_missing_archive_is_refused_when_asked_for(cli: Cli, data_dir: Path) -> None:
    said = cli("audit", "--data-dir", data_dir, "--archive")
    assert said.status == 2
    assert "was no archive there yet" in said.err


def test_it_is_looked_at_where_a_server_is_configured() -> None:
    plain = load(environ={})
    server = load(environ={}, flags={"stores.clickhouse.dsn": "clickhouse://h"})
    assert wants_archive(server, None, on_servers=True)
    assert not wants_archive(server, None, on_servers=False)
    assert not wants_archive(plain, None, on_servers=True)
    assert wants_archive(plain, True, on_servers=False)
    assert not wants_archive(server, False, on_servers=True)


def _said(findings: ArchiveFindings) -> tuple[int, str]:
    out = Console(width=160)
    with out.capture() as said:
        status = findings.tell(out)
    return status, said.get()


def test_what_cannot_be_compared_says_how_far_the_archive_is() -> None:
    behind = ArchiveAudit(0, START_MS, 1_500, 1, 1_200, 3, "behind", ())
    later = ArchiveAudit(1, START_MS, 1_500, 700, 1_500, 3, "begins later", ())
    status, said = _said(ArchiveFindings((behind, later), {"hourly": [], "daily": []}))
    assert status == 0
    assert "not compared, the archive has come to offset 1,200" in said
    assert "not compared, the archive begins at offset 700" in said
    assert _said(ArchiveFindings()) == (0, "")


def test_groups_of_a_view_that_differ_fail_it() -> None:
    sums = ["1", "1", "0", "0", "2.5", "2.5", "0", "-0.000000000000000001"]
    groups = [["1", "0xa", "2026-11-21", "raw-swaps", "4", *sums]]
    status, said = _said(ArchiveFindings(views={"hourly": [], "daily": groups}))
    assert status == 1
    assert "archive: daily is not the sum of raw_swaps in 1 groups" in said
    assert "trades 1, buy 1, vol_usd 2.5, buy_usd 2.5, vol_token -0.000000000000000001" in said
