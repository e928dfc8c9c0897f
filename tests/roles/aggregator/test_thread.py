"""The aggregator's thread: how it begins, ends, and says why."""

import asyncio
import threading

import pytest
from tests.roles.aggregator.rig import START_MS, Rig, drain, swap

from swapstats.errors import OffsetGone
from swapstats.roles.aggregator.run import Aggregator
from swapstats.roles.aggregator.thread import AggregatorThread, set_from_thread
from swapstats.testing.eventually import eventually


class Told:
    """A thread, and what it told."""

    def __init__(self, aggregator: Aggregator) -> None:
        self.restored = threading.Event()
        self.ended = threading.Event()
        self.thread = AggregatorThread(aggregator, self.restored.set, self.ended.set)
        self.thread.start()


def test_it_restores_then_works_then_stops_with_a_checkpoint(rig: Rig) -> None:
    aggregator, _ = rig.aggregator()
    told = Told(aggregator)
    assert told.restored.wait(10)
    rig.append(swap(1, START_MS))
    aggregator.wake.set()
    eventually(lambda: aggregator.status.counters.get("applied"), 60_000, "the swap to be applied")
    assert told.thread.alive
    told.thread.stop()
    told.thread.join()
    assert told.ended.is_set()
    assert not told.thread.alive
    assert rig.checkpoints.load(0) is not None


def test_draining_ends_it_when_everything_is_applied(rig: Rig) -> None:
    rig.append(*(swap(n, START_MS) for n in range(200)))
    aggregator, _ = rig.aggregator(chunk_bytes_max=1_000)
    told = Told(aggregator)
    told.thread.drain()
    told.thread.join()
    assert aggregator.status.counters["applied"] == 200


def test_what_made_it_fail_is_raised_to_who_joins(rig: Rig) -> None:
    before, _ = rig.living()
    rig.append(swap(1, START_MS))
    drain(before)
    before.checkpoint()
    rig.append(*(swap(n, START_MS) for n in range(2, 5)))
    rig.log.trim(START_MS + 1, 0, rig.log.end_offsets())
    aggregator, _ = rig.aggregator()
    told = Told(aggregator)
    with pytest.raises(OffsetGone):
        told.thread.join()
    assert told.ended.is_set()
    assert not told.restored.is_set()


async def test_an_event_is_set_from_another_thread() -> None:
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    thread = threading.Thread(target=set_from_thread, args=(loop, event))
    thread.start()
    await asyncio.wait_for(event.wait(), 10)
    thread.join()


def test_a_loop_that_is_gone_needs_no_telling() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    event = asyncio.Event()
    set_from_thread(loop, event)
    assert not event.is_set()
