"""Start and recovery: what a restored shard goes on from, and what it refuses."""

from dataclasses import replace

import pytest
from tests.roles.aggregator.rig import START_MS, Rig, drain, held, swap

from swapstats.core.hash_key import HashKey
from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig
from swapstats.errors import KeyMismatch, OffsetGone, SettingsMismatch
from swapstats.model.window import WindowSpec
from swapstats.ports.checkpoint_store import CheckpointStore
from swapstats.roles.aggregator.options import AggregatorOptions
from swapstats.roles.aggregator.restore import restore_shard

OPTIONS = AggregatorOptions()


def restored(
    rig: Rig, config: ShardConfig, store: CheckpointStore, options: AggregatorOptions, now_ms: int
) -> Shard:
    """Restore against the rig's log."""
    first, end = rig.log.start_offsets(), rig.log.end_offsets()
    partition = config.partition
    return restore_shard(config, first[partition], end[partition], store, options, now_ms)


def checkpointed(rig: Rig, count: int = 10) -> None:
    """Append swaps and leave a checkpoint behind them."""
    aggregator, _ = rig.living()
    rig.append(*(swap(n, START_MS) for n in range(count)))
    drain(aggregator)
    aggregator.checkpoint()


def trim_all(rig: Rig) -> None:
    rig.log.trim(START_MS + 1, 0, rig.log.end_offsets())


def test_a_first_start_begins_where_the_log_begins(rig: Rig) -> None:
    rig.append(*(swap(n, START_MS) for n in range(3)))
    trim_all(rig)
    rig.append(swap(9, START_MS))
    shard = restored(rig, rig.config, rig.checkpoints, OPTIONS, START_MS)
    assert (shard.epoch, shard.next_offset, shard.revision) == (1, 3, 0)


def test_a_restart_goes_on_from_the_checkpoint_under_a_new_epoch(rig: Rig) -> None:
    checkpointed(rig)
    rig.append(swap(11, START_MS))
    shard = restored(rig, rig.config, rig.checkpoints, OPTIONS, START_MS)
    assert (shard.epoch, shard.next_offset, shard.t_ms) == (2, 10, START_MS)
    assert shard.live_tokens()["BTC"][0].trades == 10


def test_the_owner_before_is_fenced_off(rig: Rig) -> None:
    old, _ = rig.living()
    rig.append(swap(1, START_MS))
    drain(old)
    rig.living()
    old.checkpoint()
    assert old.stale_saves == 1
    assert old.shards == {}


def test_a_log_that_lost_the_offset_is_fatal_and_says_what_to_do(rig: Rig) -> None:
    aggregator, _ = rig.living()
    rig.append(swap(1, START_MS))
    drain(aggregator)
    aggregator.checkpoint()
    rig.append(*(swap(n, START_MS) for n in range(2, 6)))
    trim_all(rig)
    rig.append(swap(6, START_MS))
    with pytest.raises(OffsetGone, match=r"offset 1, was 5 to 6: start with --accept-gap.* at 5"):
        restored(rig, rig.config, rig.checkpoints, OPTIONS, START_MS)


@pytest.mark.parametrize("lost", ["beginning", "end"])
def test_an_accepted_gap_is_recorded(rig: Rig, lost: str) -> None:
    checkpointed(rig)
    if lost == "beginning":
        rig.append(*(swap(n, START_MS) for n in range(10, 15)))
        trim_all(rig)
        rig.append(swap(15, START_MS))
        goes_on_at = 15
    else:  # the log is an older copy than the checkpoint
        rig.log.close()
        for name in ("log.db", "log.db-wal", "log.db-shm"):
            (rig.path / name).unlink(missing_ok=True)
        rig.log = Rig(rig.path).log
        rig.append(swap(15, START_MS))
        goes_on_at = 1
    with pytest.raises(OffsetGone, match="--accept-gap"):
        restored(rig, rig.config, rig.checkpoints, OPTIONS, START_MS)
    shard = restored(
        rig,
        rig.config,
        rig.checkpoints,
        AggregatorOptions(accept_gap=True),
        START_MS + 7_000,
    )
    assert (shard.next_offset, shard.complete_since_ms) == (goes_on_at, START_MS + 7_000)
    assert shard.live_tokens()["BTC"][-1].trades == 10, "what was known is not forgotten"


def test_accepting_a_gap_changes_nothing_where_there_is_none(rig: Rig) -> None:
    checkpointed(rig)
    options = AggregatorOptions(accept_gap=True)
    shard = restored(rig, rig.config, rig.checkpoints, options, START_MS + 7_000)
    assert (shard.next_offset, shard.complete_since_ms) == (10, START_MS)


def test_a_rebuild_reads_the_log_again_and_replaces_the_checkpoints(rig: Rig) -> None:
    checkpointed(rig)
    rig.append(swap(11, START_MS))
    rebuilt, _ = rig.living(rebuild=True)
    assert rebuilt.shards[0].counters["ingested"] == 11
    assert held(rebuilt) == rig.recounted(START_MS)
    rebuilt.checkpoint()
    again, _ = rig.living()
    assert held(again) == rig.recounted(START_MS)
    assert again.shards[0].revision == 2, "numbered on: a reader never sees a revision twice"


def test_a_rebuild_does_not_mind_what_is_wrong_with_the_checkpoint(rig: Rig) -> None:
    checkpointed(rig)
    config = replace(rig.config, key=HashKey.of(b"another 16 bytes"))
    with pytest.raises(KeyMismatch, match="--rebuild"):
        restored(rig, config, rig.checkpoints, OPTIONS, START_MS)
    rebuilt, _ = rig.living(config=config, rebuild=True)
    rebuilt.checkpoint()
    again, _ = rig.living(config=config)
    assert held(again) == rig.recounted(START_MS)


@pytest.mark.parametrize(
    "spec", [WindowSpec(500, (5_000, 60_000)), WindowSpec(1_000, (5_000, 61_000))]
)
def test_other_settings_are_refused(rig: Rig, spec: WindowSpec) -> None:
    checkpointed(rig)
    config = replace(rig.config, spec=spec)
    with pytest.raises(SettingsMismatch, match="--rebuild"):
        restored(rig, config, rig.checkpoints, OPTIONS, START_MS)


def test_a_first_start_may_begin_at_the_end(rig: Rig) -> None:
    """A rebuild does not: it wants what the log still holds."""
    rig.append(*(swap(number, START_MS) for number in range(5)))
    late = AggregatorOptions(from_end=True)
    assert restored(rig, rig.config, rig.checkpoints, late, START_MS).next_offset == 5
    again = AggregatorOptions(from_end=True, rebuild=True)
    assert restored(rig, rig.config, rig.checkpoints, again, START_MS).next_offset == 0


def test_another_clock_is_refused(rig: Rig) -> None:
    checkpointed(rig)
    with pytest.raises(SettingsMismatch, match="wall clock"):
        restored(rig, replace(rig.config, event_clock=True), rig.checkpoints, OPTIONS, START_MS)
