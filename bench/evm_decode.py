"""Rates of decoding the logs of EVM chains: see `bench/README.md`."""

import argparse
from pathlib import Path

from swapstats.roles.bench.evm_answers import PROTOCOLS, make_answers
from swapstats.roles.bench.evm_rates import measure_rates
from swapstats.roles.bench.figures import Findings
from swapstats.roles.bench.machine import on_one_core, this_machine

ROOT = Path(__file__).resolve().parents[1]
BLOCK_SWAPS = 250
"""Of a chain with blocks that are full of swaps."""
RANGE_SWAPS = 5_000
"""Of a range of blocks asked for at once."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    found = Findings("evm-decode", this_machine())
    kinds = [
        make_answers("V2 with its Syncs, 250 swaps an answer", PROTOCOLS[:1], 20, BLOCK_SWAPS),
        make_answers("V3, 250 swaps an answer", PROTOCOLS[1:2], 20, BLOCK_SWAPS),
        make_answers("V4, 250 swaps an answer", PROTOCOLS[2:], 20, BLOCK_SWAPS),
        make_answers("all three, 250 swaps an answer", PROTOCOLS, 20, BLOCK_SWAPS),
        make_answers("all three, 5,000 swaps an answer", PROTOCOLS, 2, RANGE_SWAPS),
    ]
    with on_one_core() as core:
        found.method.append(
            f"Pinned to core {core}; {given.rounds} rounds, every kind of answers once a round, "
            "floor and decoding in turns; processor time. Floor: one typed msgspec decode of the "
            "same answer, hex text left as it is, thrown away. A Sync counts as a log."
        )
        for rates in measure_rates(kinds, given.rounds):
            found.figures += rates.figures()
    print(found.text())
    print(f"written to {found.save(ROOT / 'artifacts')}")


if __name__ == "__main__":
    main()
