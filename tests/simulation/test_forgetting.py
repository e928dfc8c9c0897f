"""Forgetting silent tokens changes no number, in the shard and in what a reader is told."""

import random

import numpy as np
import pytest

from swapstats.core.hash_key import HashKey
from swapstats.core.market import Market
from swapstats.core.merge_updates import merge_updates
from swapstats.core.recount import Recount
from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig
from swapstats.model.checkpoint import Checkpoint
from swapstats.model.effects import StatsUpdate
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.model.stats import from_row
from swapstats.model.window import WindowSpec

KEY = HashKey.of(b"forget me not 16")
SPEC = WindowSpec(1_000, (5_000, 20_000))
START_MS = 1_700_000_000_000
TOKENS_MAX = 12


def _message(rng: random.Random, number: int, event_ms: int) -> bytes:
    token = f"T{event_ms // 3_000 % 1_000}-{rng.randrange(6)}"
    return (
        f'{{"schema_version":1,"event_id":"e{number}","token_address":"{token}","side":"buy",'
        f'"amount_token":"{rng.randrange(1, 99)}","amount_usd":"1.5","event_time":{event_ms}}}'
    ).encode()


def _batch(messages: list[bytes], offset: int) -> RecordBatch:
    block = MessageBlock.of(messages)
    return RecordBatch(
        0,
        np.arange(offset, offset + len(messages)),
        np.full(len(messages), START_MS, dtype=np.int64),
        block.buffer,
        block.bounds,
    )


@pytest.mark.parametrize("seed", range(8))
def test_windows_stay_exact_while_tokens_come_and_go(seed: int) -> None:
    rng = random.Random(seed)
    config = ShardConfig(0, SPEC, KEY, max_ahead_ms=None, event_clock=True, tokens_max=TOKENS_MAX)
    shard = Shard(config, 1)
    recount = Recount(SPEC, config.grace_ms, "apply", None, "event", 0)
    market = Market(SPEC, 1)
    waiting: StatsUpdate | None = None
    buckets: dict[int, bytes] = {}
    tokens: list[bytes] = []
    forgot = 0
    offset = 0
    for step in range(60):
        now_ms = START_MS + step * 1_500
        part = [
            _message(rng, offset + i, now_ms - rng.randrange(4_000))
            for i in range(rng.randint(1, 9))
        ]
        known = shard.tokens.count
        update = shard.apply(_batch(part, offset), 0).update
        forgot += shard.tokens.count < known
        for message in part:
            recount.feed(message, START_MS)
        offset += len(part)
        waiting = update if waiting is None else merge_updates(waiting, update)
        if rng.random() < 0.5:
            market.apply(waiting)
            waiting = None
        if rng.random() < 0.3:
            delta = shard.snapshot().encode()
            if delta.full:
                buckets, tokens = {}, []
            buckets |= delta.buckets
            tokens.append(delta.tokens)
            restored = Shard.restore(
                config, Checkpoint(delta.header, dict(buckets), tuple(tokens)), 2
            )
            assert restored.live_tokens() == shard.live_tokens()
        expected = {key: tuple(stats.values()) for key, stats in recount.windows().items()}
        assert shard.live_tokens() == expected
        if waiting is None:
            shown = {
                market.key(index): tuple(from_row(row) for row in market.rows[index])
                for index in range(len(market))
                if market.rows[index, :, 7].any()
            }
            assert shown == expected
    assert forgot >= 2
    assert shard.tokens.count <= 60  # of some 180 that came by
