"""Blocks taken and given back, against their twins and by their sizes."""

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from tests.core.kernels.heaps import GRANULE_WORDS, Ground
from tests.core.kernels.twins import agree

from swapstats.core.kernels import records as compiled
from swapstats.core.kernels.records import END, NEXT, WANTED
from swapstats.core.kernels.reference import records as plain


@pytest.mark.parametrize("seed", range(10))
def test_blocks_lie_apart_and_are_counted_where_they_lie(seed: int) -> None:
    print("seed", seed)
    rng = Random(seed)
    ground = Ground(seed)
    held: list[tuple[int, int]] = []
    for _ in range(60):
        if held and rng.random() < 0.4:
            address, words = held.pop(rng.randrange(len(held)))
            agree(compiled.give_back, plain.give_back, address, words, ground.live, ground.owner)
        words = rng.choice((1, 2, 7, 100, 700))
        before = ground.bump.tolist()
        address = agree(compiled.take, plain.take, words, *ground.memory)
        if not address:
            assert before[NEXT] + words > before[END]
            assert ground.bump.tolist() == [before[NEXT], before[END], words]
            ground.make_room(words + rng.choice((0, 0, 1_500)))
            address = agree(compiled.take, plain.take, words, *ground.memory)
        assert before[END] == 0 or address >= before[NEXT]
        assert ground.bump[WANTED] == 0
        held.append((address, words))
        assert ground.live.sum() == sum(size for _, size in held)
    blocks = sorted(held)
    assert all(a + n <= b for (a, n), (b, _) in pairwise(blocks))
    for address, words in held:
        agree(compiled.give_back, plain.give_back, address, words, ground.live, ground.owner)
    assert not ground.live.any()


def test_a_block_of_none_lies_nowhere() -> None:
    """Nothing is looked up for it, not even where the heap ends."""
    live, owner = np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int32)
    for address in (0, 2 * GRANULE_WORDS, 1 << 60):
        compiled.give_back.py_func(address, 0, live, owner)  # type: ignore[attr-defined] # compiled
        plain.give_back(address, 0, live, owner)
    assert not live.any()


def test_sizes() -> None:
    for count in range(2_000):
        assert compiled.entry_words(count) == plain.entry_words(count)
        assert 8 * compiled.entry_words(count) >= 12 * count
        places = compiled.places_for(count)
        assert places == plain.places_for(count)
        assert places >= max(32, 2 * count)
        assert places & (places - 1) == 0
        assert places == 32 or places < 4 * count
        assert compiled.index_words(places) == plain.index_words(places) == places / 2
