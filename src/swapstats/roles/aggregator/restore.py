"""Start and recovery, which are one path: newest checkpoint, its offset, go on."""

from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig
from swapstats.errors import OffsetGone
from swapstats.ports.checkpoint_store import CheckpointStore
from swapstats.roles.aggregator.options import AggregatorOptions


def restore_shard(
    config: ShardConfig,
    first: int,
    end: int,
    store: CheckpointStore,
    options: AggregatorOptions,
    now_ms: int,
) -> Shard:
    """Become a shard's owner and bring back its state.

    Args:
        config: what shapes the shard.
        first: first offset its log still holds.
        end: offset the next record of its log will get.
        store: where its checkpoints are.
        options: `rebuild`, `accept_gap` and `from_end`.
        now_ms: the wall clock, for a gap that is accepted.

    Raises:
        OffsetGone: the log no longer holds the offset to resume from, or ends before it.
        KeyMismatch: the checkpoint was made with another hash key.
        SettingsMismatch: the checkpoint was made with other settings.
        StoreCorrupt: the checkpoint is not what was written.
    """
    epoch = store.acquire(config.partition)
    checkpoint = None if options.rebuild else store.load(config.partition)
    if checkpoint is None:
        begins_late = options.from_end and not options.rebuild
        shard = Shard(config, epoch, end if begins_late else first)
        shard.revision = _last_revision(store, config.partition) if options.rebuild else 0
        return shard
    shard = Shard.restore(config, checkpoint, epoch)
    if first <= shard.next_offset <= end:
        return shard
    if not options.accept_gap:
        raise OffsetGone(
            f"Expected partition {config.partition} of the log to hold offset "
            f"{shard.next_offset}, was {first} to {end}: start with --accept-gap to go on at "
            f"{first if shard.next_offset < first else end} (the windows will say since when they "
            "are complete), or with --rebuild to read what the log still holds"
        )
    shard.accept_gap(first if shard.next_offset < first else end, now_ms)
    return shard


def _last_revision(store: CheckpointStore, partition: int) -> int:
    """Number of the newest revision, so that a rebuilt state goes on counting."""
    try:
        newest = store.load(partition)
    except Exception:  # noqa: BLE001 - rebuilding is the remedy for whatever is wrong with it
        return 1 << 40
    return newest.header.revision if newest else 0
