"""A market whose ids tell nothing: two connections, and history where neither is a witness."""

import random

import pytest

from swapstats.adapters.sources.exchange.gap import TOO_OLD, Gap, Step
from swapstats.adapters.sources.exchange.opaque_track import OpaqueTrack, opaque_step
from swapstats.adapters.sources.exchange.venue import Mark, VenueTrade

PAGE_MAX = 60


def trade(number: int, **more: object) -> VenueTrade:
    """Several trades share a millisecond; ids are in no order."""
    time_ms = 1_000 + number // 3
    name = f"{(number * 7_919) % 100_003:05d}"
    return VenueTrade("BTCUSDT", name, time_ms, "2", "3", "buy", time_ms, **more)  # type: ignore[arg-type]


def page(last: int, count: int = PAGE_MAX) -> list[VenueTrade]:
    """The newest `count` trades up to a number, newest first."""
    return [trade(number) for number in range(last, max(last - count, -1), -1)]


def track(last: Mark | None = None, seen: tuple[str, ...] = ()) -> OpaqueTrack:
    return OpaqueTrack("BTCUSDT", last=last, seen=seen, seen_ids_max=1_000)


def offered(found: OpaqueTrack, connection: int, numbers: range) -> list[VenueTrade]:
    out: list[VenueTrade] = []
    for number in numbers:
        found.offer(trade(number), connection, out)
    return out


def test_each_trade_goes_on_once_whoever_brings_it() -> None:
    found = track()
    assert offered(found, 1, range(10)) == [trade(n) for n in range(10)]
    assert offered(found, 2, range(5, 15)) == [trade(n) for n in range(10, 15)]
    assert found.repeats == 5
    assert found.last == Mark.of(trade(14))


def test_a_second_connection_that_brings_the_same_is_a_witness() -> None:
    """It begins with what the first one, never ended, has brought: nothing was missed."""
    found = track()
    offered(found, 1, range(10))
    offered(found, 2, range(7, 12))
    assert found.gap is None


def test_a_witness_may_come_after_it() -> None:
    """The new connection is quicker; the old one brings the same trade later."""
    found = track()
    offered(found, 1, range(10))
    offered(found, 2, range(12, 14))
    assert found.gap == Gap(Mark.of(trade(9)), Mark.of(trade(12)))
    assert offered(found, 1, range(10, 12)) == [trade(10), trade(11)]
    assert found.gap is not None
    offered(found, 1, range(12, 13))
    assert found.gap is None


def test_a_connection_that_ended_is_no_witness() -> None:
    found = track()
    offered(found, 1, range(10))
    offered(found, 2, range(12, 13))
    found.left(1)
    offered(found, 3, range(12, 15))  # begins later: it cannot tell
    assert found.gap == Gap(Mark.of(trade(9)), Mark.of(trade(12)))
    assert offered(found, 2, range(13, 15)) == []
    assert found.gap is not None


def test_a_gap_grows_with_the_next_connection() -> None:
    """The one that ended it has ended itself: a page must reach beyond both."""
    found = track()
    offered(found, 1, range(10))
    found.left(1)
    offered(found, 2, range(20, 21))
    found.left(2)
    offered(found, 3, range(30, 31))
    gap = found.gap
    assert gap == Gap(Mark.of(trade(9)), Mark.of(trade(30)))
    out: list[VenueTrade] = []
    found.fill(opaque_step(gap, page(25)), out)
    assert found.gap == Gap(Mark.of(trade(24)), Mark.of(trade(30)))  # told so far
    found.fill(opaque_step(gap, page(30)), out)
    assert {each.trade_id for each in out} == {trade(n).trade_id for n in range(10, 30) if n != 20}


def test_history_closes_what_nobody_brought() -> None:
    found = track()
    offered(found, 1, range(10))
    found.left(1)
    offered(found, 2, range(30, 32))
    gap = found.gap
    assert gap is not None
    out: list[VenueTrade] = []
    found.fill(opaque_step(gap, page(33)), out)
    assert {each.trade_id for each in out} == {trade(n).trade_id for n in [*range(10, 30), 32, 33]}
    assert found.gap is None
    assert not found.holes


def test_a_late_page_is_asked_for_again_and_counts_as_far_as_it_goes() -> None:
    """Later ones no longer reach back to what was known at first, and need not."""
    found = track()
    offered(found, 1, range(10))
    found.left(1)
    offered(found, 2, range(100, 101))
    out: list[VenueTrade] = []
    for last in (40, 90, 130):
        gap = found.gap
        assert gap is not None
        step = opaque_step(gap, page(last))
        assert step.is_late == (last < 100)
        found.fill(step, out)
    assert found.gap is None
    assert not found.holes
    assert len(out) == len({each.trade_id for each in out})
    assert {each.trade_id for each in out} == {
        trade(n).trade_id for n in range(10, 131) if n != 100
    }


def test_a_page_that_does_not_reach_back_is_a_hole() -> None:
    found = track()
    offered(found, 1, range(10))
    found.left(1)
    offered(found, 2, range(200, 201))
    gap = found.gap
    assert gap is not None
    out: list[VenueTrade] = []
    found.fill(opaque_step(gap, page(210)), out)
    (hole,) = found.holes
    assert (hole.first, hole.last, hole.missing, hole.reason) == (
        trade(9).time_ms, trade(151).time_ms, 0, TOO_OLD,
    )  # fmt: skip
    assert len(out) == PAGE_MAX - 1


def test_trades_of_one_millisecond_that_do_not_fit_a_page() -> None:
    """The page begins in the millisecond of what is known without holding it: nobody can say."""
    found = track()
    out: list[VenueTrade] = []
    known = VenueTrade("BTCUSDT", "known", 5, "2", "3", "buy", 5)
    found.offer(known, 1, out)
    found.left(1)
    rows = [VenueTrade("BTCUSDT", f"r{n}", 5, "2", "3", "buy", 5) for n in range(PAGE_MAX)]
    found.offer(rows[0], 2, out)
    assert found.gap is not None
    found.fill(opaque_step(found.gap, rows), out)
    assert [hole.reason for hole in found.holes] == [TOO_OLD]
    found.fill(Step([*rows, known], is_done=True), out)
    assert len(found.holes) == 1
    assert len(out) == PAGE_MAX + 1


def test_giving_up_is_told() -> None:
    found = track()
    offered(found, 1, range(10))
    found.left(1)
    offered(found, 2, range(20, 21))
    found.give_up("no answer", [])
    assert [(hole.missing, hole.reason) for hole in found.holes] == [(0, "no answer")]
    assert found.gap is None
    found.give_up("no answer", [])
    assert len(found.holes) == 1


def test_a_restart_compares_from_its_position() -> None:
    first = track()
    offered(first, 1, range(50))
    second = track(first.last, first.newest_ids(20))
    assert offered(second, 1, range(55, 57)) == [trade(55), trade(56)]
    assert second.gap == Gap(Mark.of(trade(49)), Mark.of(trade(55)))
    out: list[VenueTrade] = []
    second.fill(opaque_step(second.gap, page(58)), out)
    assert {each.trade_id for each in out} == {trade(n).trade_id for n in [*range(50, 55), 57, 58]}
    assert not second.holes


def test_what_is_not_public_does_not_go_on() -> None:
    found = track()
    out: list[VenueTrade] = []
    found.offer(trade(1, is_public=False), 1, out)
    found.offer(trade(1), 1, out)
    assert out == []


def test_memory_is_bounded() -> None:
    """Ids: of so many trades while it runs, of the newest millisecond over a restart."""
    found = OpaqueTrack("BTCUSDT", last=None, seen_ids_max=100)
    offered(found, 1, range(1_000))
    assert tuple(found._seen) == tuple(trade(n).trade_id for n in range(900, 1_000))
    assert found.newest_ids(50) == (trade(999).trade_id,)
    offered(found, 1, range(1_000, 1_002))
    assert found.newest_ids(50) == tuple(trade(n).trade_id for n in range(999, 1_002))
    assert found.newest_ids(2) == tuple(trade(n).trade_id for n in range(1_000, 1_002))


def test_a_restart_within_a_gap_still_closes_it() -> None:
    """Its position is the trade before the gap, with the ids that went on behind it."""
    first = track()
    offered(first, 1, range(10))
    first.left(1)
    offered(first, 2, range(30, 33))
    assert first.last == Mark.of(trade(9))
    second = track(first.last, first.newest_ids(100))
    offered(second, 1, range(40, 41))
    gap = second.gap
    assert gap == Gap(Mark.of(trade(9)), Mark.of(trade(40)))
    out: list[VenueTrade] = []
    second.fill(opaque_step(gap, page(41)), out)
    assert {each.trade_id for each in out} == {
        trade(n).trade_id for n in [*range(10, 30), *range(33, 40), 41]
    }
    assert not second.holes


@pytest.mark.parametrize("_run", range(5))
def test_any_breaks_within_reach_of_history(_run: int) -> None:
    """Two connections that break and come back; each gap of both is within a page."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    found = track()
    out: list[VenueTrade] = []
    alive = {0: 0, 1: 0}
    number = 1
    for step in range(600):
        for line, connection in list(alive.items()):
            if connection >= 0 and chance.randrange(20) == 0:
                found.left(connection)
                alive[line] = -1
            elif connection < 0 and chance.randrange(6) == 0:
                alive[line] = number
                number += 1
        for connection in sorted(alive.values(), key=lambda _: chance.random()):
            if connection >= 0:
                found.offer(trade(step), connection, out)
        if found.gap is not None and chance.randrange(3) == 0:
            lag = chance.choice((0, 0, 5, 20))
            found.fill(opaque_step(found.gap, page(step - lag)), out)
    offered_last: list[VenueTrade] = []
    found.offer(trade(600), 9_999, offered_last)
    while found.gap is not None:
        found.fill(opaque_step(found.gap, page(601)), out)
    out += offered_last
    ids = [each.trade_id for each in out]
    assert len(ids) == len(set(ids))
    assert set(ids) - {trade(601).trade_id} == {trade(n).trade_id for n in range(601)}
    assert not found.holes
