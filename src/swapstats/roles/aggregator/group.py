"""The aggregator as a member of a group: it owns the shards of the partitions it is given.

As `run.Aggregator`, it decides nothing: `core.shard` does. A partition that is assigned is restored
from its newest checkpoint under a higher epoch; one that is revoked leaves a checkpoint behind; one
that is lost is dropped without a word, for somebody else owns it already, and the stores refuse
whatever this process would still write.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig
from swapstats.errors import Fenced, Transient
from swapstats.model.effects import COUNTER_NAMES, Effects
from swapstats.model.record import RecordBatch
from swapstats.ports.checkpoint_store import CheckpointStore
from swapstats.ports.dead_letters import DeadLetterStore
from swapstats.ports.observer import AggregatorObserver
from swapstats.ports.swap_subscription import PartitionOwner, SwapSubscription
from swapstats.roles.aggregator.checkpointer import Checkpointer, SaveOutcome
from swapstats.roles.aggregator.options import AggregatorOptions
from swapstats.roles.aggregator.publisher import ShardPublisher
from swapstats.roles.aggregator.restore import restore_shard
from swapstats.roles.aggregator.run import AggregatorStatus, Place

_IDLE_SNAPSHOT_MS = 60_000
_FENCED_PATIENCE_S = 30.0
_FINAL_FLUSH_MS = 2_000


@dataclass(slots=True)
class _Owned:
    """A shard and where it stands.

    Attributes:
        shard: the state.
        is_published: True once a whole update went out under this epoch.
        target: end of the log when it was restored.
        begun: offset it was restored at.
        append_ms: append time of the last record applied, or when nothing was unread.
        saved_offset: offset of its newest checkpoint.
        saved_ms: T of its newest checkpoint.
        gate_offset: nothing is published before the shard has passed this offset ...
        gate_ms: ... and this T: readers have seen both already.
    """

    shard: Shard
    target: int
    begun: int
    append_ms: int
    is_published: bool = False
    saved_offset: int = -1
    saved_ms: int = 0
    gate_offset: int = 0
    gate_ms: int = 0


class GroupAggregator:
    """Moves the shards of its partitions forward; used from one thread.

    Args:
        config_of: rules of a partition's shard.
        subscribe: joins the group; what it returns calls back on this object.
        store: where checkpoints are kept.
        dead_letters: where refused messages are kept.
        publisher: where new statistics go.
        observer: who measures.
        now_ms: T in service.
        options: limits and cadences.

    Attributes:
        status: what it says of itself; replaced as a whole, safe to read anywhere.
        stale_saves: checkpoints refused because a higher epoch exists.
        problem: why checkpoints cannot be written now, empty if all is well.
    """

    def __init__(
        self,
        config_of: Callable[[int], ShardConfig],
        subscribe: Callable[[PartitionOwner], SwapSubscription],
        store: CheckpointStore,
        dead_letters: DeadLetterStore,
        publisher: ShardPublisher,
        observer: AggregatorObserver,
        now_ms: Callable[[], int],
        options: AggregatorOptions,
    ) -> None:
        self.status = AggregatorStatus(False, 0.0, "waiting for partitions", (), {}, 0)
        self.stale_saves = 0
        self.problem = ""
        self._config_of = config_of
        self._store = store
        self._dead_letters = dead_letters
        self._publisher = publisher
        self._observer = observer
        self._now_ms = now_ms
        self._options = options
        self._checkpointer = Checkpointer(store, observer)
        self._owned: dict[int, _Owned] = {}
        self._fenced_at: dict[int, float] = {}
        self._saved_at = time.monotonic()
        self._subscription = subscribe(self)

    @property
    def shards(self) -> dict[int, Shard]:
        """The shards owned now, by partition."""
        return {partition: owned.shard for partition, owned in self._owned.items()}

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; then give everything up in good order.

        Raises:
            SwapstatsError: what made it fail; see the ports.
        """
        try:
            while not stop.is_set():
                self.turn()
        finally:
            try:
                self._subscription.close()
            finally:
                self._checkpointer.close()

    def turn(self) -> int:
        """One round: take what came, let time pass, publish, save; returns records applied."""
        try:
            batches = self._subscription.poll(self._options.tick_ms)
            self.problem = ""
        except Transient as error:
            self.problem = str(error)
            batches = []
            time.sleep(self._options.tick_ms / 1_000)  # the log is away: nothing to wait for
        for batch in batches:
            self._apply(batch)
        now_ms = self._now_ms()
        for owned in list(self._owned.values()):
            if now_ms - owned.shard.t_ms >= self._options.tick_ms:
                self._carry_out(owned, owned.shard.tick(now_ms))
        self._heed_publisher()
        self._look_around()
        self._save_if_due()
        return sum(len(batch) for batch in batches)

    def assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """Take partitions over: restore their shards; see `restore.restore_shard`."""
        starts, ends = self._subscription.start_offsets(), self._subscription.end_offsets()
        found: dict[int, int] = {}
        for partition in partitions:
            now_ms = self._now_ms()
            shard = restore_shard(
                self._config_of(partition),
                starts[partition],
                ends[partition],
                self._store,
                self._options,
                now_ms,
            )
            self._owned[partition] = _Owned(
                shard=shard,
                target=ends[partition],
                begun=shard.next_offset,
                append_ms=now_ms,
                saved_offset=shard.next_offset,
                saved_ms=shard.t_ms,
            )
            self._fenced_at.pop(partition, None)
            found[partition] = shard.next_offset
        return found

    def revoked(self, partitions: Sequence[int]) -> None:
        """Give partitions up: a last checkpoint, then nothing more is written."""
        self._take(self._checkpointer.wait())
        leaving = [self._owned[p] for p in partitions if p in self._owned]
        self._publisher.flush(_FINAL_FLUSH_MS)
        self._checkpointer.begin(
            owned.shard for owned in leaving if owned.shard.next_offset != owned.saved_offset
        )
        self._take(self._checkpointer.wait())
        self._drop(partitions)

    def lost(self, partitions: Sequence[int]) -> None:
        """Forget partitions that somebody else owns already."""
        self._drop(partitions)

    def _drop(self, partitions: Sequence[int]) -> None:
        for partition in partitions:
            self._owned.pop(partition, None)
            self._fenced_at.pop(partition, None)
            self._publisher.forget(partition)

    def _apply(self, batch: RecordBatch) -> None:
        owned = self._owned.get(batch.partition)
        if owned is None:
            return
        began = time.perf_counter()
        effects = owned.shard.apply(batch, self._now_ms())
        owned.append_ms = int(batch.append_ms[-1])
        self._carry_out(owned, effects)
        took_ms = (time.perf_counter() - began) * 1_000
        self._observer.applied(batch.partition, effects, took_ms)

    def _carry_out(self, owned: _Owned, effects: Effects) -> None:
        """Perform the effects of one call, in the order that a crash allows."""
        if effects.dead_letters:
            self._dead_letters.put(effects.dead_letters)
        shard = owned.shard
        if owned.is_published:
            self._publisher.publish(effects.update, self._lag_ms(owned))
        elif self._may_begin(owned):
            owned.is_published = True
            self._publisher.publish(shard.whole(), self._lag_ms(owned))

    def _may_begin(self, owned: _Owned) -> bool:
        """Whether a restored shard has passed everything that readers have seen of it."""
        shard = owned.shard
        if shard.next_offset < owned.gate_offset or shard.t_ms < owned.gate_ms:
            return False
        try:
            head = self._publisher.head(shard.config.partition)
        except Transient as error:
            self.problem = str(error)
            return False
        if head is not None and head.epoch < shard.epoch:
            # The owner before may have gone on after the first look.
            owned.gate_offset, owned.gate_ms = head.offset, head.t_ms
        return shard.next_offset >= owned.gate_offset and shard.t_ms >= owned.gate_ms

    def _heed_publisher(self) -> None:
        wanted, fenced = self._publisher.take_requests()
        for partition in wanted:
            owned = self._owned.get(partition)
            if owned is not None and owned.is_published:
                self._publisher.publish(owned.shard.whole(), self._lag_ms(owned))
        for partition, epoch in fenced:
            self._step_back(partition, epoch)
        for partition, since in self._fenced_at.items():
            if time.monotonic() - since > _FENCED_PATIENCE_S:
                raise Fenced(
                    f"Expected to own partition {partition}, was taken over, and the group still "
                    "gives it to this process: stop the second group that uses these stores"
                )

    def _step_back(self, partition: int, epoch: int) -> None:
        """Stop writing for a shard that has a newer owner; the group will say so too."""
        owned = self._owned.get(partition)
        if owned is not None and owned.shard.epoch == epoch:
            self._drop([partition])
            self._fenced_at[partition] = time.monotonic()

    def _lag_ms(self, owned: _Owned) -> int:
        ends = self._subscription.end_offsets()
        if owned.shard.next_offset >= ends.get(owned.shard.config.partition, 0):
            return 0
        return max(0, self._now_ms() - owned.append_ms)

    def _look_around(self) -> None:
        """Note where everything stands."""
        ends = self._subscription.end_offsets()
        now_ms = self._now_ms()
        places = []
        for partition, owned in sorted(self._owned.items()):
            offset, end = owned.shard.next_offset, ends.get(partition, 0)
            lag_ms = max(0, now_ms - owned.append_ms) if offset < end else 0
            if offset >= end:
                owned.append_ms = now_ms
            places.append(Place(partition, offset, end, owned.shard.t_ms, lag_ms))
            self._observer.position(partition, offset, end, lag_ms)
        shards = [owned.shard for owned in self._owned.values()]
        token_count = sum(shard.tokens.count for shard in shards)
        self._observer.tokens(token_count)
        todo = sum(max(0, owned.target - owned.begun) for owned in self._owned.values())
        left = sum(max(0, o.target - o.shard.next_offset) for o in self._owned.values())
        ready = left == 0 and all(owned.is_published for owned in self._owned.values())
        phase = "live" if self._owned else "waiting for partitions"
        self.status = AggregatorStatus(
            ready=ready,
            progress=1.0 - left / todo if todo else 1.0,
            phase=phase if ready else "catching up",
            places=tuple(places),
            counters={name: sum(s.counters[name] for s in shards) for name in COUNTER_NAMES},
            token_count=token_count,
        )

    def _save_if_due(self) -> None:
        self._take(self._checkpointer.take())
        interval_s = self._options.snapshot_interval_ms / 1_000
        if self._checkpointer.is_saving or time.monotonic() - self._saved_at < interval_s:
            return
        self._saved_at = time.monotonic()
        self._checkpointer.begin(
            owned.shard
            for owned in self._owned.values()
            if owned.shard.next_offset != owned.saved_offset
            or owned.shard.t_ms - owned.saved_ms >= _IDLE_SNAPSHOT_MS
        )
        self._subscription.commit(
            {p: owned.saved_offset for p, owned in self._owned.items() if owned.saved_offset >= 0}
        )

    def _take(self, outcomes: list[SaveOutcome]) -> None:
        """Note what was written, step back from what is fenced, try again what could not be."""
        for outcome in outcomes:
            owned = self._owned.get(outcome.partition)
            if outcome.error is None:
                self.problem = ""
                if owned is not None and owned.shard.epoch == outcome.epoch:
                    owned.saved_offset = outcome.next_offset
                    owned.saved_ms = owned.shard.t_ms
            elif isinstance(outcome.error, Fenced):
                self.stale_saves += 1
                self._step_back(outcome.partition, outcome.epoch)
            elif isinstance(outcome.error, Transient):
                self.problem = str(outcome.error)
            else:
                raise outcome.error
