"""The history for resuming clients stays within its bounds."""

from swapstats.core.recent_updates import RecentUpdates
from swapstats.model.window import WindowSpec
from swapstats.testing.synthetic_updates import SyntheticUpdates

SPEC = WindowSpec(5_000, (300_000,))


def test_bytes_are_bounded_and_the_newest_stay() -> None:
    recent = RecentUpdates(10_000, 1_000_000)
    updates = list(SyntheticUpdates(SPEC, tokens=20).stream(100, 20))
    for update in updates:
        recent.add(update)
        assert recent.size_bytes <= 10_000
    assert 0 < len(recent) < 100
    assert recent.find(updates[-1].seq) is updates[-1]
    assert recent.find(updates[0].seq) is None


def test_age_is_bounded_in_stream_time() -> None:
    recent = RecentUpdates(1 << 30, 1_000)
    updates = list(SyntheticUpdates(SPEC, tokens=20, step_ms=100).stream(50, 3))
    for update in updates:
        recent.add(update)
    assert len(recent) == 11
    assert recent.find(updates[-11].seq) is updates[-11]
    assert recent.find(updates[-12].seq) is None


def test_an_update_larger_than_the_bound_is_not_kept() -> None:
    recent = RecentUpdates(100, 1_000)
    recent.add(SyntheticUpdates(SPEC, tokens=20).update(0, 20))
    assert (len(recent), recent.size_bytes) == (0, 0)
