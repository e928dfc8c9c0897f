from tests.core.test_first_round import update
from tests.roles.aggregator.rig import Watched

from swapstats.roles.aggregator.direct_publisher import DirectPublisher


def test_nothing_is_said_before_every_partition_has_something_to_say() -> None:
    watched = Watched()
    publisher = DirectPublisher(watched, 2)
    publisher.publish(update(0, 1, 200), 0)
    publisher.publish(update(0, 2, 300), 0)
    assert watched.published == []
    publisher.publish(update(1, 1, 100), 0)
    assert [(one.partition, one.seq) for one in watched.published] == [(1, 1), (0, 2)]
    publisher.publish(update(0, 3, 400), 0)
    assert watched.published[-1].seq == 3


def test_nothing_waits_is_refused_or_was_seen_before() -> None:
    publisher = DirectPublisher(Watched(), 1)
    assert publisher.head(0) is None
    assert publisher.take_requests() == (set(), set())
    assert publisher.flush(0)
    publisher.forget(0)
