"""The collector of EVM chains on real nodes: reorgs, kills and providers that err, to the truth.

Each run prints its seed and what happened in it. The same seed makes the same chain; when the
collector is killed from outside is left to the machine.
"""

from pathlib import Path
from random import Random

import pytest
from tests.end_to_end.evm_fuzz import EvmFuzz

from swapstats.errors import UsageError
from swapstats.testing.evm.geth_chain import GethChain
from swapstats.testing.evm.running import anvil_market, geth_market
from swapstats.testing.evm.story import DEPTH_MAX


def run_on_anvil(directory: Path, seed: int, steps: int) -> EvmFuzz:
    print(f"seed {seed}")
    try:
        with anvil_market(directory) as (chain, market):
            fuzz = EvmFuzz(chain, market, directory, seed, torn=seed % 2 == 1)
            fuzz.run(steps)
            return fuzz
    except UsageError as error:
        pytest.skip(str(error))


def run_on_geth(directory: Path, seed: int, steps: int) -> EvmFuzz:
    print(f"seed {seed}")
    try:
        with geth_market(directory) as (chain, market, _):
            finality = Finality(chain, seed)
            fuzz = EvmFuzz(chain, market, directory, seed, torn=seed % 2 == 1)
            fuzz.run(steps, finality.move)
            return fuzz
    except UsageError as error:
        pytest.skip(str(error))


class Finality:
    """What a consensus client does: now and then it calls an older block final."""

    def __init__(self, chain: GethChain, seed: int) -> None:
        self._chain = chain
        self._random = Random(seed)
        self._number = 0

    def move(self) -> None:
        """Make a block some way below the head final, never one below the last."""
        blocks, block = self._chain.blocks, self._chain.head
        wanted = blocks[block].number - self._random.randint(20, DEPTH_MAX)
        if wanted <= self._number or self._random.random() < 0.7:
            return
        while blocks[block].number > wanted:
            block = blocks[block].parent
        self._chain.finalize(block)
        self._number = wanted


@pytest.mark.parametrize("seed", [3, 4])
def test_on_anvil_the_log_says_what_the_chain_says(tmp_path: Path, seed: int) -> None:
    fuzz = run_on_anvil(tmp_path, seed, steps=25)
    assert fuzz.lives.lives > 2
    assert fuzz.collected.counts["removals"]
    assert fuzz.collected.counts["included again"]


def test_on_geth_the_log_says_what_the_chain_says(tmp_path: Path) -> None:
    """Blocks change at once over a whole branch, and those that left still answer."""
    fuzz = run_on_geth(tmp_path, 6, steps=20)
    assert fuzz.lives.lives > 2
    assert fuzz.collected.counts["removals"]


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(100, 150))
def test_on_anvil_over_many_seeds(tmp_path: Path, seed: int) -> None:
    run_on_anvil(tmp_path, seed, steps=60)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(200, 210))
def test_on_geth_over_many_seeds(tmp_path: Path, seed: int) -> None:
    run_on_geth(tmp_path, seed, steps=40)
