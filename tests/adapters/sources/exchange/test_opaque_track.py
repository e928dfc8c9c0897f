"""Ids that tell nothing: two connections, and pages compared with what was seen."""

from swapstats.adapters.sources.exchange.gap import TOO_OLD, Gap, Step
from swapstats.adapters.sources.exchange.opaque_track import OpaqueTrack
from swapstats.adapters.sources.exchange.venue import Mark, VenueTrade


def trade(name: str, time_ms: int) -> VenueTrade:
    return VenueTrade("BTCUSDT", name, time_ms, "1", "1", "buy", time_ms)


def offer(one: OpaqueTrack, *trades: VenueTrade, connection: int = 0) -> list[str]:
    out: list[VenueTrade] = []
    for each in trades:
        one.offer(each, connection, out)
    return [each.trade_id for each in out]


def compare(one: OpaqueTrack, *trades: VenueTrade) -> list[str]:
    out: list[VenueTrade] = []
    one.fill(Step(list(trades), None, is_done=True), out)
    return [each.trade_id for each in out]


def test_two_connections_give_each_trade_once() -> None:
    one = OpaqueTrack("BTCUSDT", last=None)
    assert offer(one, trade("a", 1), trade("b", 2)) == ["a", "b"]
    assert offer(one, trade("b", 2), trade("c", 3), connection=1) == ["c"]
    assert one.repeats == 1
    assert one.last == Mark(3, "c", 3)


def test_a_connection_that_begins_asks_for_a_comparison() -> None:
    one = OpaqueTrack("BTCUSDT", last=None)
    offer(one, trade("a", 1))
    assert one.gap is None
    offer(one, trade("d", 4), connection=1)
    assert one.gap == Gap(Mark(1, "a", 1), None)
    page = [trade("old", 0), trade("a", 1), trade("b", 2), trade("c", 3), trade("d", 4)]
    assert compare(one, *page) == ["b", "c"]
    assert one.gap is None
    assert not one.holes


def test_a_page_that_does_not_reach_back_is_a_hole_of_unknown_size() -> None:
    one = OpaqueTrack("BTCUSDT", last=Mark(10, "a", 10), seen=("a",))
    offer(one, trade("x", 99))
    assert compare(one, trade("w", 98), trade("x", 99)) == ["w"]
    (hole,) = one.holes
    assert (hole.missing, hole.reason) == (0, TOO_OLD)


def test_an_empty_page_tells_nothing() -> None:
    one = OpaqueTrack("BTCUSDT", last=Mark(10, "a", 10))
    offer(one, trade("x", 11))
    assert compare(one) == []
    assert one.gap is None


def test_giving_up_is_told() -> None:
    one = OpaqueTrack("BTCUSDT", last=Mark(10, "a", 10))
    one.give_up("no answer", [])
    assert not one.holes
    offer(one, trade("x", 11))
    one.shorten(1)
    one.give_up("no answer", [])
    assert [hole.reason for hole in one.holes] == ["no answer"]
    assert one.gap is None


def test_a_restart_knows_what_went_on_last() -> None:
    first = OpaqueTrack("BTCUSDT", last=None)
    offer(first, trade("a", 1), trade("b", 2), trade("c", 2))
    second = OpaqueTrack("BTCUSDT", last=first.last, seen=first.newest_ids(2))
    assert compare(second, trade("a", 1), trade("b", 2), trade("c", 2), trade("d", 2)) == ["d"]


def test_ids_are_forgotten_oldest_first() -> None:
    one = OpaqueTrack("BTCUSDT", last=None, seen_ids_max=2)
    offer(one, trade("a", 1), trade("b", 2), trade("c", 3))
    assert one.newest_ids(10) == ("b", "c")
    one.left(0)
    assert offer(one, trade("c", 3)) == []
