"""Events of a source: each at least once, over any end; nothing is left running."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from itertools import accumulate
from pathlib import Path

import pytest
from tests.collect.made_source import SIZES, TRADES, MadeSource, ids

from swapstats.adapters.embedded.collector_state import CollectorState
from swapstats.collect.events import Events
from swapstats.errors import Fenced, Rejected, StoreError
from swapstats.model.raw_event import ExchangeTrade
from swapstats.testing.eventually import eventually_async

TIMEOUT_MS = 60_000
BEGINS = [0, *accumulate(SIZES)]


def events_of(source: MadeSource, state: Path | None, name: str = "") -> Events[ExchangeTrade]:
    return Events(source, ExchangeTrade, state, name or None)


async def take(events: AsyncIterator[ExchangeTrade], count: int) -> list[ExchangeTrade]:
    return [await anext(events) for _ in range(count)]


def saved(path: Path) -> str | None:
    with closing(CollectorState(path, "made")) as state:
        return state.load()[0]


def state_threads() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("collector-state")]


async def test_all_of_them_come_in_order_and_the_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    source = MadeSource()
    events = events_of(source, path)
    assert (events.name, events.status().detail) == ("made", "made up")
    assert [trade async for trade in events] == TRADES
    assert saved(path) == str(len(SIZES))
    assert [trade async for trade in events] == []
    assert [trade async for trade in events_of(source, path)] == []
    notes = {f"batch {len(SIZES)}": str(len(TRADES))}
    assert source.opened == [(None, {}), (str(len(SIZES)), notes)]


@pytest.mark.parametrize("count", range(len(TRADES) + 1))
async def test_the_batch_under_way_comes_again(tmp_path: Path, count: int) -> None:
    path = tmp_path / "state.db"
    async with events_of(MadeSource(), path) as events:
        taken = await take(events, count)
    again = [trade async for trade in events_of(MadeSource(), path)]
    assert taken + again[count - len(TRADES) + len(again) :] == TRADES
    begin = max(begin for begin in BEGINS if begin <= max(0, count - 1))
    assert ids(again) == list(range(begin, len(TRADES)))


async def test_without_a_state_it_starts_anew() -> None:
    for _ in range(2):
        source = MadeSource()
        assert [trade async for trade in events_of(source, None)] == TRADES
        assert source.opened == [(None, {})]


async def test_names_keep_apart(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    for name in ("one", "other"):
        assert [trade async for trade in events_of(MadeSource(), path, name)] == TRADES


async def test_a_cancelled_task_leaves_nothing_behind(tmp_path: Path) -> None:
    source, got = MadeSource("wait"), []

    async def collect() -> None:
        async for trade in events_of(source, tmp_path / "state.db"):
            got.append(trade)  # noqa: PERF401 - one by one, to be seen

    task = asyncio.create_task(collect())
    await eventually_async(lambda: len(got) == len(TRADES), TIMEOUT_MS, "all trades")
    assert source.is_open
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not source.is_open
    assert not state_threads()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_loop_that_is_left_closes_what_it_opened(tmp_path: Path) -> None:
    source = MadeSource("wait")
    async for _trade in events_of(source, tmp_path / "state.db"):
        break
    await eventually_async(
        lambda: not source.is_open and not state_threads(), TIMEOUT_MS, "everything to be closed"
    )


async def test_a_cancel_waits_for_what_is_being_written(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    events = events_of(MadeSource("wait"), path)
    await take(events, SIZES[0])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(take(events, 1))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.sleep(0)
        assert not waiting.done()
        other.execute("ROLLBACK")
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert saved(path) == "1"
    assert not state_threads()


async def test_one_that_was_taken_over_from_ends(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    first = events_of(MadeSource(), path)
    await take(first, 1)
    async with events_of(MadeSource(), path) as second:
        await take(second, len(TRADES))
        with pytest.raises(Fenced, match="only collector of made"):
            await take(first, len(TRADES))
    assert saved(path) == "3"


async def test_what_is_wrong_with_the_state_is_told_first(tmp_path: Path) -> None:
    source = MadeSource()
    with pytest.raises(StoreError, match="collector state"):
        await take(events_of(source, tmp_path / "nowhere" / "state.db"), 1)
    assert not source.opened
    assert not state_threads()


async def test_what_ends_the_source_ends_the_loop(tmp_path: Path) -> None:
    events = events_of(MadeSource("fail"), tmp_path / "state.db")
    assert await take(events, len(TRADES)) == TRADES
    with pytest.raises(Rejected, match="Expected more"):
        await anext(events)
    assert [trade async for trade in events] == []


async def test_one_that_never_began_can_be_closed(tmp_path: Path) -> None:
    source = MadeSource()
    await events_of(source, tmp_path / "state.db").aclose()
    assert not source.opened
    assert not (tmp_path / "state.db").exists()
