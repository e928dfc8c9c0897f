"""How long a stream stands still while checkpoints are taken and written.

A paced stream is applied in small batches as in service; what counts as a stall is the longest
time one batch took: a snapshot before it, a batch that
must copy frozen buckets, a lock held by the writing thread, all of it shows.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from swapstats.model.record import RecordBatch
from swapstats.roles.bench.engine_path import EnginePath
from swapstats.roles.bench.made_swaps import SteadyStream, cut_records, write_messages

Feed = Iterator[RecordBatch]


@dataclass(slots=True)
class Latencies:
    """Durations of single batches, apart by what went on meanwhile.

    Attributes:
        quiet_ms: batches while no checkpoint was taken or written.
        beside_ms: batches right after a snapshot, the snapshot included, and those applied while
            it was being written.
        messages: messages applied.
    """

    quiet_ms: list[float] = field(default_factory=list)
    beside_ms: list[float] = field(default_factory=list)
    messages: int = 0

    @property
    def quiet_max_ms(self) -> float:
        """Longest without a checkpoint; 0 if there was none."""
        return max(self.quiet_ms, default=0.0)

    @property
    def beside_max_ms(self) -> float:
        """Longest beside a checkpoint; 0 if there was none."""
        return max(self.beside_ms, default=0.0)


def live_batches(
    stream: SteadyStream, first: int, slice_ms: int, shard_offset: int
) -> Iterator[RecordBatch]:
    """What a live stream brings, one batch every `slice_ms`, from message number `first` on."""
    count = max(1, int(stream.rate * slice_ms / 1_000))
    offset = shard_offset
    while True:
        for batch in stream.records(first, first + count, offset, 1 << 20):
            offset = batch.next_offset
            yield batch
        first += count


def run_paced(
    path: EnginePath,
    batches: Feed,
    seconds: float,
    slice_ms: int,
    checkpoint_every_s: float,
    wait: Callable[[float], None],
) -> Latencies:
    """Apply one batch every `slice_ms`, with a checkpoint now and then.

    Args:
        path: what is fed.
        batches: what it is fed; it ends with them.
        seconds: how long at most.
        slice_ms: time between two batches; 0 = one right after the other.
        checkpoint_every_s: time between two checkpoints; 0 = none.
        wait: waits for seconds.
    """
    found = Latencies()
    began = time.perf_counter()
    saved_at = began
    for number, batch in enumerate(batches):
        now = time.perf_counter()
        if now - began >= seconds:
            break
        due = began + number * slice_ms / 1_000
        if slice_ms and now < due:
            wait(due - now)
        started = time.perf_counter()
        beside = path.saving
        if checkpoint_every_s and started - saved_at >= checkpoint_every_s and not beside:
            path.begin_checkpoint()
            saved_at = started
            beside = True
        path.shard.apply(batch, int(batch.append_ms[-1]))
        took_ms = (time.perf_counter() - started) * 1_000
        (found.beside_ms if beside else found.quiet_ms).append(took_ms)
        found.messages += len(batch)
    path.finish_checkpoint()
    return found


def touch_every_bucket(path: EnginePath, number: int) -> RecordBatch:
    """A batch with one new message for each bucket that is held, all of them late."""
    shard = path.shard
    step_ms = shard.config.spec.step_ms
    held = shard.windows.buckets.numbers
    numbers = np.arange(number, number + len(held), dtype=np.int64)
    table = write_messages(numbers, numbers % 100, held * step_ms)
    append_ms = np.full(len(held), shard.t_ms, dtype=np.int64)
    (batch,) = cut_records(table, append_ms, shard.next_offset, len(held))
    return batch
