"""Compile every kernel once, so that the first start is as quick as the next.

The compiler keeps its results on disk (see `swapstats.__init__`); this runs the engine over a
second of the demo market and an answer without logs, which calls every kernel with the types
production uses.
"""

import numpy as np

from swapstats.core.column_recount import ColumnRecount
from swapstats.core.decode import choose_partitions, partition_of_key
from swapstats.core.demo_market import DemoMarket
from swapstats.core.evm.decode import decode_logs
from swapstats.core.evm.registry import standard_registry
from swapstats.core.hash_key import HashKey
from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig
from swapstats.model.checkpoint import Checkpoint
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.model.window import WindowSpec

_START_MS = 1_767_225_600_000
_BATCHES_UNTIL_QUIET = 96
_DECODED_PLAINLY = (
    rb'{"schema_version":1,"event_id":"\u0061","token_address":"\u0054","side":"buy",'
    rb'"amount_token":"1","event_time":1767225600000}'
)
"""Escapes are left to the plain decoder, which calls kernels of its own."""
_NO_LOGS = b'{"jsonrpc":"2.0","id":1,"result":[]}'


def warm() -> None:
    """Call every kernel."""
    key = HashKey.of(bytes(16))
    market = DemoMarket(1, 100, 1_000)
    messages = [message for i in range(10) for message in market.slice(_START_MS + 100 * i)]
    block = MessageBlock.of([*messages, b"{}", _DECODED_PLAINLY])
    count = len(block)
    choose_partitions(block, key, 4, _START_MS)
    partition_of_key("BTC", 4)
    batch = RecordBatch(
        partition=0,
        offsets=np.arange(count, dtype=np.int64),
        append_ms=np.full(count, _START_MS + 1_000, dtype=np.int64),
        buffer=block.buffer,
        bounds=block.bounds,
    )
    spec = WindowSpec(100, (1_000, 5_000))
    config = ShardConfig(0, spec, key)
    shard = Shard(config, 1)
    shard.apply(batch, _START_MS + 1_000)
    delta = shard.snapshot().encode()
    restored = Shard.restore(config, Checkpoint(delta.header, delta.buckets, (delta.tokens,)), 2)
    restored.series(restored.tokens.keys[0], 1_000)
    for _ in range(_BATCHES_UNTIL_QUIET):
        shard.windows.begin()
        shard.windows.seal_quiet()
    restored.windows.keep_tokens(np.arange(restored.tokens.count))
    restored.tick(_START_MS + 60_000)
    recount = ColumnRecount(spec, _START_MS, key, None, 0, refuses_late=False)
    recount.feed(batch)
    recount.windows()
    decode_logs(_NO_LOGS, standard_registry())


if __name__ == "__main__":
    warm()
