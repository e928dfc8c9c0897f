"""The replay: to the end of a source, and safe at any other end."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest
from tests.roles.aggregator.rig import KEY, START_MS, Rig, drain, held, swap

from swapstats.errors import OffsetGone, Rejected, StoreFull
from swapstats.model.record import MessageBlock
from swapstats.ports.observer import Silent
from swapstats.ports.source import NO_NOTES, SourceBatch, SourceStatus
from swapstats.roles.aggregator.run import Aggregator
from swapstats.roles.ingest import Ingest, by_token
from swapstats.roles.replay import replay
from swapstats.testing.eventually import eventually_async

MESSAGES = [swap(n, START_MS + 100 * n, f"T{n % 5}") for n in range(200)]


class FileLike:
    """Gives ten messages at a time; may fail or wait for good after some of them."""

    name = "file"

    def __init__(self, *, fails_at: int | None = None, stops_at: int | None = None) -> None:
        self._fails_at = fails_at
        self._stops_at = stops_at

    async def open(
        self,
        position: str | None,
        notes: Mapping[str, str] = NO_NOTES,
    ) -> AsyncIterator[SourceBatch]:
        for first in range(int(position or 0), len(MESSAGES), 10):
            if first == self._fails_at:
                raise Rejected("Expected readable text, was damaged")
            if first == self._stops_at:
                await asyncio.Event().wait()
            yield SourceBatch(MessageBlock.of(MESSAGES[first : first + 10]), str(first + 10))

    def status(self) -> SourceStatus:
        return SourceStatus("live", "a file")


class Run:
    """One life of a replay on the stores of a rig."""

    def __init__(self, rig: Rig) -> None:
        self.aggregator: Aggregator
        self.aggregator, _ = rig.aggregator(lambda: 0, event_clock=True)
        self.ingest = Ingest(
            rig.log, by_token(KEY), rig.clock.wall_ms, self.aggregator.wake.set, Silent()
        )
        self.shown = 0

    async def go(self, source: FileLike) -> int:
        try:
            return await replay(source, self.ingest, self.aggregator, self._show)
        finally:
            self.ingest.close()

    def _show(self) -> None:
        self.shown += 1


async def test_everything_is_read_applied_and_checkpointed(wide_rig: Rig) -> None:
    run = Run(wide_rig)
    newest_ms = START_MS + 100 * 199
    assert await run.go(FileLike()) == newest_ms
    assert run.aggregator.status.counters["applied"] == 200
    assert held(run.aggregator) == wide_rig.recounted(newest_ms)
    assert {shard.t_ms for shard in run.aggregator.shards.values()} == {newest_ms}
    assert run.shown > 0
    saved = [wide_rig.checkpoints.load(partition) for partition in range(3)]
    assert [one.header.next_offset for one in saved if one] == wide_rig.log.end_offsets()


async def test_the_same_again_changes_nothing(wide_rig: Rig) -> None:
    first = await Run(wide_rig).go(FileLike())
    again = Run(wide_rig)
    assert await again.go(FileLike()) == first
    assert sum(wide_rig.log.end_offsets()) == 200
    assert again.aggregator.status.counters["ingested"] == 200
    assert held(again.aggregator) == wide_rig.recounted(first)


async def test_a_source_that_fails_leaves_what_was_read_safe(rig: Rig) -> None:
    with pytest.raises(Rejected, match="damaged"):
        await Run(rig).go(FileLike(fails_at=70))
    assert rig.log.position("file") == "70"
    assert rig.log.end_offsets() == [70]
    run = Run(rig)
    t_ms = await run.go(FileLike())
    assert sum(rig.log.end_offsets()) == 200
    assert held(run.aggregator) == rig.recounted(t_ms)


async def test_a_cancelled_replay_leaves_a_checkpoint_and_goes_on(rig: Rig) -> None:
    run = Run(rig)
    task = asyncio.create_task(run.go(FileLike(stops_at=120)))
    await eventually_async(
        lambda: run.aggregator.status.counters.get("applied") == 120,
        60_000,
        "all that was read to be applied",
    )
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    saved = rig.checkpoints.load(0)
    assert saved is not None
    assert saved.header.next_offset == 120
    again = Run(rig)
    await again.go(FileLike())
    assert again.aggregator._owned[0].begun == 120
    assert sum(rig.log.end_offsets()) == 200


async def test_what_stops_the_aggregator_stops_the_replay(rig: Rig) -> None:
    def full(letters: object) -> None:
        raise StoreFull("no room for dead letters")

    rig.letters.put = full  # type: ignore[method-assign] # a full disk
    rig.append(b"bad")
    with pytest.raises(StoreFull, match="dead letters"):
        await Run(rig).go(FileLike(stops_at=0))


async def test_nothing_is_appended_before_the_log_was_held_against_the_checkpoints(
    rig: Rig,
) -> None:
    """Appending first would hide that the log has lost its end."""
    before, _ = rig.living(now_ms=lambda: 0, event_clock=True)
    rig.append(swap(1, START_MS))
    drain(before)
    before.checkpoint()
    rig.append(*(swap(n, START_MS) for n in range(2, 5)))
    rig.log.trim(START_MS + 1, 0, rig.log.end_offsets())
    with pytest.raises(OffsetGone):
        await Run(rig).go(FileLike())
    assert rig.log.position("file") is None
    assert rig.log.end_offsets() == [4]
