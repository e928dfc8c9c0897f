import json
from pathlib import Path

import pytest

from swapstats.roles.bench.figures import (
    MISS,
    NO_TARGET,
    PASS,
    Figure,
    Findings,
    Spread,
    load_findings,
)
from swapstats.roles.bench.machine import this_machine


def test_a_spread_has_the_middle_and_both_ends() -> None:
    assert Spread.of([3.0, 1.0, 8.0]) == Spread(3.0, 1.0, 8.0)
    assert Spread.of([1.0, 4.0]).median == 2.5
    with pytest.raises(ValueError, match="at least one"):
        Spread.of([])


@pytest.mark.parametrize(
    ("value", "target", "at_least", "verdict"),
    [
        (0.45, 0.45, True, PASS),
        (0.449, 0.45, True, MISS),
        (50.0, 50.0, False, PASS),
        (50.1, 50.0, False, MISS),
        (1.0, None, True, NO_TARGET),
    ],
)
def test_verdicts(value: float, target: float | None, at_least: bool, verdict: str) -> None:
    assert Figure("x", value, "ms", target, at_least).verdict == verdict


def test_the_median_is_held_against_the_target() -> None:
    figure = Figure.spread("ratio", [0.2, 0.5, 0.9], "of the floor", 0.45)
    assert (figure.value, figure.low, figure.high, figure.verdict) == (0.5, 0.2, 0.9, PASS)


def test_a_line_says_value_unit_spread_target_and_note() -> None:
    line = Figure.spread("stall", [3.0, 12.34, 20.0], "ms", 50.0, at_least=False, note="n").line()
    assert line == "stall: 12.3 ms (3 to 20) [target <= 50: PASS] - n"


def test_findings_are_written_whole(tmp_path: Path) -> None:
    found = Findings("full path", this_machine(), ["how"], [Figure("a", 1.0, "s", 2.0)])
    path = found.save(tmp_path / "new")
    document = json.loads(path.read_text(encoding="utf-8"))
    assert path.name == "bench-full-path.json"
    assert document["figures"][0]["verdict"] == MISS
    assert document["machine"]["cores"] >= 1
    assert found.missed == found.figures
    assert "how" in found.text()
    assert "a: 1 s [target >= 2: MISS]" in found.text()


def test_findings_are_read_back(tmp_path: Path) -> None:
    figures = [Figure("a", 1.0, "s", 2.0), Figure.spread("b", [1.0, 2.0, 4.0], "ms", note="n")]
    found = Findings("x", this_machine(), ["how"], figures, "2026-11-21")
    assert load_findings(found.save(tmp_path)) == found


def test_a_row_has_a_cell_for_everything() -> None:
    row = Figure.spread("a", [1.0, 2.0, 4.0], "ms", 3.0, at_least=False, note="n").row()
    assert row == "| a | 2 ms | 1 to 4 | <= 3: PASS | n |"
    assert Figure("b", 5.0, "s").row() == "| b | 5 s |  |  |  |"
