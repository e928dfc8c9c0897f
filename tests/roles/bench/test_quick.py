from pathlib import Path

from swapstats.cli.bench import open_bench_stores
from swapstats.roles.bench.full_path import Plan
from swapstats.roles.bench.machine import usable_cores
from swapstats.roles.bench.quick import Sizes, measure_quickly


def test_everything_is_measured_once_and_told(tmp_path: Path) -> None:
    told: dict[str, list[tuple[int, int]]] = {}
    sizes = Sizes(
        plan=Plan(pairs=2, leg_messages=1_000, batch_messages=500),
        partitions=3,
        kernel_rounds=1,
        held=20_000,
    )
    before = usable_cores()
    found = measure_quickly(
        lambda partitions: open_bench_stores(tmp_path, partitions),
        lambda name, done, total: told.setdefault(name, []).append((done, total)),
        sizes,
    )
    assert usable_cores() == before
    assert not list(tmp_path.iterdir())
    names = [figure.name for figure in found.figures]
    assert len(names) == len(set(names))
    for part in ("full path", "with the durable log", "dedup", "windows", "memory"):
        assert any(name.startswith(part) for name in names)
    assert all(figure.value > 0 for figure in found.figures)
    for steps in told.values():
        done = [step for step, _ in steps]
        assert done == sorted(done)
        assert steps[-1][0] == steps[-1][1]
