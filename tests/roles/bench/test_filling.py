import numpy as np
import pytest

from swapstats.core.shard import Shard
from swapstats.errors import InvariantBroken, UsageError
from swapstats.roles.bench.filling import (
    Cost,
    expect_pairs,
    fill_by_token,
    fill_shuffled,
    fill_steadily,
    quiet_down,
)
from swapstats.roles.bench.full_path import shard_config
from swapstats.roles.bench.made_swaps import Popularity, SteadyStream


def new_shard(*, event_clock: bool = True) -> Shard:
    return Shard(shard_config(event_clock=event_clock), 1)


def test_a_steady_stream_is_counted_once_each() -> None:
    shard = new_shard(event_clock=False)
    told: list[int] = []
    fill_steadily(shard, SteadyStream(5_000.0, Popularity.of(30)), 60_000, told.append)
    counters = shard.counters
    assert sum(told) == 60_000
    assert counters["applied"] == shard.memory().pairs
    assert 59_000 < counters["applied"] < 60_000
    assert 0 < counters["duplicates"] < 1_500
    assert counters["dead_letters"] == counters["too_old"] == 0


@pytest.mark.parametrize("kind", ["shuffled", "by token"])
def test_a_filled_day_holds_every_pair(kind: str) -> None:
    shard = new_shard()
    if kind == "shuffled":
        fill_shuffled(shard, Popularity.of(30), 3_000, lambda _: None)
    else:
        fill_by_token(shard, 30, 3_000, lambda _: None)
    expect_pairs(shard, 3_000)
    trades = sum(stats[2].trades for stats in shard.live_tokens().values())
    assert trades == 3_000


def test_too_few_pairs_are_told() -> None:
    shard = new_shard()
    fill_by_token(shard, 3, 30, lambda _: None)
    with pytest.raises(InvariantBroken, match="31 pairs"):
        expect_pairs(shard, 31)


def test_quieting_down_packs_what_is_old_and_changes_no_sum() -> None:
    shard = new_shard()
    fill_by_token(shard, 10, 20_000, lambda _: None)
    before = shard.memory()
    windows = shard.live_tokens()
    quiet_down(shard)
    after = shard.memory()
    assert after.sets_bytes / after.pairs < before.sets_bytes / before.pairs
    assert after.cells_bytes <= 48 * (after.cells + 16)
    for key, stats in windows.items():
        if key != "t0000000":
            assert shard.stats(key) == stats


def test_costs_add_up_to_the_whole() -> None:
    shard = new_shard()
    fill_by_token(shard, 10, 20_000, lambda _: None)
    cost = Cost.of(shard)
    held = cost.held
    buckets = cost.pair_bytes * held.pairs + cost.cell_bytes * held.cells
    assert buckets == pytest.approx(held.sets_bytes + held.cells_bytes)
    assert buckets < held.total_bytes
    assert cost.pair_bytes >= 12
    assert np.isclose(cost.bytes_per_pair * held.pairs, held.total_bytes)


def test_an_empty_shard_has_no_cost_by_pair() -> None:
    with pytest.raises(UsageError, match="holds pairs"):
        Cost.of(new_shard())
