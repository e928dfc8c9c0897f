from concurrent.futures import Future

import pytest
from tests.roles.aggregator.test_owned import owned

from swapstats.errors import Transient
from swapstats.model.series import SeriesAnswer
from swapstats.roles.aggregator.series_desk import REQUESTS_MAX, SeriesDesk


def test_questions_are_answered_by_the_shard_that_is_there() -> None:
    desk = SeriesDesk()
    shard = owned().shard
    here = desk.request("BTC", 3, 5_000)
    elsewhere = desk.request("BTC", 4, 5_000)
    given_up = desk.request("BTC", 3, 5_000)
    assert given_up.cancel()
    desk.answer({3: shard})
    assert here.result(0).step_ms == 1_000
    assert here.result(0).points == []
    with pytest.raises(Transient, match="partition 4"):
        elsewhere.result(0)


def test_too_many_are_refused_and_in_the_end_all() -> None:
    desk = SeriesDesk()
    waiting: list[Future[SeriesAnswer]] = []
    with pytest.raises(Transient, match="too many"):
        waiting.extend(desk.request("BTC", 0, 1) for _ in range(REQUESTS_MAX + 1))
    asked = desk._requests.qsize()
    assert asked == REQUESTS_MAX
    desk.refuse()
    assert desk._requests.empty()
    last = desk.request("BTC", 0, 1)
    desk.refuse()
    with pytest.raises(Transient, match="stopped"):
        last.result(0)
