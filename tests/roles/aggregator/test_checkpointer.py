"""Checkpoints in a thread of their own: what could not be written is in the next one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.roles.aggregator.rig import START_MS, Rig, Watched, swap

from swapstats.core.shard import Shard
from swapstats.errors import Fenced, Transient
from swapstats.model.checkpoint import CheckpointDelta
from swapstats.roles.aggregator.checkpointer import Checkpointer
from swapstats.roles.aggregator.options import AggregatorOptions
from swapstats.roles.aggregator.restore import restore_shard


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    one = Rig(tmp_path)
    yield one
    one.close()


def grown(rig: Rig, shard: Shard, count: int) -> None:
    """Append and apply some swaps."""
    for number in range(shard.next_offset, shard.next_offset + count):
        rig.append(swap(number, START_MS, token=f"T{number}"))
    while batch := rig.log.read(0, shard.next_offset, 1 << 20):
        shard.apply(batch, START_MS)


def restored(rig: Rig) -> Shard:
    first, end = rig.log.start_offsets()[0], rig.log.end_offsets()[0]
    return restore_shard(rig.config, first, end, rig.checkpoints, AggregatorOptions(), START_MS)


def test_after_a_failure_the_next_checkpoint_holds_everything(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = restored(rig)
    checkpointer = Checkpointer(rig.checkpoints, Watched())
    grown(rig, shard, 5)
    checkpointer.begin([shard])
    assert [one.error for one in checkpointer.wait()] == [None]
    grown(rig, shard, 5)
    with monkeypatch.context() as away:

        def fail(delta: CheckpointDelta) -> None:
            raise Transient("the store is away")

        away.setattr(rig.checkpoints, "save", fail)
        checkpointer.begin([shard])
        (outcome,) = checkpointer.wait()
        assert isinstance(outcome.error, Transient)
    grown(rig, shard, 5)
    checkpointer.begin([shard])
    assert [one.next_offset for one in checkpointer.wait()] == [15]
    checkpointer.close()
    again = restored(rig)
    assert again.next_offset == 15
    assert again.live_tokens() == shard.live_tokens()
    assert len(again.live_tokens()) == 15


def test_outcomes_are_taken_once_and_when_they_are_there(rig: Rig) -> None:
    shard, watched = restored(rig), Watched()
    checkpointer = Checkpointer(rig.checkpoints, watched)
    assert checkpointer.take() == checkpointer.wait() == []
    checkpointer.begin([])
    assert not checkpointer.is_saving
    grown(rig, shard, 1)
    checkpointer.begin([shard])
    assert checkpointer.is_saving
    assert len(checkpointer.wait()) == 1
    assert not checkpointer.is_saving
    assert checkpointer.take() == []
    assert watched.snapshots == [0]
    checkpointer.close()


def test_a_newer_owner_is_an_outcome(rig: Rig) -> None:
    shard = restored(rig)
    grown(rig, shard, 1)
    rig.checkpoints.acquire(0)
    checkpointer = Checkpointer(rig.checkpoints, Watched())
    checkpointer.begin([shard])
    (outcome,) = checkpointer.wait()
    assert isinstance(outcome.error, Fenced)
    assert (outcome.partition, outcome.epoch) == (0, 1)
    checkpointer.close()
