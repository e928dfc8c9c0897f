"""The aggregator's loop: read, apply, carry out the effects, checkpoint.

It decides nothing: `core.shard` does. A partition that is assigned is restored from its newest
checkpoint under a higher epoch; one that is revoked leaves a checkpoint behind; one that is lost
is dropped without a word, for somebody else owns it already, and the stores refuse what this
process would still write. With the embedded log there is one member, which owns everything.

Effects are carried out in the order of `_carry_out`; a crash between any two steps is repaired by
starting again: a checkpoint is state and offset in one write, made once all before it is safe.
"""

import contextlib
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig
from swapstats.errors import Fenced, Transient
from swapstats.model.effects import Effects
from swapstats.model.record import RecordBatch
from swapstats.model.series import SeriesAnswer
from swapstats.ports.checkpoint_store import CheckpointStore
from swapstats.ports.dead_letters import DeadLetterSink
from swapstats.ports.observer import AggregatorObserver
from swapstats.ports.stats_publisher import StatsPublisher
from swapstats.ports.swap_subscription import PartitionOwner, SwapSubscription
from swapstats.roles.aggregator.archiving import Archiving, Piece, pieces
from swapstats.roles.aggregator.checkpointer import Checkpointer, SaveOutcome
from swapstats.roles.aggregator.known_pairs import KnownPairs
from swapstats.roles.aggregator.options import AggregatorOptions
from swapstats.roles.aggregator.owned import OwnedShard
from swapstats.roles.aggregator.restore import restore_shard
from swapstats.roles.aggregator.series_desk import SeriesDesk
from swapstats.roles.aggregator.status import AggregatorStatus, Place, status_of
from swapstats.roles.aggregator.taken_over import TakenOver
from swapstats.roles.archiver import Archiver

_FINAL_FLUSH_MS = 2_000


class Aggregator:
    """Moves the shards of its partitions forward; used from one thread.

    Args:
        config_of: rules of a partition's shard.
        subscribe: opens the log; what it returns calls back on this object.
        store: where checkpoints are kept.
        dead_letters: where refused messages are kept.
        publisher: where new statistics go.
        observer: who measures.
        now_ms: T in service; under the event clock a lower bound (0 for none).
        options: limits and cadences.
        archiver: takes what shards decided into the archive; None = nobody does.
        pairs: what is known from before the windows; None = nothing.
        wake: set it to end a wait for records.
        on_restored: told T of each restored shard.

    Attributes:
        status: what it says of itself; replaced as a whole at every turn.
        stale_saves: checkpoints refused because a higher epoch exists.
        archiving: its side of the archive.
    """

    def __init__(
        self,
        config_of: Callable[[int], ShardConfig],
        subscribe: Callable[[PartitionOwner], SwapSubscription],
        store: CheckpointStore,
        dead_letters: DeadLetterSink,
        publisher: StatsPublisher,
        observer: AggregatorObserver,
        now_ms: Callable[[], int],
        options: AggregatorOptions,
        *,
        archiver: Archiver | None = None,
        pairs: KnownPairs | None = None,
        wake: threading.Event | None = None,
        on_restored: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.status = AggregatorStatus()
        self.stale_saves = 0
        self.wake = wake or threading.Event()
        self._config_of = config_of
        self._store = store
        self._dead_letters = dead_letters
        self._publisher = publisher
        self._observer = observer
        self._now_ms = now_ms
        self._options = options
        self.archiving = Archiving(archiver, accept_gap=options.accept_gap)
        self._pairs = pairs or KnownPairs()
        self._on_restored = on_restored
        self._checkpointer = Checkpointer(store, observer, archiver)
        self._series = SeriesDesk()
        self._owned: dict[int, OwnedShard] = {}
        self._taken_over = TakenOver()
        self._ends: Mapping[int, int] = {}
        self._problems: dict[str, str] = {}
        self._failed = False
        self._saved_at = time.monotonic()
        self._subscription = subscribe(self)

    @property
    def shards(self) -> dict[int, Shard]:
        """The shards owned now, by partition."""
        return {partition: owned.shard for partition, owned in self._owned.items()}

    @property
    def problem(self) -> str:
        """What keeps it from reading, publishing or saving now; empty if all is well."""
        return next((said for said in self._problems.values() if said), "")

    def restore(self) -> None:
        """Take over what is given at once (embedded: all); see `restore.restore_shard`."""
        self._subscription.poll(0, hold=True)
        self._begin_publishing()
        self._look_around()

    def run(self, stop: threading.Event, drain: threading.Event | None = None) -> None:
        """Work until `stop` is set; leaves a last checkpoint behind.

        Args:
            stop: set it to stop after the present round.
            drain: set it to stop as soon as every record in the log is applied.

        Raises:
            SwapstatsError: what made it fail; see the ports.
        """
        try:
            while not stop.is_set():
                ends_here = drain is not None and drain.is_set()
                if self.turn(0 if ends_here else self._options.tick_ms) == 0 and (
                    ends_here and self.caught_up()
                ):
                    break
                self.checkpoint_if_due()
            self.checkpoint()
        finally:
            self._series.refuse()

    def turn(self, wait_ms: int = 0) -> int:
        """One round: take what came, let time pass, publish; returns records applied.

        Args:
            wait_ms: how long to wait for records.
        """
        self._series.answer(self.shards)
        batches = self._read(wait_ms)
        try:
            for batch in batches:
                self._apply(batch)
            self._let_time_pass()
        except BaseException:
            self._failed = True  # a state that is half changed must not be saved
            raise
        self._heed_others()
        self._begin_publishing()
        self._look_around()
        return sum(len(batch) for batch in batches)

    def share_t(self, *, only_new_steps: bool = False) -> int:
        """Bring all shards to the newest T among them (event clock); returns it.

        Args:
            only_new_steps: leave shards alone whose windows would not move.
        """
        t_ms = max((owned.shard.t_ms for owned in self._owned.values()), default=0)
        for owned in self._owned.values():
            shard = owned.shard
            moves = shard.windows.end_ms < shard.config.spec.end_ms(t_ms)
            if shard.t_ms < t_ms and (moves or not only_new_steps):
                self._carry_out(owned, shard.tick(t_ms))
        return t_ms

    def caught_up(self) -> bool:
        """True if every record in the log has been applied."""
        ends = self._subscription.end_offsets()
        return all(shard.next_offset >= ends[p] for p, shard in self.shards.items())

    def checkpoint_if_due(self) -> None:
        """Begin a checkpoint when it is time and the one before is written."""
        self._take(self._checkpointer.take())
        interval_s = self._options.snapshot_interval_ms / 1_000
        if not self._checkpointer.is_saving and time.monotonic() - self._saved_at >= interval_s:
            self._begin_saving()

    def checkpoint(self) -> None:
        """Write a checkpoint of everything that changed and wait for it.

        Raises:
            SwapstatsError: it could not be written, and never will.
        """
        self._take(self._checkpointer.wait())
        self._begin_saving()
        self._take(self._checkpointer.wait())

    def safe_offsets(self) -> list[int]:
        """Offsets the two newest checkpoints do not need any more, by partition."""
        saved = {partition: owned.saved[0] for partition, owned in self._owned.items()}
        return [saved.get(number, 0) for number in range(self._subscription.partition_count)]

    def request_series(self, key: str, partition: int, span_ms: int) -> Future[SeriesAnswer]:
        """Ask for a token's last buckets; answered by the loop between two batches.

        Raises:
            Transient: too many requests wait already.
        """
        answer = self._series.request(key, partition, span_ms)
        self.wake.set()
        return answer

    def close(self) -> None:
        """Release the checkpoint thread, no more: nothing is saved."""
        self._checkpointer.close()

    def leave(self) -> None:
        """Give every partition up, with a last checkpoint unless it failed, and `close`."""
        with contextlib.closing(self._checkpointer):
            self._subscription.close()

    def assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """Take partitions over: restore their shards; see `restore.restore_shard`."""
        starts, ends = self._subscription.start_offsets(), self._subscription.end_offsets()
        self._taken_over.forget(partitions)
        is_fresh = not self._owned
        try:
            for done, partition in enumerate(partitions):
                self._take_over(partition, starts[partition], ends[partition])
                if is_fresh:
                    self.status = AggregatorStatus(progress=0.5 * (done + 1) / len(partitions))
        except BaseException:
            self._drop(partitions)  # the group was not told yes, and will not take them back
            raise
        return {partition: self._owned[partition].shard.next_offset for partition in partitions}

    def _take_over(self, partition: int, first: int, end: int) -> None:
        now_ms, config = self._now_ms(), self._config_of(partition)
        shard = restore_shard(config, first, end, self._store, self._options, now_ms)
        owned = OwnedShard(shard, end, now_ms)
        self.archiving.take_over(owned)
        self._owned[partition] = owned
        self._on_restored(shard.t_ms)

    def revoked(self, partitions: Sequence[int]) -> None:
        """Give partitions up: a last checkpoint, then nothing more is written."""
        self._take(self._checkpointer.wait())
        leaving = [self._owned[p] for p in partitions if p in self._owned]
        self._publisher.flush(_FINAL_FLUSH_MS)
        if not self._failed:
            self._checkpointer.begin(owned.shard for owned in leaving if owned.is_changed)
            self._take(self._checkpointer.wait())
        self._drop(partitions)

    def lost(self, partitions: Sequence[int]) -> None:
        """Forget partitions that somebody else owns already."""
        self._drop(partitions)

    def _drop(self, partitions: Sequence[int]) -> None:
        self._taken_over.forget(partitions)
        for partition in partitions:
            self._owned.pop(partition, None)
            self._publisher.forget(partition)
            self.archiving.release(partition)

    def _read(self, wait_ms: int) -> list[RecordBatch]:
        """Take what came; nothing while so much waits for the archive that more may not come."""
        hold = not self.archiving.has_room
        behind = "the archive is too far behind to go on"
        self._problems["archive"] = behind if hold else self.archiving.problem
        self._problems["log"] = ""
        try:
            return self._subscription.poll(wait_ms, hold=hold)
        except Transient as error:
            self._problems["log"] = str(error)
            self.wake.wait(self._options.tick_ms / 1_000)
            return []

    def _apply(self, batch: RecordBatch) -> None:
        owned = self._owned.get(batch.partition)
        if owned is not None:
            for piece in pieces(owned, batch, self._now_ms):
                self._apply_piece(owned, piece)

    def _apply_piece(self, owned: OwnedShard, piece: Piece) -> None:
        began = time.perf_counter()
        effects = self._pairs.apply(owned.shard, piece)
        self.archiving.offer(owned, piece.batch, effects.archive, piece.moment_ms)
        owned.append_ms = int(piece.batch.append_ms[-1])
        self._carry_out(owned, effects)
        took_ms = (time.perf_counter() - began) * 1_000
        self._observer.applied(owned.partition, effects, took_ms)

    def _let_time_pass(self) -> None:
        now_ms = self._now_ms()
        for owned in self._owned.values():
            # Noted batches come out equal only if T moves as it did then.
            if not owned.steps and now_ms - owned.shard.t_ms >= self._options.tick_ms:
                self._carry_out(owned, owned.shard.tick(now_ms))
        if self._options.event_clock:
            self.share_t(only_new_steps=True)

    def _carry_out(self, owned: OwnedShard, effects: Effects) -> None:
        """Perform the effects of one call, in the order that a crash allows."""
        if effects.dead_letters:
            self._dead_letters.put(effects.dead_letters)
        if owned.is_published:
            self._publisher.publish(effects.update, self._lag_ms(owned))

    def _begin_publishing(self) -> None:
        """Publish what has passed everything that readers have seen of it."""
        for owned in self._owned.values():
            if owned.is_published or not self._may_begin(owned):
                continue
            owned.is_published = True
            self._publisher.publish(owned.shard.whole(), self._lag_ms(owned))
            if owned.target != owned.begun:
                # Due at once: many short lives must not go the same, ever longer way again.
                self._saved_at = -math.inf

    def _may_begin(self, owned: OwnedShard) -> bool:
        if not owned.has_passed_gate:
            return False
        self._problems["hot store"] = ""
        try:
            return owned.heed(self._publisher.head(owned.partition))
        except Transient as error:
            self._problems["hot store"] = str(error)
            return False

    def _heed_others(self) -> None:
        """Publish whole what the store lacks, and step back where there is a newer owner."""
        wanted, fenced = self._publisher.take_requests()
        for partition in wanted:
            owned = self._owned.get(partition)
            if owned is not None and owned.is_published:
                self._publisher.publish(owned.shard.whole(), self._lag_ms(owned))
        for partition, epoch in fenced | self.archiving.take_fenced():
            self._step_back(partition, epoch)
        self._taken_over.expect_word()

    def _step_back(self, partition: int, epoch: int) -> None:
        """Stop writing for a shard that has a newer owner; the group will say so too."""
        owned = self._owned.get(partition)
        if owned is not None and owned.shard.epoch == epoch:
            self._drop([partition])
            self._taken_over.add(partition)

    def _lag_ms(self, owned: OwnedShard) -> int:
        return owned.lag_ms(self._end_offsets().get(owned.partition, 0), self._now_ms())

    def _end_offsets(self) -> Mapping[int, int]:
        """Ends of the log; while it cannot be reached, as last heard."""
        with contextlib.suppress(Transient):
            self._ends = self._subscription.end_offsets()
        return self._ends

    def _look_around(self) -> None:
        """Note where everything stands."""
        ends, now_ms = self._end_offsets(), self._now_ms()
        places = []
        for partition, owned in sorted(self._owned.items()):
            offset, end = owned.shard.next_offset, ends.get(partition, 0)
            lag_ms = owned.lag_ms(end, now_ms)
            if offset >= end:
                # What comes next is younger than this look, however long the silence was.
                owned.append_ms = now_ms
            places.append(Place(partition, offset, end, owned.shard.t_ms, lag_ms))
            self._observer.position(partition, offset, end, lag_ms)
        self.status = status_of(self._owned.values(), places)
        self._observer.tokens(self.status.token_count)

    def _begin_saving(self) -> None:
        self._saved_at = time.monotonic()
        self._checkpointer.begin(
            owned.shard
            for owned in self._owned.values()
            if owned.is_changed and self.archiving.follows(owned)
        )
        self._subscription.commit({p: owned.saved[-1] for p, owned in self._owned.items()})

    def _take(self, outcomes: list[SaveOutcome]) -> None:
        """Note what was written, step back from what is fenced, try again what could not be."""
        for outcome in outcomes:
            owned = self._owned.get(outcome.partition)
            if outcome.error is None:
                self._problems["checkpoints"] = ""
                if owned is not None and owned.shard.epoch == outcome.epoch:
                    owned.note_saved(outcome.next_offset)
                    self.archiving.forget(owned)
            elif isinstance(outcome.error, Fenced):
                self.stale_saves += 1
                self._step_back(outcome.partition, outcome.epoch)
            elif isinstance(outcome.error, Transient):
                self._problems["checkpoints"] = str(outcome.error)
            else:
                raise outcome.error
