from pathlib import Path

import pytest

from swapstats.cli.bench import open_bench_stores
from swapstats.core.shard import Shard
from swapstats.model.stats import WindowStats
from swapstats.roles.bench.engine_path import EnginePath
from swapstats.roles.bench.full_path import shard_config
from swapstats.roles.bench.log_path import LogPath
from swapstats.roles.bench.streams import cut_batches, demo_arrivals


@pytest.mark.parametrize("event_clock", [True, False])
@pytest.mark.parametrize("partitions", [1, 5])
def test_the_log_changes_nothing(tmp_path: Path, partitions: int, event_clock: bool) -> None:
    batches = cut_batches(demo_arrivals(9, 40, 500), 3_000, 500, lambda _: None)
    config = shard_config(event_clock=event_clock)
    with open_bench_stores(tmp_path, partitions) as stores:
        path = LogPath(config, stores.log, stores.make_aggregator)
        assert path.run(batches[:3]) + path.run(batches[3:]) == 3_000
        found = live(path.aggregator.shards.values())
        assert sum(stores.log.end_offsets()) == 3_000
        for number, shard in path.aggregator.shards.items():
            checkpoint = stores.checkpoints.load(number)
            assert checkpoint is None or checkpoint.header.next_offset == shard.next_offset
        path.close()
    with open_bench_stores(tmp_path, 1) as stores:
        engine = EnginePath(config, stores.checkpoints)
        engine.run(batches)
        engine.close()
    assert found == live([engine.shard]) != {}


def live(shards: object) -> dict[str, tuple[WindowStats, ...]]:
    found: dict[str, tuple[WindowStats, ...]] = {}
    for shard in shards:  # type: ignore[attr-defined]
        assert isinstance(shard, Shard)
        found |= shard.live_tokens()
    return found
