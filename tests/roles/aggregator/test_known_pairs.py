"""Duplicates from before the windows, by a real Redis: crashes, an outage, a recount."""

import contextlib
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.roles.aggregator.rig import KEY, SPEC, START_MS, Rig, drain, held, swap
from tests.roles.aggregator.test_archiving import LIMITS
from tests.roles.archive_rig import MemoryArchive
from tests.roles.memory_pairs import MemoryPairs

from swapstats.adapters.embedded.journal import EmbeddedArchiveJournal
from swapstats.adapters.redis.dedupe import RedisDedupe
from swapstats.adapters.system_clock import SystemClock
from swapstats.core.archive_rows import LATE_SIGN
from swapstats.core.recount import Recount
from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig
from swapstats.errors import StoreFull, Transient, UsageError
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.model.window import WindowSpec
from swapstats.ports.pair_memory import PairMemory
from swapstats.roles.aggregator.archiving import Piece
from swapstats.roles.aggregator.known_pairs import KnownPairs
from swapstats.roles.aggregator.run import Aggregator
from swapstats.roles.archive_lane import ReplayStep
from swapstats.roles.archiver import Archiver
from swapstats.stack.redis import RedisServer
from swapstats.testing.wire_streams import StreamShape, random_stream, shuffled

HORIZON_MS = 600_000
WIDEST_MS = SPEC.widest_ms
ONE = ShardConfig(0, SPEC, KEY)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    try:
        server = RedisServer(tmp_path / "redis", fsync="always")
    except UsageError as error:
        pytest.skip(str(error))
    server.start()
    yield server
    server.stop()


def asking(rig: Rig, memory: PairMemory, **options: Any) -> tuple[Aggregator, KnownPairs]:
    """The aggregator of a new life that asks a memory."""
    made, _ = rig.aggregator(**options)
    made._pairs = pairs = KnownPairs(memory, wait_s=0.0)
    made.restore()
    return made, pairs


def counted(aggregator: Aggregator) -> dict[str, int]:
    found: dict[str, int] = {}
    for shard in aggregator.shards.values():
        for name, count in shard.counters.items():
            found[name] = found.get(name, 0) + count
    return found


def expect_sum(counters: dict[str, int]) -> None:
    parts = set(counters) - {"ingested", "late"}
    assert counters["ingested"] == sum(counters[name] for name in parts)


@pytest.mark.parametrize("late", ["apply", "drop"])
def test_a_duplicate_is_one_however_late_and_whenever_a_life_ends(
    redis: RedisServer, tmp_path: Path, late: str
) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    rig = Rig(tmp_path, 2)
    rig.config = replace(rig.config, late=late, grace_ms=2_000)
    shape = StreamShape(swaps=150, start_ms=START_MS - 20_000, span_ms=20_000, step_ms=1_000)
    messages = shuffled(rng, random_stream(rng, shape), 2)
    expected = len(messages)
    with contextlib.closing(RedisDedupe(redis.url, "swaps", HORIZON_MS)) as memory:
        aggregator, _ = asking(rig, memory, chunk_bytes_max=900)
        while messages:
            count = rng.randint(1, 60)
            rig.append(*messages[:count])
            del messages[:count]
            rig.clock.advance(rng.choice((10, 3_000, 30_000)))
            drain(aggregator)
            if rng.random() < 0.4:
                aggregator.checkpoint()
            if rng.random() < 0.4:
                aggregator.close()
                aggregator, _ = asking(rig, memory, chunk_bytes_max=rng.choice((300, 5_000)))
        drain(aggregator)
    counters = counted(aggregator)
    expect_sum(counters)
    assert counters["ingested"] == expected
    assert counters["duplicates"] == repeated(rig)
    if late == "apply":
        t_ms = max(shard.t_ms for shard in aggregator.shards.values())
        aggregator.share_t()
        assert held(aggregator) == rig.recounted(t_ms)
    rig.close()


def repeated(rig: Rig) -> int:
    """How many records repeat an earlier one, by a recount whose windows hold everything."""
    found = 0
    for partition in range(rig.log.partition_count):
        recount = Recount(
            WindowSpec(1_000, (86_400_000,)), 1 << 40, "apply", None, "wall", START_MS
        )
        offset = 0
        while batch := rig.log.read(partition, offset, 1 << 20):
            for row in range(len(batch)):
                recount.feed(batch.message(row), int(batch.append_ms[row]))
            offset = batch.next_offset
        found += recount.counters["duplicates"]
    return found


def test_a_duplicate_beyond_the_widest_window_is_not_kept_apart(
    redis: RedisServer, tmp_path: Path
) -> None:
    rig = Rig(tmp_path)
    archive = MemoryArchive(random.Random(1))
    journal = EmbeddedArchiveJournal(tmp_path / "journal.db")
    archiver = Archiver(archive, journal, SystemClock(), LIMITS, log=rig.log)
    archiver.start()
    once, never = swap(1, START_MS), swap(2, START_MS)
    with contextlib.closing(RedisDedupe(redis.url, "swaps", HORIZON_MS)) as memory:
        aggregator, _ = asking(rig, memory, archiver=archiver)
        rig.append(once)
        drain(aggregator)
        rig.clock.advance(WIDEST_MS + 2_000)
        rig.append(once, never, once)
        drain(aggregator)
        aggregator.checkpoint()
    assert [row[1:3] for row in archive.raw] == [(0, 1), (2, LATE_SIGN)]
    counters = counted(aggregator)
    assert (counters["applied"], counters["duplicates"], counters["too_old"]) == (1, 2, 1)
    archiver.stop()
    journal.close()
    rig.close()


def test_while_redis_is_away_windows_go_on(redis: RedisServer, tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    early = [swap(number, START_MS) for number in range(5)]
    memory = RedisDedupe(redis.url, "swaps", HORIZON_MS, timeout_ms=500)
    with contextlib.closing(memory):
        aggregator, pairs = asking(rig, memory)
        rig.append(*early)
        drain(aggregator)
        redis.kill()
        rig.clock.advance(WIDEST_MS + 2_000)
        now_ms = rig.clock.wall_ms()
        rig.append(*early[:2], swap(10, now_ms), swap(10, now_ms), swap(11, now_ms))
        drain(aggregator)
        assert pairs.passed_over == 5
        assert "too old" in pairs.problem
        assert held(aggregator) == rig.recounted(rig.clock.wall_ms())
        counters = counted(aggregator)
        assert (counters["duplicates"], counters["too_old"]) == (1, 2)
        redis.start()
        rig.append(*early[2:])
        drain(aggregator)
    assert pairs.problem == ""
    assert pairs.passed_over == 5
    assert counted(aggregator)["duplicates"] == 4
    expect_sum(counted(aggregator))
    rig.close()


def batch_of(first: int, *messages: bytes) -> RecordBatch:
    block = MessageBlock.of(list(messages))
    offsets = np.arange(first, first + len(messages), dtype=np.int64)
    appended = np.full(len(messages), START_MS + 2 * WIDEST_MS, dtype=np.int64)
    return RecordBatch(0, offsets, appended, block.buffer, block.bounds)


MOMENT_MS = START_MS + 2 * WIDEST_MS


@pytest.mark.parametrize(
    ("step", "kept"),
    [
        (None, False),
        (ReplayStep(9, MOMENT_MS, exact=False), False),
        (ReplayStep(9, MOMENT_MS, exact=True), True),
        (ReplayStep(9, MOMENT_MS, exact=True, left_out=True), False),
    ],
)
def test_an_earlier_life_is_followed(step: ReplayStep | None, kept: bool) -> None:
    shard = Shard(ONE, 1)
    pairs = KnownPairs(MemoryPairs())
    pairs.apply(shard, Piece(batch_of(0, swap(1, START_MS)), MOMENT_MS))
    effects = pairs.apply(shard, Piece(batch_of(1, b"{", swap(1, START_MS)), MOMENT_MS, step))
    assert effects.archive.late_index.tolist() == ([1] if kept else [])
    assert effects.archive.left_out is not kept
    assert effects.counters["too_old"] == int(kept)


class FullPairs(MemoryPairs):
    """Has no room."""

    def decide(self, *arguments: Any) -> Any:
        raise StoreFull("no room")


def test_what_an_earlier_life_knew_is_waited_for() -> None:
    shard = Shard(ONE, 1)
    piece = Piece(batch_of(0, swap(1, START_MS)), MOMENT_MS)
    away, full = (
        KnownPairs(memory, wait_s=0.0) for memory in (MemoryPairs(lambda: True), FullPairs())
    )
    for pairs in (away, full):
        with pytest.raises(Transient, match="before a crash"):
            pairs.apply(shard, replace(piece, step=ReplayStep(1, MOMENT_MS, True, left_out=True)))
        assert pairs.passed_over == 0
    assert shard.next_offset == 0
    assert full.apply(shard, piece).counters["too_old"] == 1
    assert full.passed_over == 1


def test_what_an_earlier_life_knew_is_asked_for_until_it_is_told() -> None:
    tries = iter([True, True, False])
    pairs = KnownPairs(MemoryPairs(lambda: next(tries)))
    piece = Piece(batch_of(0, swap(1, START_MS)), MOMENT_MS, ReplayStep(1, MOMENT_MS, True, True))
    assert pairs.apply(Shard(ONE, 1), piece).counters["ingested"] == 1
    assert pairs.passed_over == 0
    assert pairs.problem == ""


def test_without_a_memory_nothing_is_asked() -> None:
    pairs = KnownPairs()
    effects = pairs.apply(Shard(ONE, 1), Piece(batch_of(0, swap(1, START_MS)), MOMENT_MS))
    assert effects.counters["too_old"] == 1
    assert not effects.archive.left_out
