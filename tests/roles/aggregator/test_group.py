"""A group: hand-over, zombies, stores that are away; what readers see is always right and newer."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from tests.roles.aggregator.group_rig import AwayStore, Member, group_rig, shown
from tests.roles.aggregator.rig import START_MS, Rig, swap

from swapstats.errors import Fenced
from swapstats.roles.aggregator import run as loop
from swapstats.roles.aggregator.taken_over import TakenOver

PARTITIONS = 3


@pytest.fixture
def closing() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def rig_and_store(tmp_path: Path, closing: contextlib.ExitStack) -> tuple[Rig, AwayStore]:
    rig, store = group_rig(tmp_path, PARTITIONS)
    closing.callback(rig.close)
    return rig, store


def feed(rig: Rig, first: int, count: int) -> None:
    for number in range(first, first + count):
        rig.append(swap(number, START_MS + number, token=f"T{number % 7}"))


def test_a_member_serves_what_it_was_given(
    rig_and_store: tuple[Rig, AwayStore], closing: contextlib.ExitStack
) -> None:
    rig, store = rig_and_store
    feed(rig, 0, 60)
    member = Member(rig, store, closing)
    assert not member.aggregator.status.places
    member.given.give(0, 1, 2)
    member.work()
    assert member.aggregator.status.ready
    assert shown(rig, store.store) == rig.recounted(START_MS)
    assert {update.key for update in member.heard.updates} == {f"T{n}" for n in range(7)}
    assert all(update.whole for update in store.puts[:PARTITIONS])


def test_hand_over_loses_and_doubles_nothing(
    rig_and_store: tuple[Rig, AwayStore], closing: contextlib.ExitStack
) -> None:
    rig, store = rig_and_store
    first, second = Member(rig, store, closing), Member(rig, store, closing)
    first.given.give(0, 1, 2)
    feed(rig, 0, 50)
    first.work()
    first.given.revoke(1, 2)
    assert list(first.aggregator.shards) == [0]
    second.given.give(1, 2)
    assert [shard.epoch for shard in second.aggregator.shards.values()] == [2, 2]
    feed(rig, 50, 50)
    first.work()
    second.work()
    assert shown(rig, store.store) == rig.recounted(START_MS)
    assert sum(shard.counters["duplicates"] for shard in second.aggregator.shards.values()) == 0


def test_a_zombie_is_refused_everywhere_and_steps_back(
    rig_and_store: tuple[Rig, AwayStore], closing: contextlib.ExitStack
) -> None:
    """It was paused, another took over, and it goes on before the group tells it."""
    rig, store = rig_and_store
    zombie, owner = Member(rig, store, closing), Member(rig, store, closing)
    zombie.given.give(0, 1, 2)
    feed(rig, 0, 30)
    zombie.work()
    owner.given.give(0, 1, 2)
    feed(rig, 30, 30)
    owner.work()
    before = shown(rig, store.store)
    zombie.work()
    zombie.turn()
    zombie.given.revoke(0)
    assert zombie.publisher.stale_writes + zombie.aggregator.stale_saves >= PARTITIONS
    assert zombie.aggregator.shards == {}
    assert shown(rig, store.store) == before == rig.recounted(START_MS)
    checkpoint = rig.checkpoints.load(0)
    assert checkpoint is not None
    assert checkpoint.header.epoch == 2


def test_a_member_that_was_taken_over_and_never_told_gives_up(
    rig_and_store: tuple[Rig, AwayStore],
    closing: contextlib.ExitStack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "TakenOver", lambda: TakenOver(0.0))
    rig, store = rig_and_store
    zombie, owner = Member(rig, store, closing), Member(rig, store, closing)
    zombie.given.give(0)
    zombie.work()
    owner.given.give(0)
    owner.work()
    with pytest.raises(Fenced, match="second group"):
        for _ in range(1_000):
            rig.clock.advance(1_000)
            zombie.work()


def test_lost_partitions_are_dropped_without_a_checkpoint(
    rig_and_store: tuple[Rig, AwayStore], closing: contextlib.ExitStack
) -> None:
    rig, store = rig_and_store
    member = Member(rig, store, closing)
    member.given.give(0)
    member.given.lose(0)
    assert member.aggregator.shards == {}
    assert rig.checkpoints.load(0) is None


def test_nothing_is_shown_before_it_passes_what_was_shown(
    rig_and_store: tuple[Rig, AwayStore], closing: contextlib.ExitStack
) -> None:
    """The checkpoint is old, the hot store newer: readers never see an offset or a T go back."""
    rig, store = rig_and_store
    first = Member(rig, store, closing)
    first.given.give(0, 1, 2)
    feed(rig, 0, 20)
    first.work()
    first.given.revoke(0, 1, 2)
    first.given.give(0, 1, 2)
    saved = {p: rig.checkpoints.load(p) for p in range(PARTITIONS)}
    feed(rig, 20, 200)
    rig.clock.advance(5_000)
    while first.turn():
        pass
    assert first.publisher.flush(10_000)
    heads = {p: store.head(p) for p in range(PARTITIONS)}
    for partition, checkpoint in saved.items():
        assert checkpoint is not None
        head = heads[partition]
        assert head is not None
        assert head.offset > checkpoint.header.next_offset
    store.puts.clear()
    second = Member(rig, store, closing)
    rig.clock.advance(1)
    second.given.give(0, 1, 2)
    second.work()
    for update in store.puts:
        head = heads[update.partition]
        assert head is not None
        assert (update.offset, update.t_ms) >= (head.offset, head.t_ms)
    assert shown(rig, store.store) == rig.recounted(rig.clock.wall_ms())


def test_while_the_hot_store_is_away_the_stream_goes_on_and_heals_whole(
    rig_and_store: tuple[Rig, AwayStore], closing: contextlib.ExitStack
) -> None:
    rig, store = rig_and_store
    member = Member(rig, store, closing)
    member.given.give(0, 1, 2)
    feed(rig, 0, 30)
    member.work()
    store.is_away = True
    feed(rig, 30, 30)
    member.work()
    feed(rig, 60, 30)
    member.work()
    assert member.publisher.problem
    assert sum(s.next_offset for s in member.aggregator.shards.values()) == 90
    store.is_away = False
    rig.clock.advance(100)
    for _ in range(3):
        member.work()
    assert member.publisher.problem == ""
    assert shown(rig, store.store) == rig.recounted(rig.clock.wall_ms())


@pytest.mark.parametrize("seed", range(6))
def test_any_course_of_hand_overs_ends_right(
    rig_and_store: tuple[Rig, AwayStore], closing: contextlib.ExitStack, seed: int
) -> None:
    print("seed", seed)
    rng = Random(seed)
    rig, store = rig_and_store
    members = [Member(rig, store, closing) for _ in range(3)]
    owner: dict[int, Member] = {}
    fed = 0
    for _ in range(40):
        kind = rng.randrange(5)
        partition, member = rng.randrange(PARTITIONS), rng.choice(members)
        if kind == 0:
            count = rng.randrange(1, 15)
            feed(rig, fed, count)
            fed += count
        elif kind == 1:
            rig.clock.advance(rng.choice((1, 500, 7_000)))
        elif kind == 2 and owner.get(partition) is not member:
            if partition in owner:
                leave = owner.pop(partition).given
                (leave.revoke if rng.random() < 0.6 else leave.lose)(partition)
            member.given.give(partition)
            owner[partition] = member
        elif kind == 3:
            store.is_away = rng.random() < 0.3 and bool(owner)
            member.work()
            store.is_away = False
        else:
            member.work()
    for partition in range(PARTITIONS):
        if partition not in owner:
            members[0].given.give(partition)
            owner[partition] = members[0]
    rig.clock.advance(1)
    for _ in range(3):
        for member in members:
            member.work()
    assert shown(rig, store.store) == rig.recounted(rig.clock.wall_ms())


def test_a_stop_leaves_checkpoints_of_everything(
    rig_and_store: tuple[Rig, AwayStore], closing: contextlib.ExitStack
) -> None:
    rig, store = rig_and_store
    member = Member(rig, store, closing)
    member.given.give(0, 1, 2)
    feed(rig, 0, 40)
    member.work()
    stop = threading.Event()
    stop.set()
    member.aggregator.run(stop)
    member.aggregator.leave()
    saved = [rig.checkpoints.load(partition) for partition in range(PARTITIONS)]
    assert [one.header.next_offset for one in saved if one] == rig.log.end_offsets()
