import pytest

from swapstats.errors import Fenced
from swapstats.roles.aggregator.taken_over import TakenOver


def test_a_group_that_contradicts_the_stores_for_long_is_told() -> None:
    now = [0.0]
    taken = TakenOver(30.0, lambda: now[0])
    taken.expect_word()
    taken.add(3)
    now[0] = 20.0
    taken.add(3)
    taken.add(4)
    now[0] = 30.0
    taken.expect_word()
    now[0] = 30.1
    with pytest.raises(Fenced, match="partition 3"):
        taken.expect_word()
    taken.forget([3])
    taken.expect_word()
