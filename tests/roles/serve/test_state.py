"""What a stateless API process says of itself, from the replica's places."""

import asyncio
from collections.abc import Iterable

from swapstats.adapters.memory.hot_store import MemoryHotStore
from swapstats.adapters.memory.token_feed import MemoryTokenFeed
from swapstats.errors import Transient
from swapstats.roles.serve.hearing import Hearing
from swapstats.roles.serve.state import ServeWatch

from .rig import OPTIONS, Rig, life, wholes


def begun(rig: Rig, hearing: Hearing | None = None) -> ServeWatch:
    """A watch whose replica may look."""
    watch = ServeWatch(rig.replica, rig.clock, 30_000, hearing)
    watch.waiting = None
    return watch


def test_it_waits_for_the_deployment_before_all_else() -> None:
    rig = Rig()
    watch = ServeWatch(rig.replica, rig.clock, 30_000)
    watch.waiting = "Expected a deployment, was none"
    assert not watch.readiness().ready
    assert watch.readiness().reason == "Expected a deployment, was none"
    watch.trouble = "Expected Redis, was nothing"
    assert watch.readiness().reason == "Expected Redis, was nothing"
    assert any("Expected Redis" in told for told in watch.service().warnings)
    rig.clock.advance(30_001)
    assert not watch.health().healthy
    watch.asked()
    assert watch.health().healthy, "a question that failed is the end of a question"


def test_it_is_ready_once_everything_was_read_and_something_found() -> None:
    rig = Rig()
    watch = begun(rig)
    assert watch.readiness().progress == 0.0
    rig.store.fails = lambda part: Transient("away") if part == 1 else None
    rig.look()
    state = watch.readiness()
    assert (state.ready, state.progress, state.reason) == (False, 0.5, "away")
    rig.store.fails = lambda _: None
    rig.clock.advance(OPTIONS.retry_ms_max)
    rig.look()
    state = watch.readiness()
    assert not state.ready
    assert state.reason is not None
    assert "nothing was written yet" in state.reason
    first, second = wholes(life(1))
    rig.put(second)
    rig.look()
    assert watch.readiness().ready
    assert watch.service().warnings == ("Nothing was written yet of partitions 0",)
    rig.put(first)
    rig.look()
    assert watch.service().warnings == ()


def test_the_status_shows_places_troubles_and_notes() -> None:
    rig = Rig()
    watch = begun(rig)
    watch.notes.append("a note")
    updates = wholes(life(1))
    for update in updates:
        rig.put(update, lag_ms=40)
    rig.look()
    state = watch.service()
    assert state.source is None
    assert [
        (p.partition, p.offset, p.end_offset, p.as_of_ms, p.ready) for p in state.partitions
    ] == [(update.partition, update.offset, update.offset, update.t_ms, True) for update in updates]
    assert state.counters == {"updates": 2, "failed_looks": 0}
    assert state.warnings == ("a note",)
    assert watch.lag_ms() == 40
    rig.store.fails = lambda _: Transient("Expected Redis, was nothing")
    rig.look()
    rig.clock.advance(6_960)
    told = watch.readiness()
    assert told.ready, "what is known is served"
    aged = "What is known is served with its age, 6.2 s now: Expected Redis, was nothing"
    assert told.warning == aged
    assert watch.service().warnings == ("a note", aged)
    rig.store.fails = lambda _: None
    rig.look()
    assert watch.readiness().warning is None


def test_a_store_that_is_away_for_long_asks_for_no_restart() -> None:
    """A restarted process would know nothing: this one knows all there was."""
    rig = Rig()
    watch = begun(rig)
    for update in wholes(life(1)):
        rig.put(update)
    rig.look()
    rig.store.fails = lambda _: Transient("Expected Redis, was nothing")
    for _ in range(100):
        rig.clock.advance(2_000)
        rig.look()
        assert watch.health().healthy
        assert watch.readiness().ready
    assert rig.replica.failed_looks == 100
    assert rig.replica.looks == 102
    rig.store.fails = lambda _: None
    rig.store.store = MemoryHotStore()
    rig.look()
    assert watch.readiness().ready, "an emptied store does not take back what is known"


def test_looks_that_do_not_end_are_unhealthy() -> None:
    rig = Rig()
    watch = begun(rig)
    rig.look()
    rig.clock.advance(30_000)
    assert watch.health().healthy
    rig.clock.advance(1)
    told = watch.health()
    assert not told.healthy
    assert told.reason == (
        "Expected a look at the hot store to end within 30000 ms, was none for 30001 ms"
    )
    rig.look()
    assert watch.health().healthy


async def test_a_feed_that_is_away_is_told() -> None:
    rig = Rig()
    heard = asyncio.Event()

    def wake(_: Iterable[int] | None) -> None:
        heard.set()

    hearing = Hearing(MemoryTokenFeed().subscriber(), wake)
    watch = begun(rig, hearing)
    (told,) = watch.service().warnings
    assert "NATS" in told
    assert watch.service().counters["heard"] == 0
