"""Guarded ports: the same answers; while Redis is away, what does not need it goes on."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.roles.aggregator.group_rig import Member, group_rig, shown
from tests.roles.aggregator.rig import START_MS, swap

from swapstats.adapters.redis.checkpoints import RedisCheckpointStore
from swapstats.adapters.redis.hot_store import RedisHotStore
from swapstats.adapters.system_clock import SystemClock
from swapstats.core.circuit_breaker import CircuitBreaker
from swapstats.errors import Fenced, Transient, UsageError
from swapstats.ports.archive import Archive, ArchiveJournal
from swapstats.ports.checkpoint_store import CheckpointStore
from swapstats.ports.dead_letters import DeadLetterSink
from swapstats.ports.hot_store import HotStore, HotStoreReader
from swapstats.ports.pair_memory import PairMemory
from swapstats.roles.dependency import Dependency
from swapstats.roles.guarded import (
    GuardedArchive,
    GuardedCheckpoints,
    GuardedHotStore,
    GuardedHotStoreReader,
    GuardedJournal,
    GuardedLetters,
    GuardedPairs,
)
from swapstats.stack.redis import RedisServer
from swapstats.testing.eventually import eventually
from swapstats.testing.manual_clock import ManualClock

WAIT_MS = 60_000
PARTITIONS = 3


class Behind:
    """Anything: says what it was asked, or fails."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.error: Exception | None = None
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        def ask(*args: Any, **kwargs: Any) -> Any:
            self.asked.append((verb, *args, *kwargs.values()))
            if self.error is not None:
                raise self.error
            return self.asked[-1]

        return ask


def guard(name: str = "it", failures_max: int = 1, open_ms: int = 1_000) -> Dependency:
    return Dependency(name, CircuitBreaker(failures_max, open_ms, 1), ManualClock())


def hot_store(behind: Any) -> HotStore:
    return GuardedHotStore(behind, guard())


def hot_store_reader(behind: Any) -> HotStoreReader:
    return GuardedHotStoreReader(behind, guard())


def checkpoints(behind: Any) -> CheckpointStore:
    return GuardedCheckpoints(behind, guard())


def letters(behind: Any) -> DeadLetterSink:
    return GuardedLetters(behind, guard())


def archive(behind: Any) -> Archive:
    return GuardedArchive(behind, guard())


def journal(behind: Any) -> ArchiveJournal:
    return GuardedJournal(behind, guard())


def pairs(behind: Any) -> PairMemory:
    return GuardedPairs(behind, guard())


@pytest.mark.parametrize(
    ("wrap", "calls"),
    [
        (hot_store, [("put", "update", 5, 6), ("head", 1), ("changes", 1, 2)]),
        (hot_store_reader, [("head", 1), ("changes", 1, 2)]),
        (checkpoints, [("load", 1), ("acquire", 1), ("save", "delta")]),
        (letters, [("put", "letters")]),
        (pairs, [("decide", 1, 2, 3, 4, 5)]),
        (archive, [("insert", "batch"), ("verify", "batch"), ("end_offset", 1)]),
        (journal, [("acquire", 1, 2), ("note", "n"), ("notes", 1), ("forget", 1, 9)]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_verb_passes_and_is_refused_while_open(
    wrap: Callable[[Any], Any], calls: list[tuple[Any, ...]]
) -> None:
    for call in calls:
        behind = Behind()
        guarded = wrap(behind)
        assert getattr(guarded, call[0])(*call[1:]) in (None, behind.asked[-1])
        assert behind.asked[-1][: len(call)] == call
        behind.error = Fenced("an answer, not a failure")
        with pytest.raises(Fenced):
            getattr(guarded, call[0])(*call[1:])
        behind.error = Transient("away")
        with pytest.raises(Transient, match="away"):
            getattr(guarded, call[0])(*call[1:])
        count = len(behind.asked)
        with pytest.raises(Transient, match="it to answer, was given up"):
            getattr(guarded, call[0])(*call[1:])
        assert len(behind.asked) == count
        if hasattr(guarded, "close"):
            guarded.close()
            assert behind.is_closed, "closing is never refused"


def test_checkpoints_of_the_revision_before_are_asked_for() -> None:
    behind: Any = Behind()
    GuardedCheckpoints(behind, guard()).load(2, previous=True)
    assert behind.asked == [("load", 2, True)]


def test_puts_are_timed_but_not_those_that_were_refused() -> None:
    behind: Any = Behind()
    took: list[float] = []
    update: Any = "update"
    store = GuardedHotStore(behind, guard(), took.append)
    store.put(update, 1, 1)
    behind.error = Transient("away")
    for _ in range(3):
        with pytest.raises(Transient):
            store.put(update, 1, 1)
    assert len(took) == 2
    assert all(one >= 0 for one in took)


class Guarded:
    """One member of a group whose hot store and checkpoints are in a real Redis, guarded."""

    def __init__(self, path: Path, redis: RedisServer, closing: contextlib.ExitStack) -> None:
        self.redis = redis
        self.rig, _ = group_rig(path, PARTITIONS)
        closing.callback(self.rig.close)
        clock = SystemClock()

        def made(name: str) -> Dependency:
            return Dependency(name, CircuitBreaker(2, 100, 1, open_ms_max=400), clock)

        self.hot_guard, self.checkpoint_guard = made("hot store"), made("checkpoints")
        self.hot = RedisHotStore(redis.url, "test", timeout_ms=300)
        self.store = RedisCheckpointStore(redis.url, "test", timeout_ms=300)
        closing.callback(self.hot.close)
        closing.callback(self.store.close)
        self.member = Member(
            self.rig,
            GuardedHotStore(self.hot, self.hot_guard),
            closing,
            checkpoints=GuardedCheckpoints(self.store, self.checkpoint_guard),
        )
        self.fed = 0

    def feed(self, count: int) -> None:
        self.rig.append(
            *(swap(n, START_MS + n, token=f"T{n % 7}") for n in range(self.fed, self.fed + count))
        )
        self.fed += count

    def applied(self) -> int:
        return sum(shard.next_offset for shard in self.member.aggregator.shards.values())

    def turn_until(self, condition: Callable[[], object], what: str) -> None:
        def turned() -> object:
            self.rig.clock.advance(1)
            self.member.aggregator.turn()
            self.member.aggregator.checkpoint_if_due()
            return condition()

        eventually(turned, WAIT_MS, what)

    def saved(self) -> list[int]:
        found = [self.store.load(partition) for partition in range(PARTITIONS)]
        return [one.header.next_offset if one else -1 for one in found]

    def heads(self) -> list[int]:
        found = [self.hot.head(partition) for partition in range(PARTITIONS)]
        return [head.offset if head else -1 for head in found]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    try:
        server = RedisServer(tmp_path / "redis", fsync="always")
    except UsageError as error:
        pytest.skip(str(error))
    server.start()
    yield server
    server.stop()


def take_away(redis: RedisServer, how: str) -> None:
    redis.pause() if how == "paused" else redis.kill()


def bring_back(redis: RedisServer, how: str) -> None:
    redis.resume() if how == "paused" else redis.start()


@pytest.mark.parametrize("how", ["killed", "paused"])
def test_records_are_applied_while_redis_is_away_and_all_is_whole_after(
    tmp_path: Path, redis: RedisServer, how: str
) -> None:
    with contextlib.ExitStack() as closing:
        world = Guarded(tmp_path, redis, closing)
        world.member.given.give(*range(PARTITIONS))
        world.feed(60)
        world.turn_until(
            lambda: world.saved() == world.heads() == world.rig.log.end_offsets(), "all to be saved"
        )
        take_away(redis, how)
        world.feed(60)
        world.turn_until(lambda: world.hot_guard.status().state == "open", "the hot store given up")
        world.turn_until(
            lambda: world.checkpoint_guard.status().state == "open", "checkpoints given up"
        )
        world.feed(60)
        world.turn_until(lambda: world.applied() == 180, "the stream to go on")
        assert world.member.publisher.problem
        assert world.hot_guard.status().reason is not None
        world.turn_until(lambda: world.hot_guard.status().refused, "a call refused")
        bring_back(redis, how)
        world.turn_until(
            lambda: (
                {world.hot_guard.status().state, world.checkpoint_guard.status().state}
                == {"closed"}
            ),
            "both to be back",
        )
        world.turn_until(
            lambda: world.saved() == world.heads() == world.rig.log.end_offsets(),
            "everything to be written",
        )
        world.member.work()
        assert world.member.publisher.problem == ""
        assert world.member.aggregator.problem == ""
        assert shown(world.rig, world.hot) == world.rig.recounted(world.rig.clock.wall_ms())


def test_one_store_away_leaves_the_other_alone(tmp_path: Path, redis: RedisServer) -> None:
    """Each has a breaker of its own: checkpoints go on without the hot store."""
    with contextlib.ExitStack() as closing:
        world = Guarded(tmp_path, redis, closing)
        world.member.given.give(*range(PARTITIONS))
        world.feed(30)
        world.turn_until(lambda: world.heads() == world.rig.log.end_offsets(), "a first publishing")
        refusing: Any = Behind()
        refusing.error = Transient("the hot store is away")
        world.member.publisher._store = GuardedHotStore(refusing, world.hot_guard)
        world.feed(30)
        world.turn_until(lambda: world.hot_guard.status().opens, "the hot store given up")
        world.turn_until(
            lambda: world.saved() == world.rig.log.end_offsets(), "checkpoints to go on"
        )
        assert world.checkpoint_guard.status().opens == 0


def test_a_start_without_redis_is_refused_at_once_and_tried_again(
    tmp_path: Path, redis: RedisServer
) -> None:
    """Taking partitions over needs the checkpoints: it fails, quickly, until they are back."""
    with contextlib.ExitStack() as closing:
        world = Guarded(tmp_path, redis, closing)
        world.feed(30)
        redis.kill()
        for _ in range(2):
            with pytest.raises(Transient, match="Redis"):
                world.member.given.give(0)
        with pytest.raises(Transient, match="was given up") as refused:
            world.member.given.give(0)
        assert 0 < refused.value.retry_after_ms <= 100
        redis.start()

        def given() -> bool:
            with contextlib.suppress(Transient):
                world.member.given.give(0, 1, 2)
                return True
            return False

        eventually(given, WAIT_MS, "partitions to be taken over")
        world.turn_until(
            lambda: world.heads() == world.rig.log.end_offsets(), "everything to be published"
        )
        assert shown(world.rig, world.hot) == world.rig.recounted(world.rig.clock.wall_ms())
