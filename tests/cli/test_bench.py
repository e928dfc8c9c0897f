"""`bench`: the figures are printed and saved, the stores are gone, the status tells the targets."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Said

from swapstats.cli.bench import open_bench_stores
from swapstats.roles.bench.figures import Figure, Findings
from swapstats.roles.bench.full_path import Plan
from swapstats.roles.bench.machine import this_machine
from swapstats.roles.bench.quick import Sizes

Cli = Callable[..., Said]


def test_figures_are_printed_and_saved(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Sizes(
        plan=Plan(pairs=1, leg_messages=1_000, batch_messages=500),
        partitions=2,
        kernel_rounds=1,
        held=5_000,
    )
    monkeypatch.setattr("swapstats.cli.bench.Sizes", lambda: small)
    stores, output = tmp_path / "stores", tmp_path / "figures"
    stores.mkdir()
    said = cli("bench", "--dir", stores, "--output", output)
    assert said.status in {0, 1}, "so small a measurement may miss a target"
    assert "full path" in said.out
    assert "written to" in said.out
    assert list(stores.iterdir()) == []
    (saved,) = output.iterdir()
    assert json.loads(saved.read_text())


@pytest.mark.parametrize(("value", "status"), [(0.5, 0), (0.4, 1)])
def test_a_missed_target_is_status_1(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, value: float, status: int
) -> None:
    found = Findings("quick", this_machine())
    found.figures.append(Figure("full path", value, "of the floor", 0.45))
    monkeypatch.setattr("swapstats.cli.bench.measure_quickly", lambda *_: found)
    said = cli("bench")
    assert said.status == status
    assert "full path" in said.out


def test_stores_are_real_and_thrown_away(tmp_path: Path) -> None:
    with open_bench_stores(tmp_path, 3) as stores:
        assert stores.log.partition_count == 3
        assert stores.checkpoints.acquire(0) == 1
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []
