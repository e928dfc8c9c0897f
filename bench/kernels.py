"""Rates of the compiled kernels: see `bench/README.md`."""

import argparse
from pathlib import Path

from swapstats.roles.bench.figures import Findings
from swapstats.roles.bench.kernel_rates import (
    BUCKETS,
    ROWS,
    TOKENS,
    kernel_figures,
    measure_kernels,
)
from swapstats.roles.bench.machine import on_one_core, this_machine

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    given = parser.parse_args()
    found = Findings("kernels", this_machine())
    with on_one_core() as core:
        found.method.append(
            f"Pinned to core {core}; {given.repeats} rounds, every kernel once a round; "
            f"{BUCKETS} buckets of {ROWS:,} rows, {TOKENS:,} tokens; processor time."
        )
        found.figures += kernel_figures(measure_kernels(given.repeats, lambda: None))
    print(found.text())
    print(f"written to {found.save(ROOT / 'artifacts')}")


if __name__ == "__main__":
    main()
