"""Ranking in arrays against sorting in Python."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from swapstats.core.ranking import TextRanks, select_top, subtract_wide, unsigned_order
from swapstats.model.stats import signed

WORD = st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-2, 2)


def _column(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(WORD, WORD, WORD), max_size=40), st.integers(1, 45))
def test_the_top_of_wide_integers_is_that_of_python(
    words: list[tuple[int, int, int]], count: int
) -> None:
    columns = [_column([row[place] for row in words]) for place in range(3)]
    ties = np.arange(len(words), dtype=np.int64)
    top = select_top(
        np.arange(len(words)),
        [columns[2], unsigned_order(columns[1]), unsigned_order(columns[0]), ~ties],
        count,
    )
    expected = sorted(range(len(words)), key=lambda place: (-signed(*words[place]), place))
    assert top.tolist() == expected[:count]


@given(st.lists(st.tuples(WORD, WORD, WORD, WORD), min_size=1, max_size=20))
def test_wide_subtraction_borrows(rows: list[tuple[int, int, int, int]]) -> None:
    columns = [_column([row[place] for row in rows]) for place in range(4)]
    low, high = subtract_wide((columns[0], columns[1]), (columns[2], columns[3]))
    for place, row in enumerate(rows):
        wanted = (signed(row[0], row[1]) - signed(row[2], row[3])) % (1 << 128)
        assert signed(int(low[place]), int(high[place])) % (1 << 128) == wanted


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.text(max_size=5), max_size=90), max_size=4))
def test_ranks_of_texts_follow_code_points_however_they_come(batches: list[list[str]]) -> None:
    ranks = TextRanks()
    known: list[str] = []
    for batch in batches:
        for text in dict.fromkeys(batch):
            if text not in known:
                assert ranks.add(text) == len(known)
                known.append(text)
        place = {text: rank for rank, text in enumerate(sorted(known))}
        assert ranks.ranks().tolist() == [place[text] for text in known]
    assert len(ranks) == len(known)
