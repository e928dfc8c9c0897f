"""Both forms of the word load against words written by hand."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from swapstats.core.kernels.reference import words as plain
from swapstats.core.kernels.words import load_word


@pytest.mark.parametrize("load", [load_word, plain.load_word], ids=["kernel", "twin"])
@pytest.mark.parametrize(
    ("text", "at", "word"),
    [
        (b"\x01\x00\x00\x00\x00\x00\x00\x00", 0, 1),
        (b"?\x08\x07\x06\x05\x04\x03\x02\x01", 1, 0x0102030405060708),
        (b"\xff" * 8, 0, (1 << 64) - 1),
    ],
)
def test_known_words(
    load: Callable[[NDArray[np.uint8], int], np.uint64], text: bytes, at: int, word: int
) -> None:
    assert int(load(np.frombuffer(text, dtype=np.uint8), at)) == word
