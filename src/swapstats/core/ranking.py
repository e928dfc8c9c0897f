"""Exact ranking of wide integers and texts in arrays.

A number of several 64-bit words is ranked by signed words, most significant first; a float never
takes part. `TextRanks` gives texts a rank by code point so that ties and text columns sort in
arrays too.
"""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

INSERTS_MAX = 64
"""Above this many new texts at once, sorting anew is cheaper than inserting one by one."""

_SIGN = np.int64(-(1 << 63))


def unsigned_order(word: NDArray[np.int64]) -> NDArray[np.int64]:
    """Map unsigned words so that signed comparison orders them: flips the top bit.

    Args:
        word: int64[n], bits of an unsigned word.
    """
    return word ^ _SIGN


def subtract_wide(
    left: tuple[NDArray[np.int64], NDArray[np.int64]],
    right: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Subtract 128-bit integers given as (low, high) words.

    Returns:
        (low, high) of left - right, modulo 2^128.
    """
    low = left[0] - right[0]
    borrow = unsigned_order(left[0]) < unsigned_order(right[0])
    return low, left[1] - right[1] - borrow


def select_top(
    candidates: NDArray[np.intp], words: Sequence[NDArray[np.int64]], count: int
) -> NDArray[np.intp]:
    """Pick the largest candidates, in descending order.

    Linear in the candidates: each word only splits those still tied at the edge.

    Args:
        candidates: intp[m], positions into the word arrays.
        words: int64[n] each, most significant first; all of them together are unique.
        count: how many to pick.

    Returns:
        intp[min(m, count)].
    """
    picked: list[NDArray[np.intp]] = []
    edge, left = candidates, count
    for word in words:
        if len(edge) <= left:
            break
        value = word[edge]
        limit = np.partition(value, len(edge) - left)[len(edge) - left]
        above = edge[value > limit]
        picked.append(above)
        left -= len(above)
        edge = edge[value == limit]
    picked.append(edge[:left])
    chosen = np.concatenate(picked)
    # lexsort: the last key is the most significant one.
    order = np.lexsort([word[chosen] for word in reversed(words)])
    return chosen[order[::-1]]


class TextRanks:
    """Ranks of a growing list of distinct texts, by code point.

    Text number i is the i-th one added. Sorting is put off until ranks are asked for.
    """

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._order = np.empty(0, dtype=np.int64)
        self._ranks = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, text: str) -> int:
        """Add a text not added before; returns its number."""
        self._texts.append(text)
        return len(self._texts) - 1

    def ranks(self) -> NDArray[np.int64]:
        """Rank of every text by number: int64[n], 0 = first by code point."""
        count, done = len(self._texts), len(self._order)
        if count == done:
            return self._ranks
        if count - done <= INSERTS_MAX:
            for number in range(done, count):
                place = bisect_left(self._order, self._texts[number], key=self._texts.__getitem__)
                self._order = np.insert(self._order, place, number)
        else:
            numbers = sorted(range(count), key=self._texts.__getitem__)
            self._order = np.array(numbers, dtype=np.int64)
        self._ranks = np.empty(count, dtype=np.int64)
        self._ranks[self._order] = np.arange(count, dtype=np.int64)
        return self._ranks
