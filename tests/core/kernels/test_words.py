"""The word load against its twin, at every place of a buffer up to its very end."""

import numpy as np

from swapstats.core.kernels.reference import words as plain
from swapstats.core.kernels.words import load_word


def test_every_place_up_to_the_end() -> None:
    for count in range(8, 40):
        data = np.random.default_rng(count).integers(0, 256, count, dtype=np.uint8)
        for at in range(count - 7):
            assert load_word(data, at) == plain.load_word(data, at), (count, at)


def test_a_view_is_read_where_it_begins() -> None:
    data = np.arange(64, dtype=np.uint8)
    for start in range(9):
        view = data[start:]
        assert load_word(view, 3) == plain.load_word(data, start + 3)
