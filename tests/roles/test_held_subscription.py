"""Records wait in the log while there is no room for what they lead to."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.roles.aggregator.group_rig import Member, group_rig
from tests.roles.aggregator.rig import START_MS, swap

from swapstats.errors import Transient
from swapstats.model.record import RecordBatch
from swapstats.ports.swap_subscription import SwapSubscription
from swapstats.roles import held_subscription
from swapstats.roles.held_subscription import HeldSubscription


def test_records_are_given_while_there_is_room(tmp_path: Path) -> None:
    with contextlib.ExitStack() as closing:
        rig, store = group_rig(tmp_path, 2)
        closing.callback(rig.close)
        room = [True]
        held: list[HeldSubscription] = []

        def hold(subscription: SwapSubscription) -> SwapSubscription:
            held.append(HeldSubscription(subscription, lambda: room[0]))
            return held[0]

        member = Member(rig, store, closing, through=hold)
        member.given.give(0, 1)
        rig.append(*(swap(n, START_MS, token=f"T{n % 5}") for n in range(20)))
        member.work()
        assert sum(shard.next_offset for shard in member.aggregator.shards.values()) == 20
        room[0] = False
        rig.append(*(swap(n, START_MS, token=f"T{n % 5}") for n in range(20, 40)))
        for _ in range(3):
            assert member.aggregator.turn() == 0
        assert held[0].held_polls == 3
        assert sum(shard.next_offset for shard in member.aggregator.shards.values()) == 20
        assert sum(place.end_offset for place in member.aggregator.status.places) == 40
        room[0] = True
        member.work()
        assert sum(shard.next_offset for shard in member.aggregator.shards.values()) == 40


def test_a_log_that_is_away_need_not_know_how_far_it_is() -> None:
    asked = Asked()
    asked.error = Transient("Expected Redis, was none")
    HeldSubscription(asked, lambda: True).commit({0: 5})
    assert asked.told == [{0: 5}]


def test_what_keeps_records_from_coming_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, room = Asked(), [True]
    subscription = HeldSubscription(asked, lambda: room[0])
    subscription.poll(0)
    assert subscription.waits_for == ""
    for room[0], hold in ((False, False), (True, True)):
        subscription.poll(0, hold=hold)
        assert "room" in subscription.waits_for
    asked.error = Transient("Expected brokers, was none")
    with pytest.raises(Transient):
        subscription.poll(0)
    asked.error = None
    subscription.poll(0)
    assert subscription.waits_for == "Expected brokers, was none", "no records came since"
    assert subscription.is_away
    monkeypatch.setattr(held_subscription, "AWAY_S", 0.0)
    assert not subscription.is_away
    assert subscription.waits_for == ""


class Asked:
    """A subscription that notes what it is asked."""

    partition_count = 7

    def __init__(self) -> None:
        self.told: list[object] = []
        self.error: Transient | None = None

    def poll(self, timeout_ms: int, *, hold: bool = False) -> list[RecordBatch]:
        self.told.append((timeout_ms, hold))
        if self.error is not None:
            raise self.error
        return []

    def start_offsets(self) -> Mapping[int, int]:
        return {1: 2}

    def end_offsets(self) -> Mapping[int, int]:
        return {1: 9}

    def commit(self, offsets: Mapping[int, int]) -> None:
        self.told.append(offsets)
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        self.told.append("closed")


def test_all_else_is_the_subscription_itself() -> None:
    asked = Asked()
    subscription = HeldSubscription(asked, lambda: True)
    assert subscription.partition_count == 7
    assert subscription.poll(3) == []
    assert subscription.poll(4, hold=True) == []
    assert (subscription.start_offsets(), subscription.end_offsets()) == ({1: 2}, {1: 9})
    subscription.commit({1: 5})
    subscription.close()
    assert asked.told == [(3, False), (4, True), {1: 5}, "closed"]
