"""The preprocessor's loop: read raw events, make swaps, write them, save the state.

It decides nothing: `core.preprocess` does. Every batch is carried out in the order of `_carry_out`;
a crash between any two steps is repaired by starting again, which is the same path: the newest
state, its offset, and the records after it once more. The swap log notes with each append up to
which raw offset it has everything, so what is made again is not written again; where a log cannot
note in the same write, what was written last comes twice, bit for bit the same.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from swapstats.errors import Fenced, Transient
from swapstats.model.effects import DeadLetter
from swapstats.model.preprocessed import Preprocessed
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.model.saved_state import SavedState
from swapstats.ports.dead_letters import DeadLetterSink
from swapstats.ports.observer import PreprocessObserver
from swapstats.ports.raw_machine import MakeMachine
from swapstats.ports.state_store import StateStore
from swapstats.ports.swap_log import SwapLog
from swapstats.ports.swap_subscription import PartitionOwner, SwapSubscription
from swapstats.roles.aggregator.taken_over import TakenOver
from swapstats.roles.ingest import Placing
from swapstats.roles.preprocess.options import PreprocessOptions
from swapstats.roles.preprocess.outlets import Outlets
from swapstats.roles.preprocess.owned import OwnedPartition, note_name, note_text, take_over
from swapstats.roles.preprocess.status import PreprocessStatus, RawPlace

LettersSafe = Callable[[int, int], bool]
"""Whether every dead letter of a raw partition below an offset is stored; may wait a little."""


def at_once(_partition: int, _offset: int) -> bool:
    """Dead letters are stored when `put` returns."""
    return True


class Preprocess:
    """Moves the machines of its partitions forward; used from one thread.

    Args:
        make: makes a machine.
        subscribe: opens the raw log; what it returns calls back on this object.
        log: the swap log.
        place: chooses the partitions of swaps.
        store: where states are kept.
        letters: where raw events that became no swap are kept.
        outlets: where candles and prices go.
        observer: who measures.
        now_ms: append times.
        options: limits and cadences.
        letters_safe: asked before a state is saved.
        wake: set it to end a wait for records.
        on_append: called after swaps were appended.

    Attributes:
        status: what it says of itself; replaced as a whole at every turn.
    """

    def __init__(
        self,
        make: MakeMachine,
        subscribe: Callable[[PartitionOwner], SwapSubscription],
        log: SwapLog,
        place: Placing,
        store: StateStore,
        letters: DeadLetterSink,
        outlets: Outlets,
        observer: PreprocessObserver,
        now_ms: Callable[[], int],
        options: PreprocessOptions,
        *,
        letters_safe: LettersSafe = at_once,
        wake: threading.Event | None = None,
        on_append: Callable[[], None] = lambda: None,
    ) -> None:
        self.status = PreprocessStatus()
        self.wake = wake or threading.Event()
        self._make = make
        self._log = log
        self._place = place
        self._store = store
        self._letters = letters
        self._outlets = outlets
        self._observer = observer
        self._now_ms = now_ms
        self._options = options
        self._letters_safe = letters_safe
        self._on_append = on_append
        self._owned: dict[int, OwnedPartition] = {}
        self._taken_over = TakenOver()
        self._problems: dict[str, str] = {}
        self._failed = False
        self._saved_at = time.monotonic()
        self._ends: Mapping[int, int] = {}
        self._subscription = subscribe(self)

    def restore(self) -> None:
        """Take over what is given at once (embedded: all); see `owned.take_over`."""
        self._subscription.poll(0, hold=True)
        self._look_around()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; leaves a last state behind.

        Raises:
            SwapstatsError: what made it fail; see the ports.
        """
        while not stop.is_set():
            self.turn(self._options.wait_ms)
            self.save_if_due()
        self.save()

    def turn(self, wait_ms: int = 0) -> int:
        """One round: take what came; returns records taken.

        Args:
            wait_ms: how long to wait for records.
        """
        batches = self._read(wait_ms)
        try:
            for batch in batches:
                self._apply(batch)
        except BaseException:
            self._failed = True  # the state is ahead of what came of it: it must not be saved
            raise
        self._taken_over.expect_word()
        self._look_around()
        return sum(len(batch) for batch in batches)

    def save_if_due(self) -> None:
        """Save states when it is time."""
        if time.monotonic() - self._saved_at >= self._options.snapshot_interval_ms / 1_000:
            self.save()

    def save(self) -> None:
        """Save the state of every partition that moved on, once all below it is stored.

        Raises:
            SwapstatsError: it could not be written, and never will.
        """
        self._saved_at = time.monotonic()
        moved = [owned for owned in self._owned.values() if owned.next_offset > owned.saved]
        if not moved or self._failed:
            return
        for owned in moved:
            self._save(owned)
        self._subscription.commit({number: owned.saved for number, owned in self._owned.items()})

    def safe_offsets(self) -> list[int]:
        """Raw offsets the saved states do not need any more, by partition."""
        count = self._subscription.partition_count
        return [self._owned[at].saved if at in self._owned else 0 for at in range(count)]

    def leave(self) -> None:
        """Give every partition up, with a last saved state unless it failed."""
        self._subscription.close()

    def assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """Take partitions over; see `owned.take_over`."""
        starts, ends = self._subscription.start_offsets(), self._subscription.end_offsets()
        self._taken_over.forget(partitions)
        try:
            for partition in partitions:
                self._owned[partition] = take_over(
                    partition,
                    starts[partition],
                    ends[partition],
                    self._make,
                    self._store,
                    self._log,
                    raw_name=self._options.raw_name,
                    rebuild=self._options.rebuild,
                    accept_gap=self._options.accept_gap,
                )
        except BaseException:
            self._drop(partitions)
            raise
        return {partition: self._owned[partition].next_offset for partition in partitions}

    def revoked(self, partitions: Sequence[int]) -> None:
        """Give partitions up: a last state, then nothing more is written."""
        if not self._failed:
            for partition in partitions:
                owned = self._owned.get(partition)
                if owned is not None and owned.next_offset > owned.saved:
                    self._save(owned)
        self._drop(partitions)

    def lost(self, partitions: Sequence[int]) -> None:
        """Forget partitions that somebody else owns already."""
        self._drop(partitions)

    def _drop(self, partitions: Sequence[int]) -> None:
        self._taken_over.forget(partitions)
        for partition in partitions:
            owned = self._owned.pop(partition, None)
            if owned is not None:
                self._outlets.forget(owned.writer)

    def _read(self, wait_ms: int) -> list[RecordBatch]:
        self._problems["raw log"] = ""
        self._problems["outlets"] = self._outlets.problem
        try:
            return self._subscription.poll(wait_ms, hold=not self._outlets.has_room)
        except Transient as error:
            self._problems["raw log"] = str(error)
            self.wake.wait(self._options.wait_ms / 1_000)
            return []

    def _apply(self, batch: RecordBatch) -> None:
        owned = self._owned.get(batch.partition)
        if owned is None:
            return
        began = time.perf_counter()
        made = owned.machine.apply(batch)
        self._carry_out(owned, batch, made)
        took_ms = (time.perf_counter() - began) * 1_000
        self._observer.preprocessed(batch.partition, len(batch), made, took_ms)

    def _carry_out(self, owned: OwnedPartition, batch: RecordBatch, made: Preprocessed) -> None:
        """Perform what one batch became, in the order that a crash allows."""
        offsets = batch.offsets.tolist()
        swaps = [
            swap
            for swap, origin in zip(made.swaps, made.origins, strict=True)
            if offsets[origin] >= owned.noted
        ]
        if swaps:
            self._append(owned, swaps, batch.next_offset)
        letters = [
            DeadLetter(
                batch.partition,
                offsets[refused.index],
                int(batch.append_ms[refused.index]),
                refused.reason,
                refused.detail,
                batch.message(refused.index),
            )
            for refused in made.refused
            if refused.is_letter
        ]
        if letters:
            self._letters.put(letters)
        self._outlets.offer(made, owned.writer)
        owned.next_offset = batch.next_offset
        owned.append_ms = int(batch.append_ms[-1])

    def _append(self, owned: OwnedPartition, swaps: list[bytes], next_offset: int) -> None:
        """Write swaps, with how far the raw log is taken in the same append."""
        block, now_ms = MessageBlock.of(swaps), self._now_ms()
        noted = max(owned.noted, next_offset)
        self._log.append(
            block,
            self._place(block, self._log.partition_count, now_ms),
            now_ms,
            {note_name(owned.partition): note_text(noted, owned.writer.epoch)},
        )
        owned.noted = noted
        if swaps:
            self._on_append()

    def _save(self, owned: OwnedPartition) -> None:
        """Save a partition's state, or say why it waits."""
        self._problems["state"] = self._what_waits(owned)
        if self._problems["state"]:
            return
        began = time.perf_counter()
        try:
            if owned.noted < owned.next_offset:
                self._append(owned, [], owned.next_offset)
            blob = owned.machine.snapshot()
            state = SavedState(owned.writer.epoch, owned.next_offset, blob)
            self._store.save(owned.partition, state)
        except Transient as error:
            self._problems["state"] = str(error)
        except Fenced:
            # A newer owner has it, and the group will say so too.
            self._drop([owned.partition])
            self._taken_over.add(owned.partition)
        else:
            owned.saved = state.next_offset
            took_ms = (time.perf_counter() - began) * 1_000
            self._observer.state_saved(owned.partition, len(blob), took_ms)

    def _what_waits(self, owned: OwnedPartition) -> str:
        """What below a state is not stored yet; empty if nothing."""
        if not self._letters_safe(owned.partition, owned.next_offset):
            return "the state waits for dead letters to be stored"
        if not self._outlets.drain(self._options.drain_ms):
            return f"the state waits for candles and prices: {self._outlets.problem or 'slow'}"
        return ""

    def _look_around(self) -> None:
        """Note where everything stands."""
        with contextlib.suppress(Transient):
            self._ends = self._subscription.end_offsets()
        now_ms = self._now_ms()
        places = []
        for partition, owned in sorted(self._owned.items()):
            end = max(self._ends.get(partition, 0), owned.next_offset)
            if owned.next_offset >= end or not owned.append_ms:
                owned.append_ms = now_ms
            lag_ms = 0 if owned.next_offset >= end else max(0, now_ms - owned.append_ms)
            places.append(RawPlace(partition, owned.next_offset, end, lag_ms))
            self._observer.raw_position(partition, owned.next_offset, end, lag_ms)
        problem = next((said for said in self._problems.values() if said), "")
        self.status = PreprocessStatus(tuple(places), problem, self.status.turns + 1)
