"""Ids of one market: what goes on, what waits, what becomes a hole."""

import random

import pytest

from swapstats.adapters.sources.exchange.gap import NOT_IN_HISTORY, TOO_MANY, Gap, Hole, Step
from swapstats.adapters.sources.exchange.track import (
    BEGUN_ANEW,
    BEGUN_ANEW_MS,
    SequenceTrack,
)
from swapstats.adapters.sources.exchange.venue import Mark, VenueTrade


def trade(order: int, *, is_public: bool = True) -> VenueTrade:
    return VenueTrade("BTCUSDT", str(order), order, "1", "1", "buy", order * 10, is_public)


def mark(order: int) -> Mark:
    return Mark.of(trade(order))


def track(last: int | None = 10, *, is_dense: bool = True, waiting: int = 100) -> SequenceTrack:
    return SequenceTrack(
        "BTCUSDT",
        is_dense=is_dense,
        last=None if last is None else mark(last),
        waiting_trades_max=waiting,
    )


def offer(one: SequenceTrack, *orders: int, connection: int = 0) -> list[int]:
    out: list[VenueTrade] = []
    for order in orders:
        one.offer(trade(order), connection, out)
    return [each.order for each in out]


def fill(one: SequenceTrack, orders: list[int], told_to: int | None) -> list[int]:
    out: list[VenueTrade] = []
    one.fill(Step([trade(order) for order in orders], told_to), out)
    return [each.order for each in out]


def test_the_first_trade_is_where_it_begins() -> None:
    one = track(None)
    assert one.last is None
    assert offer(one, 50, 51) == [50, 51]
    assert one.last == mark(51)
    assert one.gap is None


def test_repeats_do_not_go_on() -> None:
    one = track()
    assert offer(one, 11, 11, 10, 12, 11) == [11, 12]
    assert one.repeats == 3


def test_what_comes_after_a_gap_waits_until_it_is_told() -> None:
    one = track()
    assert offer(one, 14, 15) == []
    assert one.gap == Gap(mark(10), mark(14))
    assert fill(one, [11, 12], 12) == [11, 12]
    assert one.gap == Gap(mark(12), mark(14))
    assert fill(one, [13], 13) == [13, 14, 15]
    assert one.gap is None
    assert not one.holes


def test_a_gap_may_close_by_itself() -> None:
    one = track()
    assert offer(one, 12, 11) == [11, 12]
    assert one.gap is None


def test_what_history_left_out_is_a_hole() -> None:
    one = track()
    offer(one, 16, 20)
    assert fill(one, [12, 13], 15) == [12, 13, 16]
    assert one.holes == [
        Hole("BTCUSDT", 11, 11, 1, NOT_IN_HISTORY), Hole("BTCUSDT", 14, 15, 2, NOT_IN_HISTORY),
    ]  # fmt: skip
    assert one.gap == Gap(mark(16), mark(20))


def test_a_gap_nobody_fills_becomes_a_hole() -> None:
    one = track()
    out: list[VenueTrade] = []
    offer(one, 14)
    one.give_up("no answer", out)
    assert [each.order for each in out] == [14]
    assert one.holes == [Hole("BTCUSDT", 11, 13, 3, "no answer")]


def test_the_older_part_of_a_wide_gap_is_given_up() -> None:
    one = track()
    offer(one, 1_000)
    one.shorten(100)
    assert one.holes == [Hole("BTCUSDT", 11, 899, 889, TOO_MANY)]
    gap = one.gap
    assert gap is not None
    assert gap.before is not None
    assert (gap.after.order, gap.before.order) == (899, 1_000)
    one.shorten(100)
    assert len(one.holes) == 1


def test_what_cannot_wait_is_part_of_the_next_gap() -> None:
    one = track(waiting=2)
    assert offer(one, 12, 13, 14, 15) == []
    assert one.postponed == 2
    assert fill(one, [11], 11) == [11, 12, 13]
    assert offer(one, 16) == []
    assert one.gap == Gap(mark(13), mark(16))


def test_an_id_that_is_none_of_the_market_goes_nowhere_but_counts() -> None:
    one = track()
    out: list[VenueTrade] = []
    one.offer(trade(11, is_public=False), 0, out)
    assert out == []
    assert offer(one, 12) == [12]


@pytest.mark.parametrize("is_dense", [True, False])
def test_an_exchange_may_begin_to_count_anew(*, is_dense: bool) -> None:
    one = track(1_000_000, is_dense=is_dense)
    out: list[VenueTrade] = []
    one.offer(VenueTrade("BTCUSDT", "5", 5, "1", "1", "buy", 10_000_000), 0, out)
    assert out == []
    assert one.repeats == 1
    one.offer(VenueTrade("BTCUSDT", "6", 6, "1", "1", "buy", 10_000_000 + BEGUN_ANEW_MS), 0, out)
    assert [each.order for each in out] == [6]
    assert [hole.reason for hole in one.holes] == [BEGUN_ANEW]
    assert one.gap is None


def test_rising_ids_are_asked_for_from_each_connection_on() -> None:
    one = track(10, is_dense=False)
    assert offer(one, 20, 22) == []
    assert one.gap == Gap(mark(10), mark(20))
    assert fill(one, [13, 17], 19) == [13, 17, 20, 22]
    assert offer(one, 30) == [30]
    assert offer(one, 35, connection=1) == []
    assert offer(one, 33) == []
    assert one.gap == Gap(mark(30), mark(35))
    assert fill(one, [33], 34) == [33, 35]
    assert offer(one, 40, connection=1) == [40]
    assert not one.holes


def test_two_connections_that_join_make_two_gaps() -> None:
    one = track(10, is_dense=False)
    offer(one, 30, connection=1)
    offer(one, 20, connection=2)
    assert one.gap == Gap(mark(10), mark(20))
    assert fill(one, [], 19) == [20]
    assert one.gap == Gap(mark(20), mark(30))
    assert fill(one, [25], 29) == [25, 30]


def test_a_number_that_has_left_joins_anew() -> None:
    one = track(10, is_dense=False)
    offer(one, 11)
    fill(one, [], 10)
    assert offer(one, 12) == [12]
    one.left(0)
    assert offer(one, 14) == []
    assert one.gap == Gap(mark(12), mark(14))


def test_rising_ids_that_cannot_wait_open_another_gap() -> None:
    one = track(10, is_dense=False, waiting=2)
    assert offer(one, 20, 21, 22) == []
    assert fill(one, [], 19) == [20, 21]
    assert offer(one, 25) == []
    assert one.gap == Gap(mark(21), mark(25))


@pytest.mark.parametrize("seed", range(30))
def test_any_order_of_live_and_told_trades_gives_each_once(seed: int) -> None:
    print("seed", seed)
    chance = random.Random(seed)
    one = track(0)
    live = [order for order in range(1, 200) if chance.random() < 0.7] + [200]
    for at in range(len(live) - 1):
        if chance.random() < 0.2:
            live[at], live[at + 1] = live[at + 1], live[at]
    found: list[int] = []
    for order in live:
        found += offer(one, *([order] * chance.choice([1, 1, 2])))
        gap = one.gap
        if gap is not None and gap.before is not None and chance.random() < 0.3:
            missing = list(range(gap.after.order + 1, gap.before.order))
            found += fill(one, missing, gap.before.order - 1)
    while (gap := one.gap) is not None:
        assert gap.before is not None
        found += fill(one, list(range(gap.after.order + 1, gap.before.order)), gap.before.order - 1)
    assert found == list(range(1, 201))
    assert not one.holes
