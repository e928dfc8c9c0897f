"""Pages of history and the gap they close, in each way an exchange pages."""

import pytest

from swapstats.adapters.sources.exchange.gap import (
    NOT_IN_HISTORY,
    TOO_MANY,
    TOO_OLD,
    Gap,
    GapFill,
    Step,
)
from swapstats.adapters.sources.exchange.venue import IdRule, Mark, Paging, VenueTrade


def trade(order: int) -> VenueTrade:
    return VenueTrade("X", str(order), order, "1", "1", "buy", order)


def mark(order: int) -> Mark:
    return Mark.of(trade(order))


def rows(*orders: int) -> list[VenueTrade]:
    return [trade(order) for order in orders]


def filling(
    paging: Paging,
    after: int,
    before: int | None,
    rule: IdRule = IdRule.DENSE,
    trades_max: int = 1_000,
) -> GapFill:
    gap = Gap(mark(after), None if before is None else mark(before))
    return GapFill(gap, paging, rule, trades_max)


def orders(step: Step) -> list[int]:
    return [row.order for row in step.trades]


def test_forward_pages_go_on_at_once_up_to_the_gaps_end() -> None:
    fill = filling(Paging.FORWARD, 10, 15)
    step = fill.take(rows(11, 12))
    assert (orders(step), step.told_to, step.is_done) == ([11, 12], 12, False)
    assert fill.after == mark(12)
    step = fill.take(rows(13, 14, 15, 16))
    assert (orders(step), step.told_to, step.is_done) == ([13, 14], 14, True)


@pytest.mark.parametrize("page", [[], [9, 10]])
def test_an_answer_that_is_late_is_no_hole(page: list[int]) -> None:
    step = filling(Paging.FORWARD, 10, 15).take(rows(*page))
    assert step == Step(is_late=True)


def test_an_answer_past_the_gap_has_told_everything() -> None:
    step = filling(Paging.FORWARD, 10, 15).take(rows(12, 20))
    assert (orders(step), step.told_to, step.is_done) == ([12], 14, True)
    assert step.reason == NOT_IN_HISTORY


def test_dense_ids_need_only_the_last_one_missing() -> None:
    assert filling(Paging.FORWARD, 10, 12).take(rows(11)).is_done
    assert not filling(Paging.FORWARD, 10, 12, IdRule.ORDERED).take(rows(11)).is_done
    assert filling(Paging.FORWARD, 10, 12, IdRule.ORDERED).take(rows(11, 12)).is_done


def test_rising_ids_are_asked_for_up_to_a_bound() -> None:
    fill = filling(Paging.FORWARD, 10, 9_000, IdRule.ORDERED, trades_max=3)
    assert not fill.take(rows(20, 30)).is_done
    step = fill.take(rows(40))
    assert (step.is_done, step.told_to, step.reason) == (True, 8_999, TOO_MANY)


def test_backward_pages_wait_for_the_gaps_begin() -> None:
    fill = filling(Paging.BACKWARD, 10, 16)
    assert fill.take(rows(16, 15, 14)) == Step()
    assert fill.before == mark(14)
    step = fill.take(rows(14, 13, 11, 10))
    assert (orders(step), step.told_to, step.is_done) == ([11, 13, 14, 15], 15, True)
    assert step.reason == NOT_IN_HISTORY


def test_a_backward_answer_that_does_not_reach_the_end_is_late() -> None:
    fill = filling(Paging.BACKWARD, 10, 16)
    assert fill.take(rows(13, 12, 11)).is_late
    assert fill.take(rows(16, 15)) == Step()


@pytest.mark.parametrize("second", [[], [14, 15]])
def test_backward_pages_that_lead_nowhere_end(second: list[int]) -> None:
    fill = filling(Paging.BACKWARD, 10, 16)
    fill.take(rows(16, 15, 14))
    step = fill.take(rows(*second))
    assert (orders(step), step.is_done, step.reason) == ([14, 15], True, TOO_OLD)


def test_backward_pages_are_bounded() -> None:
    fill = filling(Paging.BACKWARD, 0, 100, IdRule.ORDERED, trades_max=2)
    step = fill.take(rows(100, 99, 98))
    assert (orders(step), step.is_done, step.reason) == ([98, 99], True, TOO_MANY)


def test_the_newest_page_is_all_there_is() -> None:
    step = filling(Paging.NEWEST, 10, 16).take(rows(13, 14, 15, 16))
    assert (orders(step), step.told_to, step.is_done) == ([13, 14, 15], 15, True)
    assert step.reason == TOO_OLD
    assert filling(Paging.NEWEST, 10, 16).take(rows(11, 16)).reason == NOT_IN_HISTORY
    assert filling(Paging.NEWEST, 10, 16).take(rows(13, 14)).is_late


@pytest.mark.parametrize("paging", list(Paging))
def test_without_an_end_a_page_says_what_came_since(paging: Paging) -> None:
    step = filling(paging, 10, None).take(rows(10, 11, 12))
    assert (orders(step), step.told_to, step.is_done) == ([11, 12], 12, True)
    step = filling(paging, 10, None).take(rows())
    assert (orders(step), step.told_to, step.is_done) == ([], 10, True)
