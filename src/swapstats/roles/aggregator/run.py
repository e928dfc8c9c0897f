"""The aggregator's loop: read, apply, carry out the effects, checkpoint.

It decides nothing: `core.shard` does. The order in which effects are carried out is written in
`_carry_out`; a crash between any two steps is repaired by starting again (`restore`), because
state and offset are one write and every effect before it can be repeated.
"""

import math
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig
from swapstats.errors import Transient
from swapstats.model.effects import COUNTER_NAMES, Effects
from swapstats.model.series import SeriesAnswer
from swapstats.ports.checkpoint_store import CheckpointStore
from swapstats.ports.dead_letters import DeadLetterStore
from swapstats.ports.fan_out import FanOut
from swapstats.ports.observer import AggregatorObserver
from swapstats.ports.swap_log import SwapLogReader
from swapstats.roles.aggregator.checkpointer import Checkpointer, SaveOutcome
from swapstats.roles.aggregator.options import AggregatorOptions
from swapstats.roles.aggregator.restore import restore_shard

_REQUESTS_MAX = 256
_IDLE_SNAPSHOT_MS = 60_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where one partition stands.

    Attributes:
        partition: number.
        next_offset: next offset to be read.
        end_offset: offset the next record will get.
        t_ms: the shard's T.
        lag_ms: while anything is unread, now - append time of the last record read or, if later,
            the last moment when nothing was unread; else 0.
    """

    partition: int
    next_offset: int
    end_offset: int
    t_ms: int
    lag_ms: int


@dataclass(frozen=True, slots=True)
class AggregatorStatus:
    """What the aggregator says of itself; replaced as a whole, safe to read anywhere.

    Attributes:
        ready: True once every shard has passed the end the log had at the start.
        progress: 0.0 to 1.0 on the way there.
        phase: `restoring`, `catching up` or `live`.
        places: by partition.
        counters: totals over all shards.
        token_count: tokens known over all shards.
    """

    ready: bool
    progress: float
    phase: str
    places: tuple[Place, ...]
    counters: dict[str, int]
    token_count: int


class Aggregator:
    """Owns shards and moves them forward; used from one thread.

    Args:
        configs: one per shard.
        log: where records are read.
        store: where checkpoints are kept.
        dead_letters: where refused messages are kept.
        fan_out: where new statistics go.
        observer: who measures.
        now_ms: T in service; under the event clock a lower bound (0 for none).
        options: limits and cadences.
    """

    def __init__(
        self,
        configs: Sequence[ShardConfig],
        log: SwapLogReader,
        store: CheckpointStore,
        dead_letters: DeadLetterStore,
        fan_out: FanOut,
        observer: AggregatorObserver,
        now_ms: Callable[[], int],
        options: AggregatorOptions,
    ) -> None:
        self._configs = configs
        self._log = log
        self._store = store
        self._dead_letters = dead_letters
        self._fan_out = fan_out
        self._observer = observer
        self._now_ms = now_ms
        self._options = options
        self._checkpointer = Checkpointer(store, observer)
        self._saved_at = time.monotonic()
        self._saved_offsets: dict[int, list[int]] = {}
        self._saved_t: dict[int, int] = {}
        self._requests: queue.Queue[tuple[str, int, int, Future[SeriesAnswer]]] = queue.Queue(
            _REQUESTS_MAX
        )
        self._append_ms: dict[int, int] = {}
        self._targets: dict[int, int] = {}
        self._begun: dict[int, int] = {}
        self._ready = False
        self.shards: dict[int, Shard] = {}
        self.wake = threading.Event()
        self.status = AggregatorStatus(False, 0.0, "restoring", (), {}, 0)

    def restore(self) -> None:
        """Bring every shard back; see `restore.restore_shard` for what can be wrong."""
        starts, ends = self._log.start_offsets(), self._log.end_offsets()
        for done, config in enumerate(self._configs):
            first, end = starts[config.partition], ends[config.partition]
            shard = restore_shard(config, first, end, self._store, self._options, self._now_ms())
            self.shards[config.partition] = shard
            self._saved_offsets[config.partition] = [shard.next_offset]
            self._begun[config.partition] = shard.next_offset
            self.status = AggregatorStatus(
                False, 0.5 * (done + 1) / len(self._configs), "restoring", (), {}, 0
            )
        ends = self._log.end_offsets()
        self._targets = {partition: ends[partition] for partition in self.shards}
        self._look_around()

    def run(self, stop: threading.Event, drain: threading.Event | None = None) -> None:
        """Work from a restored state on; leaves a last checkpoint behind.

        Args:
            stop: set it to stop after the present round.
            drain: set it to stop as soon as every record in the log is applied.
        """
        try:
            while not stop.is_set():
                ends_here = drain is not None and drain.is_set()
                if self.poll() == 0:
                    if ends_here and self.caught_up():
                        break
                    self.wake.wait(self._options.tick_ms / 1_000)
                    self.wake.clear()
                self.checkpoint_if_due()
            self.checkpoint()
        finally:
            self._checkpointer.close()
            self._refuse_requests()

    def poll(self) -> int:
        """Give every shard its next chunk of records, or a tick; returns records taken."""
        self._answer_requests()
        ends = self._log.end_offsets()
        taken = 0
        for partition, shard in self.shards.items():
            now_ms = self._now_ms()
            if shard.next_offset < ends[partition]:
                taken += self._apply_next(partition, shard, now_ms)
            elif now_ms - shard.t_ms >= self._options.tick_ms:
                self._carry_out(shard.tick(now_ms))
        if self._options.event_clock:
            self.share_t(only_new_steps=True)
        self._look_around()
        return taken

    def share_t(self, *, only_new_steps: bool = False) -> int:
        """Bring all shards to the newest T among them (event clock); returns it.

        Args:
            only_new_steps: leave shards alone whose windows would not move.
        """
        t_ms = max((shard.t_ms for shard in self.shards.values()), default=0)
        for shard in self.shards.values():
            moves = shard.windows.end_ms < shard.config.spec.end_ms(t_ms)
            if shard.t_ms < t_ms and (moves or not only_new_steps):
                self._carry_out(shard.tick(t_ms))
        return t_ms

    def caught_up(self) -> bool:
        """True if every record in the log has been applied."""
        ends = self._log.end_offsets()
        return all(shard.next_offset >= ends[p] for p, shard in self.shards.items())

    def checkpoint_if_due(self) -> None:
        """Begin a checkpoint when it is time and the one before is written."""
        self._take_saved(self._checkpointer.take())
        due = time.monotonic() - self._saved_at >= self._options.snapshot_interval_ms / 1_000
        if due and not self._checkpointer.is_saving:
            self._begin_saving()

    def checkpoint(self) -> None:
        """Write a checkpoint of everything and wait for it."""
        self._take_saved(self._checkpointer.wait())
        self._begin_saving()
        self._take_saved(self._checkpointer.wait())

    def safe_offsets(self) -> list[int]:
        """Offsets the two newest checkpoints do not need any more, by partition."""
        return [
            self._saved_offsets.get(partition, [0])[0]
            for partition in range(self._log.partition_count)
        ]

    def request_series(self, key: str, partition: int, span_ms: int) -> Future[SeriesAnswer]:
        """Ask for a token's last buckets; answered by the loop between two batches.

        Raises:
            Transient: too many requests wait already.
        """
        answer: Future[SeriesAnswer] = Future()
        try:
            self._requests.put_nowait((key, partition, span_ms, answer))
        except queue.Full:
            raise Transient("too many series are asked for at once") from None
        self.wake.set()
        return answer

    def close(self) -> None:
        """Release the checkpoint thread of an aggregator that was driven by hand."""
        self._checkpointer.close()

    def _apply_next(self, partition: int, shard: Shard, now_ms: int) -> int:
        batch = self._log.read(partition, shard.next_offset, self._options.chunk_bytes_max)
        if batch is None or len(batch) == 0:
            return 0
        began = time.perf_counter()
        effects = shard.apply(batch, now_ms)
        self._carry_out(effects)
        self._append_ms[partition] = int(batch.append_ms[-1])
        self._observer.applied(partition, effects, (time.perf_counter() - began) * 1_000)
        return len(batch)

    def _carry_out(self, effects: Effects) -> None:
        """Perform the effects of one call, in the order that a crash allows."""
        if effects.dead_letters:
            self._dead_letters.put(effects.dead_letters)
        if self._ready:
            self._fan_out.publish(effects.update)

    def _look_around(self) -> None:
        """Note where everything stands; on reaching the old end of the log, begin to publish."""
        ends = self._log.end_offsets()
        now_ms = self._now_ms()
        places = []
        for partition, shard in self.shards.items():
            unread = shard.next_offset < ends[partition]
            appended_ms = self._append_ms.get(partition, now_ms)
            lag_ms = max(0, now_ms - appended_ms) if unread else 0
            if not unread:
                # What comes next is younger than this look, however long the silence was.
                self._append_ms[partition] = now_ms
            place = Place(partition, shard.next_offset, ends[partition], shard.t_ms, lag_ms)
            places.append(place)
            self._observer.position(partition, place.next_offset, place.end_offset, lag_ms)
        token_count = sum(shard.tokens.count for shard in self.shards.values())
        self._observer.tokens(token_count)
        if not self._ready:
            self._ready = all(
                place.next_offset >= self._targets[place.partition] for place in places
            )
            if self._ready:
                for shard in self.shards.values():
                    self._fan_out.publish(shard.whole())
                if self._targets != self._begun:
                    # Due at once: many short lives must not go the same, ever longer way again.
                    self._saved_at = -math.inf
        self.status = AggregatorStatus(
            ready=self._ready,
            progress=1.0 if self._ready else self._progress(places),
            phase="live" if self._ready else "catching up",
            places=tuple(places),
            counters={
                name: sum(shard.counters[name] for shard in self.shards.values())
                for name in COUNTER_NAMES
            },
            token_count=token_count,
        )

    def _progress(self, places: list[Place]) -> float:
        """How far the way to the old end of the log is done: the second half of the restore."""
        begun = sum(self._begun.values())
        todo = sum(self._targets.values()) - begun
        done = sum(place.next_offset for place in places) - begun
        return 0.5 + 0.5 * min(1.0, done / todo) if todo else 1.0

    def _begin_saving(self) -> None:
        """Take snapshots by reference; another thread encodes and writes them."""
        self._saved_at = time.monotonic()
        due = []
        for partition, shard in self.shards.items():
            moved = shard.next_offset != self._saved_offsets[partition][-1]
            aged = shard.t_ms - self._saved_t.get(partition, 0) >= _IDLE_SNAPSHOT_MS
            if moved or aged:
                self._saved_t[partition] = shard.t_ms
                due.append(shard)
        self._checkpointer.begin(due)

    def _take_saved(self, outcomes: list[SaveOutcome]) -> None:
        """Note what is safe now; a checkpoint that could not be written is raised here."""
        for outcome in outcomes:
            if outcome.error is not None:
                raise outcome.error
            offsets = self._saved_offsets[outcome.partition]
            self._saved_offsets[outcome.partition] = [*offsets, outcome.next_offset][-2:]

    def _answer_requests(self) -> None:
        while True:
            try:
                key, partition, span_ms, answer = self._requests.get_nowait()
            except queue.Empty:
                return
            if not answer.set_running_or_notify_cancel():
                continue
            shard = self.shards[partition]
            answer.set_result(
                SeriesAnswer(
                    as_of_ms=shard.t_ms,
                    end_ms=shard.windows.end_ms,
                    step_ms=shard.config.spec.step_ms,
                    points=shard.series(key, span_ms),
                )
            )

    def _refuse_requests(self) -> None:
        """Tell those who still wait that nobody will answer."""
        while not self._requests.empty():
            answer = self._requests.get_nowait()[3]
            if answer.set_running_or_notify_cancel():
                answer.set_exception(Transient("the aggregator has stopped"))
