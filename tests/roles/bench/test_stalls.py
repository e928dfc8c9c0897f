import itertools
from pathlib import Path

import pytest

from swapstats.cli.bench import open_bench_stores
from swapstats.roles.bench.engine_path import EnginePath
from swapstats.roles.bench.filling import fill_steadily
from swapstats.roles.bench.full_path import shard_config
from swapstats.roles.bench.made_swaps import Popularity, SteadyStream
from swapstats.roles.bench.stalls import (
    Latencies,
    live_batches,
    run_paced,
    touch_every_bucket,
)

STREAM = SteadyStream(1_000.0, Popularity.of(20))


def never(_seconds: float) -> None:
    pytest.fail("waited although no pace was asked for")


def test_live_batches_follow_each_other() -> None:
    batches = list(itertools.islice(live_batches(STREAM, 5_000, 100, 70), 5))
    assert int(batches[0].offsets[0]) == 70
    for before, after in itertools.pairwise(batches):
        assert int(after.offsets[0]) == before.next_offset
        assert before.append_ms[-1] <= after.append_ms[0]
        assert after.append_ms[-1] - after.append_ms[0] <= 100


def test_batches_are_told_apart_by_what_goes_on_beside_them(tmp_path: Path) -> None:
    with open_bench_stores(tmp_path, 1) as stores:
        path = EnginePath(shard_config(event_clock=False), stores.checkpoints)
        batches = list(itertools.islice(live_batches(STREAM, 0, 100, 0), 40))
        alone = run_paced(path, iter(batches[:20]), 60.0, 0, 0.0, never)
        assert len(alone.quiet_ms) == 20
        assert not alone.beside_ms
        assert path.shard.revision == 0
        both = run_paced(path, iter(batches[20:]), 60.0, 0, 1e-9, never)
        assert len(both.quiet_ms) + len(both.beside_ms) == 20
        assert both.beside_ms
        assert path.shard.revision >= 1
        assert not path.saving
        path.close()
    assert path.shard.next_offset == batches[-1].next_offset
    assert alone.messages + both.messages == path.shard.next_offset


def test_a_pace_is_waited_for(tmp_path: Path) -> None:
    waits: list[float] = []
    with open_bench_stores(tmp_path, 1) as stores:
        path = EnginePath(shard_config(event_clock=False), stores.checkpoints)
        batches = itertools.islice(live_batches(STREAM, 0, 100, 0), 4)
        run_paced(path, batches, 3_600.0, 100_000, 0.0, waits.append)
        path.close()
    assert len(waits) == 3
    assert waits == sorted(waits)
    assert 99 < waits[0] <= 100


def test_every_bucket_is_touched_by_something_new(tmp_path: Path) -> None:
    with open_bench_stores(tmp_path, 1) as stores:
        path = EnginePath(shard_config(event_clock=False), stores.checkpoints)
        fill_steadily(path.shard, STREAM, 50_000, lambda _: None)
        path.begin_checkpoint()
        path.finish_checkpoint()
        held = path.shard.windows.buckets.numbers.tolist()
        batch = touch_every_bucket(path, 8_000_000_000)
        effects = path.shard.apply(batch, path.shard.t_ms)
        path.close()
    assert path.shard.windows.buckets.dirty_numbers.tolist() == held
    assert effects.counters["applied"] == len(held)


def test_longest_of_none_is_nothing() -> None:
    assert Latencies().quiet_max_ms == Latencies().beside_max_ms == 0.0
    assert Latencies([1.0, 3.0], [2.0]).quiet_max_ms == 3.0
