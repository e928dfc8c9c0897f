"""The size of a range over refusals and answers."""

from swapstats.core.evm.range_size import RangeSize


def test_it_halves_down_to_one_block() -> None:
    size = RangeSize(10, 100)
    seen = []
    while size.refused(size.blocks):
        seen.append(size.blocks)
    assert seen == [5, 2, 1]


def test_it_halves_what_was_asked_if_that_was_less() -> None:
    size = RangeSize(1_000, 1_000)
    assert size.refused(6)
    assert size.blocks == 3


def test_it_grows_again_up_to_its_limit() -> None:
    size = RangeSize(1, 10)
    seen = []
    for _ in range(7):
        size.answered(0)
        seen.append(size.blocks)
    assert seen == [2, 3, 4, 6, 9, 10, 10]


def test_large_answers_make_it_smaller_and_fair_ones_keep_it() -> None:
    size = RangeSize(100, 1_000, logs_wanted_max=10)
    size.answered(11)
    assert size.blocks == 50
    size.answered(6)
    assert size.blocks == 50
    size.answered(5)
    assert size.blocks == 75
