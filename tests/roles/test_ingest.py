"""Ingest: messages and position in one transaction, whatever becomes of the pump."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
from tests.roles.aggregator.rig import KEY, START_MS, swap

from swapstats.adapters.embedded.log import EmbeddedSwapLog
from swapstats.core.decode import partition_of_key
from swapstats.errors import Rejected, StoreFull
from swapstats.model.record import MessageBlock
from swapstats.ports.source import NO_NOTES, SourceBatch, SourceStatus
from swapstats.roles.ingest import Ingest, by_token
from swapstats.testing.eventually import eventually_async
from swapstats.testing.faults import Fault, FaultPlan

PARTITIONS = 4


class ListSource:
    """Gives prepared batches; the position is how many messages were given."""

    def __init__(self, *batches: list[bytes], name: str = "list", fails: bool = False) -> None:
        self.name = name
        self.opened_at: list[str | None] = []
        self._batches = batches
        self._fails = fails

    async def open(
        self,
        position: str | None,
        notes: Mapping[str, str] = NO_NOTES,
    ) -> AsyncIterator[SourceBatch]:
        self.opened_at.append(position)
        given = 0
        for batch in self._batches:
            given += len(batch)
            if given > int(position or 0):
                yield SourceBatch(MessageBlock.of(batch), str(given))
        if self._fails:
            raise Rejected("Expected a readable line, was damaged")

    def status(self) -> SourceStatus:
        return SourceStatus("live", "a list")


class Told:
    """Counts what the ingest tells."""

    def __init__(self) -> None:
        self.appended_calls: list[tuple[str, int, int]] = []
        self.woken = 0

    def appended(self, source: str, messages: int, size_bytes: int) -> None:
        self.appended_calls.append((source, messages, size_bytes))

    def wake(self) -> None:
        self.woken += 1


class Pumping:
    """A real log in a directory, and an ingest into it."""

    def __init__(self, path: Path, plan: FaultPlan | None = None) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.inside = threading.Event()
        self._plan = plan or FaultPlan()
        self.log = EmbeddedSwapLog(path / "log.db", PARTITIONS, faults=self._step)
        self.told = Told()
        self.ingest = Ingest(self.log, by_token(KEY), lambda: START_MS, self.told.wake, self.told)

    def _step(self, point: str) -> None:
        self._plan(point)
        if point == "log.group":
            self.inside.set()
            assert self.gate.wait(10)

    def messages(self) -> list[list[bytes]]:
        """Everything in the log, by partition."""
        found: list[list[bytes]] = []
        for partition in range(PARTITIONS):
            batch = self.log.read(partition, 0, 1 << 30)
            found.append([batch.message(row) for row in range(len(batch))] if batch else [])
        return found

    def close(self) -> None:
        self.gate.set()
        self.ingest.close()
        self.log.close()


@pytest.fixture
def pumping(tmp_path: Path) -> Iterator[Pumping]:
    made = Pumping(tmp_path)
    yield made
    made.close()


async def test_messages_lie_in_the_partition_of_their_key_in_order(pumping: Pumping) -> None:
    batches = [[swap(n, START_MS + n, f"T{n % 9}") for n in range(i, i + 10)] for i in (0, 10, 20)]
    await pumping.ingest.pump(ListSource(*batches))
    expected: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
    for number in range(30):
        message = swap(number, START_MS + number, f"T{number % 9}")
        expected[partition_of_key(f"T{number % 9}", PARTITIONS)].append(message)
    assert pumping.messages() == expected
    assert sum(1 for part in expected if part) > 1
    sizes = [sum(map(len, batch)) for batch in batches]
    assert pumping.told.appended_calls == [("list", 10, size) for size in sizes]
    assert pumping.told.woken == 3


async def test_a_bad_message_is_kept_like_any_other(pumping: Pumping) -> None:
    await pumping.ingest.pump(ListSource([b"bad", b"", b"\xff", swap(1, START_MS)]))
    kept = [message for part in pumping.messages() for message in part]
    assert sorted(kept) == sorted([b"bad", b"", b"\xff", swap(1, START_MS)])


async def test_a_source_goes_on_from_its_position(pumping: Pumping, tmp_path: Path) -> None:
    batches = [[swap(n, START_MS)] for n in range(4)]
    first = ListSource(*batches[:2])
    await pumping.ingest.pump(first)
    assert pumping.log.position("list") == "2"
    again = ListSource(*batches)
    other = ListSource(batches[3], name="other")
    await pumping.ingest.pump(again)
    await pumping.ingest.pump(other)
    assert (first.opened_at, again.opened_at, other.opened_at) == ([None], ["2"], [None])
    assert pumping.log.position("list") == "4"
    assert pumping.log.position("other") == "1"
    assert sum(pumping.log.end_offsets()) == 5


class NotingSource:
    """Gives prepared notes, and remembers what it was given back."""

    name = "noting"

    def __init__(self, *notes: Mapping[str, str | None]) -> None:
        self.opened_with: list[dict[str, str]] = []
        self._notes = notes

    async def open(
        self, position: str | None, notes: Mapping[str, str] = NO_NOTES
    ) -> AsyncIterator[SourceBatch]:
        assert position in {None, "at"}
        self.opened_with.append(dict(notes))
        for noted in self._notes:
            yield SourceBatch(MessageBlock.of([]), "at", noted)

    def status(self) -> SourceStatus:
        return SourceStatus("live", "notes")


async def test_a_source_gets_back_what_it_noted_and_did_not_forget(pumping: Pumping) -> None:
    source = NotingSource({"a": "1", "b": "2"}, {"a": None, "c/d": "3"})
    await pumping.ingest.pump(source)
    await pumping.ingest.pump(ListSource([swap(1, START_MS)], name="noting/a"))
    await pumping.ingest.pump(ListSource([swap(1, START_MS)], name="noting2"))
    assert pumping.log.positions("noting/") == {
        "noting/b": "2",
        "noting/c/d": "3",
        "noting/a": "1",
    }
    await pumping.ingest.pump(source)
    assert source.opened_with == [{}, {"a": "1", "b": "2", "c/d": "3"}]


class StoppingLog:
    """A log without transactions: a kill leaves the first few of what is noted."""

    partition_count = PARTITIONS

    def __init__(self, noted_max: int) -> None:
        self.noted: dict[str, str | None] = {}
        self._left = noted_max

    def position(self, source: str) -> str | None:
        return self.noted.get(source)

    def positions(self, prefix: str) -> dict[str, str]:
        return {}

    def append(
        self, block: object, partitions: object, now_ms: int, positions: Mapping[str, str | None]
    ) -> None:
        for name, text in positions.items():
            if not self._left:
                raise StoreFull("stopped")
            self._left -= 1
            self.noted[name] = text


@pytest.mark.parametrize("noted_max", range(4))
async def test_a_position_is_never_there_without_its_notes(noted_max: int) -> None:
    log, told = StoppingLog(noted_max), Told()
    ingest = Ingest(log, by_token(KEY), lambda: START_MS, told.wake, told)  # type: ignore[arg-type]
    try:
        with contextlib.suppress(StoreFull):
            await ingest.pump(NotingSource({"block/1": "1", "block/2": "2"}))
        assert len(log.noted) == noted_max
        assert (log.position("noting") is not None) == (noted_max == 3)
    finally:
        ingest.close()


@pytest.mark.parametrize("point", ["log.begin", "log.group", "log.positions", "log.commit"])
async def test_a_full_disk_takes_neither_messages_nor_position(tmp_path: Path, point: str) -> None:
    pumping = Pumping(tmp_path, FaultPlan([Fault(point, "full", nth=2)]))
    try:
        batches = [[swap(0, START_MS)], [swap(1, START_MS)]]
        with pytest.raises(StoreFull):
            await pumping.ingest.pump(ListSource(*batches))
        assert pumping.log.position("list") == "1"
        assert sum(pumping.log.end_offsets()) == 1
        assert pumping.told.woken == 1
        await pumping.ingest.pump(ListSource(*batches))  # after making room
        assert pumping.log.position("list") == "2"
        assert sum(pumping.log.end_offsets()) == 2
    finally:
        pumping.close()


async def test_a_source_that_fails_leaves_what_it_gave(pumping: Pumping) -> None:
    with pytest.raises(Rejected, match="damaged"):
        await pumping.ingest.pump(ListSource([swap(1, START_MS)], fails=True))
    assert pumping.log.position("list") == "1"


async def test_a_cancelled_pump_does_not_lose_the_running_append(pumping: Pumping) -> None:
    pumping.gate.clear()
    source = ListSource([swap(1, START_MS)], [swap(2, START_MS)])
    pump = asyncio.create_task(pumping.ingest.pump(source))
    await eventually_async(pumping.inside.is_set, 60_000, "an append to be half done")
    pump.cancel()
    done, _ = await asyncio.wait((pump,), timeout=0.05)
    assert not done, "it waits for the append"
    pumping.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await pump
    assert pumping.log.position("list") == "1"
    assert sum(pumping.log.end_offsets()) == 1
    assert pumping.told.woken == 1


async def test_other_work_on_the_log_runs_between_two_appends(pumping: Pumping) -> None:
    pumping.gate.clear()
    pump = asyncio.create_task(pumping.ingest.pump(ListSource([swap(1, START_MS)])))
    await eventually_async(pumping.inside.is_set, 60_000, "an append to be half done")
    seen: list[int] = []
    work = asyncio.create_task(
        pumping.ingest.run_on_writer(lambda: seen.append(sum(pumping.log.end_offsets())))
    )
    done, _ = await asyncio.wait((work,), timeout=0.05)
    assert not done
    pumping.gate.set()
    await asyncio.gather(pump, work)
    assert seen == [1]


async def test_work_that_fails_is_told_to_who_asked(pumping: Pumping) -> None:
    def fail() -> None:
        raise StoreFull("no room to trim")

    with pytest.raises(StoreFull):
        await pumping.ingest.run_on_writer(fail)


async def test_closing_waits_for_the_running_append(tmp_path: Path) -> None:
    pumping = Pumping(tmp_path)
    pumping.gate.clear()
    pump = asyncio.create_task(pumping.ingest.pump(ListSource([swap(1, START_MS)])))
    await eventually_async(pumping.inside.is_set, 60_000, "an append to be half done")
    closing = asyncio.create_task(asyncio.to_thread(pumping.ingest.close))
    done, _ = await asyncio.wait((closing,), timeout=0.05)
    assert not done
    pumping.gate.set()
    await asyncio.gather(closing, pump)
    assert sum(pumping.log.end_offsets()) == 1
    pumping.log.close()
