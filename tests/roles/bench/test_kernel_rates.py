import numpy as np

from swapstats.core.kernels.records import CELL_WORDS
from swapstats.roles.bench.kernel_rates import (
    BUCKETS,
    RATE_MIN,
    ROWS,
    TOKENS,
    Material,
    Timed,
    kernel_figures,
    measure_kernels,
    pass_over,
)


def test_the_material_is_what_it_says() -> None:
    material = Material.make()
    rows = np.concatenate(material.groups)
    assert sorted(rows.tolist()) == list(range(len(material.batch)))
    assert material.columns.accepted.all()
    assert len(material.groups) >= BUCKETS
    assert 0.9 * ROWS < np.median([len(group) for group in material.groups]) < 1.1 * ROWS
    assert 500 < len(np.unique(material.tokens)) <= TOKENS
    assert CELL_WORDS == 6


def test_the_floor_reads_and_writes_every_row() -> None:
    rows = np.array([2, 0], dtype=np.int32)
    words = np.array([5, 7, 11], dtype=np.uint64)
    out = np.zeros(3, dtype=np.uint64)
    assert pass_over(rows, words, out) == 16
    assert out.tolist() == [16, 0, 11]


def test_every_kernel_is_measured_in_every_round() -> None:
    rounds: list[None] = []
    timed = measure_kernels(2, lambda: rounds.append(None))
    assert len(rounds) == 3
    assert all(len(each.rates) == 2 and min(each.rates) > 0 for each in timed)
    targets = [each.name for each in timed if each.target == RATE_MIN]
    assert any(name.startswith("dedup") for name in targets)
    assert any(name.startswith("windows") for name in targets)


def test_figures_name_the_part_of_the_floor() -> None:
    floor = Timed("floor", "events/s", [10e6, 30e6, 20e6], None)
    kernel = Timed("dedup", "events/s", [5e6, 5e6], RATE_MIN)
    figure = kernel_figures([floor, kernel])[1]
    assert figure.verdict == "PASS"
    assert "0.250 of the floor" in figure.note
