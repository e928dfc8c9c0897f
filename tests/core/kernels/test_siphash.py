"""The compiled hashes against their twins."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from swapstats.core.kernels.reference import siphash as plain
from swapstats.core.kernels.siphash import hash_bytes, hash_content

words = st.integers(0, (1 << 64) - 1).map(np.uint64)


@settings(deadline=None)
@given(
    st.binary(max_size=300), st.integers(0, 20), st.integers(0, 9), words, st.booleans(), words,
    words,
)  # fmt: skip
def test_bytes(
    text: bytes,
    start: int,
    rest: int,
    suffix: np.uint64,
    with_suffix: bool,
    k0: np.uint64,
    k1: np.uint64,
) -> None:
    data = np.frombuffer(text, dtype=np.uint8)
    start = min(start, len(text))
    count = max(0, len(text) - start - rest)
    arguments = (data, start, count, suffix, with_suffix, k0, k1)
    assert hash_bytes(*arguments) == plain.hash_bytes(*arguments)


def test_every_length_around_words_and_the_length_byte() -> None:
    data = np.arange(1_100, dtype=np.int64).astype(np.uint8)
    k0, k1 = np.uint64(7), np.uint64((1 << 64) - 3)
    for count in (*range(40), *range(250, 264), *range(2_030 // 8 * 4, 1_030)):
        for with_suffix in (False, True):
            arguments = (data, 3, count, np.uint64(count), with_suffix, k0, k1)
            assert hash_bytes(*arguments) == plain.hash_bytes(*arguments), count


@settings(deadline=None)
@given(st.tuples(*[words] * 8))
def test_content(arguments: tuple[np.uint64, ...]) -> None:
    assert hash_content(*arguments) == plain.hash_content(*arguments)


def test_length_keeps_texts_with_zeros_apart() -> None:
    zeros = np.zeros(32, dtype=np.uint8)
    key = (np.uint64(1), np.uint64(2))
    codes = {int(hash_bytes(zeros, 0, count, np.uint64(0), False, *key)) for count in range(33)}
    assert len(codes) == 33
