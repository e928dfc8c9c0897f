import pytest

from swapstats.core.preprocess.amounts import ONE_DOLLAR
from swapstats.core.preprocess.peg import is_at_peg, told_rate, voted_rate


def cents(value: int) -> int:
    return value * ONE_DOLLAR // 100


@pytest.mark.parametrize(
    ("votes", "found"),
    [
        ((), 100),
        ((101,), 100),
        ((99, 101), 100),
        ((90,), None),  # one of the two slipped: nobody knows which
        ((90, 91), 90 + 1),
        ((90, 100), 100),
        ((111, 100), 100),
        ((90, 91, 99), None),
        ((90, 91, 92), 91),
        ((90, 110), 100),
        ((80, 90, 110, 120), 100),
    ],
)
def test_the_median_of_votes_decides(votes: tuple[int, ...], found: int | None) -> None:
    rate = voted_rate([cents(vote) for vote in votes], 200)
    assert rate == (None if found is None else cents(found))


def test_the_bound_itself_still_holds() -> None:
    assert is_at_peg(cents(98), 200)
    assert not is_at_peg(cents(98) - 1, 200)
    assert told_rate(cents(102), 200) == ONE_DOLLAR
    assert told_rate(cents(103), 200) == cents(103)
