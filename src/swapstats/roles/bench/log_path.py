"""The full path with the durable log in it: append in one thread, read back and apply in another.

The writer's thread does what `roles.ingest` does for a source, the aggregator is the one that
runs in service, with its own reads and checkpoints.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from swapstats.core.decode import choose_partitions
from swapstats.core.hash_key import HashKey
from swapstats.core.shard_config import ShardConfig
from swapstats.ports.swap_log import SwapLog
from swapstats.roles.aggregator.options import AggregatorOptions
from swapstats.roles.aggregator.run import Aggregator
from swapstats.roles.bench.streams import Batch

_APPENDS_AHEAD_MAX = 2
CHUNK_BYTES_MAX = 4 << 20
"""As the default of `ingest.max_bytes`."""


MakeAggregator = Callable[[ShardConfig, Callable[[], int], AggregatorOptions], Aggregator]
"""Makes the aggregator of a log out of the rules of its shards, T, and its limits."""


class LogPath:
    """A log, its writer and its aggregator.

    Args:
        config: what shapes the shards; the partition number is set for each.
        log: an empty log.
        make_aggregator: makes what reads it, with empty stores.
    """

    def __init__(self, config: ShardConfig, log: SwapLog, make_aggregator: MakeAggregator) -> None:
        self._log = log
        self._key: HashKey = config.key
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="log-writer")
        self._position = 0
        self._event_clock = config.event_clock
        self._appended_ms = 0
        self.aggregator = make_aggregator(
            config,
            self._now_ms,
            AggregatorOptions(chunk_bytes_max=CHUNK_BYTES_MAX, event_clock=config.event_clock),
        )
        self.aggregator.restore()

    def run(self, batches: Sequence[Batch]) -> int:
        """Append every batch and apply everything; ends with a whole checkpoint.

        Returns:
            Number of messages.
        """
        appends: deque[Future[None]] = deque()
        left = deque(batches)
        while left or appends:
            while left and len(appends) < _APPENDS_AHEAD_MAX:
                appends.append(self._writer.submit(self._append, left.popleft()))
            appends.popleft().result()
            self.aggregator.turn()
            self.aggregator.checkpoint_if_due()
        while not self.aggregator.caught_up():
            self.aggregator.turn()
        self.aggregator.checkpoint()
        return sum(len(batch.messages) for batch in batches)

    def close(self) -> None:
        """Release both threads."""
        self._writer.shutdown()
        self.aggregator.close()

    def _now_ms(self) -> int:
        """The moment the stream has reached; 0 under the event clock: events alone move T."""
        return 0 if self._event_clock else self._appended_ms

    def _append(self, batch: Batch) -> None:
        now_ms = int(batch.append_ms[-1])
        partitions = choose_partitions(batch.block, self._key, self._log.partition_count, now_ms)
        self._position += len(batch.messages)
        self._log.append(batch.block, partitions, now_ms, {"bench": str(self._position)})
        self._appended_ms = now_ms
