from pathlib import Path

import pytest

from swapstats.cli.bench import open_bench_stores
from swapstats.core.shard import Shard
from swapstats.roles.bench.engine_path import EnginePath
from swapstats.roles.bench.full_path import shard_config
from swapstats.roles.bench.streams import cut_batches, demo_arrivals


@pytest.mark.parametrize("event_clock", [True, False])
def test_everything_is_applied_and_the_last_checkpoint_is_whole(
    tmp_path: Path, event_clock: bool
) -> None:
    batches = cut_batches(demo_arrivals(9, 40, 500), 3_000, 500, lambda _: None)
    config = shard_config(event_clock=event_clock)
    with open_bench_stores(tmp_path, 1) as stores:
        path = EnginePath(config, stores.checkpoints)
        assert path.run(batches[:4]) == 2_000
        assert path.run(batches[4:]) == 1_000
        assert len(path.saved.sizes_bytes) == len(path.saved.stalls_ms) == 2
        path.begin_checkpoint()
        path.finish_checkpoint()
        assert not path.saving
        path.close()
        checkpoint = stores.checkpoints.load(0)
        assert checkpoint is not None
        restored = Shard.restore(config, checkpoint, 2)
        assert restored.next_offset == 3_000
        assert restored.live_tokens() == path.shard.live_tokens() != {}
        first, second, nothing = path.saved.sizes_bytes
        assert min(first, second) > nothing == 0


def test_the_wall_clock_is_the_time_of_arrival(tmp_path: Path) -> None:
    batches = cut_batches(demo_arrivals(9, 40, 500), 500, 500, lambda _: None)
    with open_bench_stores(tmp_path, 1) as stores:
        path = EnginePath(shard_config(event_clock=False), stores.checkpoints)
        path.run(batches)
        path.close()
        assert path.shard.t_ms == int(batches[-1].append_ms[-1])
