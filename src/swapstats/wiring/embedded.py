"""The embedded stores, and the aggregator that works on them."""

import math
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from swapstats.adapters.embedded.checkpoints import EmbeddedCheckpointStore
from swapstats.adapters.embedded.database import Durability
from swapstats.adapters.embedded.dead_letters import EmbeddedDeadLetterStore
from swapstats.adapters.embedded.directory import DataDirectory
from swapstats.adapters.embedded.log import EmbeddedSwapLog
from swapstats.adapters.embedded.subscription import EmbeddedSubscription
from swapstats.core.hash_key import HashKey
from swapstats.core.shard_config import ShardConfig
from swapstats.errors import StoreError
from swapstats.model.effects import StatsUpdate
from swapstats.model.window import WindowSpec
from swapstats.ports.checkpoint_store import CheckpointStore
from swapstats.ports.dead_letters import DeadLetterStore
from swapstats.ports.fan_out import FanOut
from swapstats.ports.observer import AggregatorObserver
from swapstats.ports.swap_log import SwapLogReader
from swapstats.ports.swap_subscription import PartitionOwner
from swapstats.roles.aggregator.direct_publisher import DirectPublisher
from swapstats.roles.aggregator.options import AggregatorOptions
from swapstats.roles.aggregator.run import Aggregator
from swapstats.roles.archiver import Archiver
from swapstats.settings import Settings


@dataclass(frozen=True, slots=True)
class EmbeddedStores:
    """Everything a data directory holds, opened for writing.

    Attributes:
        directory: the directory and its lock.
        log: the swap log.
        checkpoints: the checkpoint store.
        dead_letters: the refused messages.
        key: the hash key.
    """

    directory: DataDirectory
    log: EmbeddedSwapLog
    checkpoints: EmbeddedCheckpointStore
    dead_letters: EmbeddedDeadLetterStore
    key: HashKey

    @classmethod
    def open(
        cls,
        path: Path,
        partition_count: int,
        manifest: Mapping[str, Any],
        *,
        durability: str = "process",
        rebuild: bool = False,
    ) -> Self:
        """Open (or make) a data directory.

        Args:
            path: the directory.
            partition_count: partitions of the log.
            manifest: settings that shape the directory; others than before are refused.
            durability: `process` or `full`.
            rebuild: throw the checkpoints away, whatever state their file is in, for the state is
                made anew; a lost hash key is then replaced.

        Raises:
            StoreError: see its kinds.
            SettingsMismatch: made with other settings.
            KeyMismatch: the hash key is lost while checkpoints need it.
        """
        sync: Durability = "full" if durability == "full" else "process"
        with ExitStack() as opened:
            directory = opened.enter_context(DataDirectory.open(path, writer=True))
            directory.ensure_manifest(manifest)
            if rebuild:
                throw_away(directory.checkpoints_path)
            checkpoints = EmbeddedCheckpointStore(directory.checkpoints_path, durability=sync)
            opened.callback(checkpoints.close)
            secret, _ = directory.hash_key(may_create=not checkpoints.has_revisions())
            log = EmbeddedSwapLog(directory.log_path, partition_count, durability=sync)
            opened.callback(log.close)
            dead_letters = EmbeddedDeadLetterStore(directory.dead_letters_path, durability=sync)
            opened.callback(dead_letters.close)
            found = cls(directory, log, checkpoints, dead_letters, HashKey.of(secret))
            opened.pop_all()
            return found

    def close(self) -> None:
        """Close every file and free the lock."""
        self.dead_letters.close()
        self.checkpoints.close()
        self.log.close()
        self.directory.close()


def throw_away(store: Path) -> None:
    """Remove a store's file: a damaged one can neither be read nor written, not even to empty it.

    Its write-ahead log goes first: without its file it would be taken for that of the next one.
    """
    for name in (f"{store}-wal", f"{store}-shm", f"{store}"):
        try:
            Path(name).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(
                f"Expected to remove {name} for --rebuild, was {error}: check its permissions"
            ) from error


class NoFanOut:
    """Hands updates to nobody: for work that nobody watches."""

    def publish(self, update: StatsUpdate) -> None:
        """Ignore."""


@dataclass(frozen=True, slots=True)
class ShardRules:
    """The settings every shard shares.

    Attributes:
        spec: step and windows.
        grace_ms: see `ShardConfig`.
        late: see `ShardConfig`.
        max_ahead_ms: see `ShardConfig`.
        tokens_max: over all shards.
    """

    spec: WindowSpec
    grace_ms: int
    late: str
    max_ahead_ms: int | None
    tokens_max: int = 1_000_000

    def shard_config(
        self, partition: int, key: HashKey, partition_count: int, *, event_clock: bool = False
    ) -> ShardConfig:
        """Rules of one of so many shards."""
        return ShardConfig(
            partition=partition,
            spec=self.spec,
            key=key,
            grace_ms=self.grace_ms,
            late=self.late,
            max_ahead_ms=self.max_ahead_ms,
            event_clock=event_clock,
            tokens_max=max(1, self.tokens_max // partition_count),
        )


def shard_rules(settings: Settings) -> ShardRules:
    """Take the rules of shards in service from the settings."""
    app = settings.app
    return ShardRules(settings.windows, app.grace_ms, app.late, app.max_ahead_ms, app.tokens_max)


def make_aggregator(
    stores: EmbeddedStores,
    rules: ShardRules,
    options: AggregatorOptions,
    now_ms: Callable[[], int],
    fan_out: FanOut,
    observer: AggregatorObserver,
    *,
    archiver: Archiver | None = None,
    on_restored: Callable[[int], None] = lambda _: None,
) -> Aggregator:
    """Make an aggregator that owns every partition of the embedded log.

    Args:
        stores: where everything is.
        rules: what shapes the shards.
        options: limits and cadences.
        now_ms: T, see `Aggregator`.
        fan_out: where new statistics go.
        observer: who measures.
        archiver: where decided rows go; None = nowhere.
        on_restored: told T of each shard that was restored.
    """
    count = stores.log.partition_count
    return embedded_aggregator(
        lambda partition: rules.shard_config(
            partition, stores.key, count, event_clock=options.event_clock
        ),
        stores.log,
        stores.checkpoints,
        stores.dead_letters,
        fan_out,
        observer,
        now_ms,
        options,
        archiver=archiver,
        on_restored=on_restored,
    )


def embedded_aggregator(
    config_of: Callable[[int], ShardConfig],
    log: SwapLogReader,
    checkpoints: CheckpointStore,
    dead_letters: DeadLetterStore,
    fan_out: FanOut,
    observer: AggregatorObserver,
    now_ms: Callable[[], int],
    options: AggregatorOptions,
    *,
    archiver: Archiver | None = None,
    on_restored: Callable[[int], None] = lambda _: None,
) -> Aggregator:
    """Make an aggregator that owns every partition of a log; its `wake` tells it of appends.

    For arguments see `make_aggregator` and `Aggregator`.
    """
    wake = threading.Event()

    def wait(span_s: float) -> bool:
        told = wake.wait(span_s)
        wake.clear()
        return told

    def subscribe(owner: PartitionOwner) -> EmbeddedSubscription:
        # All that is written here is told by `wake`: there is no need to look again.
        return EmbeddedSubscription(
            log, owner, options.chunk_bytes_max, wait, look_again_s=math.inf
        )

    return Aggregator(
        config_of,
        subscribe,
        checkpoints,
        dead_letters,
        DirectPublisher(fan_out, log.partition_count),
        observer,
        now_ms,
        options,
        archiver=archiver,
        wake=wake,
        on_restored=on_restored,
    )
