"""Members of a group over one embedded log; the test gives partitions and takes them."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tests.roles.aggregator.rig import Rig, Watched

from swapstats.adapters.memory.hot_store import MemoryHotStore
from swapstats.core.market import Market
from swapstats.errors import Transient
from swapstats.model.effects import StatsUpdate
from swapstats.model.record import RecordBatch
from swapstats.model.stats import WindowStats, from_row
from swapstats.model.token_update import TokenUpdate
from swapstats.ports.checkpoint_store import CheckpointStore
from swapstats.ports.dead_letters import DeadLetterSink
from swapstats.ports.hot_store import HotHead, HotStore, HotStoreReader
from swapstats.ports.swap_subscription import PartitionOwner, SwapSubscription
from swapstats.roles.aggregator.options import AggregatorOptions
from swapstats.roles.aggregator.publisher import ShardPublisher
from swapstats.roles.aggregator.run import Aggregator

FLUSH_MS = 10_000


class GivenPartitions:
    """A subscription whose partitions are given and taken by the test."""

    def __init__(self, rig: Rig, owner: PartitionOwner) -> None:
        self._rig = rig
        self._owner = owner
        self._next: dict[int, int] = {}
        self.committed: dict[int, int] = {}

    @property
    def partition_count(self) -> int:
        return self._rig.log.partition_count

    def give(self, *partitions: int) -> None:
        self._next |= self._owner.assigned(partitions)

    def revoke(self, *partitions: int) -> None:
        self._owner.revoked(partitions)
        for partition in partitions:
            del self._next[partition]

    def lose(self, *partitions: int) -> None:
        self._owner.lost(partitions)
        for partition in partitions:
            del self._next[partition]

    def poll(self, timeout_ms: int, *, hold: bool = False) -> list[RecordBatch]:
        del timeout_ms
        batches: list[RecordBatch] = []
        if hold:
            return batches
        for partition, offset in self._next.items():
            batch = self._rig.log.read(partition, offset, 2_000)
            if batch is not None:
                self._next[partition] = batch.next_offset
                batches.append(batch)
        return batches

    def start_offsets(self) -> Mapping[int, int]:
        return dict(enumerate(self._rig.log.start_offsets()))

    def end_offsets(self) -> Mapping[int, int]:
        return dict(enumerate(self._rig.log.end_offsets()))

    def commit(self, offsets: Mapping[int, int]) -> None:
        self.committed |= offsets

    def close(self) -> None:
        if self._next:
            self.revoke(*list(self._next))


class AwayStore:
    """A hot store that can be away, and counts what it took."""

    def __init__(self, store: MemoryHotStore) -> None:
        self.store = store
        self.is_away = False
        self.puts: list[StatsUpdate] = []

    def head(self, partition: int) -> HotHead | None:
        self._expect_there()
        return self.store.head(partition)

    def changes(self, partition: int, after_seq: int) -> StatsUpdate | None:
        return self.store.changes(partition, after_seq)

    def put(self, update: StatsUpdate, now_ms: int, lag_ms: int) -> None:
        self._expect_there()
        self.store.put(update, now_ms, lag_ms)
        self.puts.append(update)

    def close(self) -> None:
        self.store.close()

    def _expect_there(self) -> None:
        if self.is_away:
            raise Transient("the hot store is away")


class Heard:
    """A token publisher that keeps what it was told."""

    def __init__(self) -> None:
        self.updates: list[TokenUpdate] = []

    def publish(self, updates: Sequence[TokenUpdate]) -> None:
        self.updates.extend(updates)

    def close(self) -> None:
        """Nothing to release."""


class Member:
    """One aggregator of the group."""

    def __init__(
        self,
        rig: Rig,
        store: HotStore,
        closing: contextlib.ExitStack,
        *,
        checkpoints: CheckpointStore | None = None,
        letters: DeadLetterSink | None = None,
        through: Callable[[SwapSubscription], SwapSubscription] = lambda given: given,
    ) -> None:
        self.heard = Heard()
        self.watched = Watched()
        self.publisher = ShardPublisher(store, self.heard, rig.clock, coalesce_ms=0)
        self.publisher.start()
        self.given: GivenPartitions

        def subscribe(owner: PartitionOwner) -> SwapSubscription:
            self.given = GivenPartitions(rig, owner)
            return through(self.given)

        self.aggregator = Aggregator(
            lambda partition: replace(rig.config, partition=partition),
            subscribe,
            checkpoints or rig.checkpoints,
            letters or rig.letters,
            self.publisher,
            self.watched,
            rig.clock.wall_ms,
            AggregatorOptions(snapshot_interval_ms=0, tick_ms=1),
        )
        closing.callback(self.publisher.close)

    def turn(self) -> int:
        """One round as the loop does it."""
        taken = self.aggregator.turn()
        self.aggregator.checkpoint_if_due()
        return taken

    def work(self) -> None:
        """Turn until everything given is applied and what it says is in the hot store."""
        while self.turn():
            pass
        self.turn()
        assert self.publisher.flush(FLUSH_MS)


def shown(rig: Rig, store: HotStoreReader) -> dict[str, tuple[WindowStats, ...]]:
    """What a reader who starts now sees: every token with trades."""
    market = Market(rig.config.spec, rig.log.partition_count)
    for partition in range(rig.log.partition_count):
        update = store.changes(partition, 0)
        if update is not None:
            market.apply(update)
    found = {}
    for index in range(len(market)):
        stats = tuple(from_row(row) for row in market.rows[index])
        if any(one.trades for one in stats):
            found[market.key(index)] = stats
    return found


def group_rig(path: Path, partitions: int) -> tuple[Rig, AwayStore]:
    """A log of so many partitions and an empty hot store."""
    return Rig(path, partitions), AwayStore(MemoryHotStore())
