"""A shard with short windows, fed by swaps, for the tests of the core."""

import numpy as np
from tests.core.kernels.batches import KEY, T0_MS, batch_of

from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig
from swapstats.model.checkpoint import Checkpoint
from swapstats.model.effects import Effects
from swapstats.model.stats import WindowStats
from swapstats.model.window import WindowSpec
from swapstats.testing.wire_streams import WireSwap, spelled

STEP_MS = 1_000
SPEC = WindowSpec(STEP_MS, (5_000, 60_000))
AHEAD_MS = 3_600_000


def shard(late: str = "apply", event_clock: bool = False, grace_ms: int = 2_000) -> Shard:
    """A shard of partition 0 in its first epoch."""
    ahead_ms = None if event_clock else AHEAD_MS
    return Shard(ShardConfig(0, SPEC, KEY, grace_ms, late, ahead_ms, event_clock), epoch=1)


def feed(one: Shard, *swaps: WireSwap | bytes, now_ms: int | None = None) -> Effects:
    """Apply swaps as one batch; by the wall clock at T0_MS unless said otherwise."""
    messages = [each if isinstance(each, bytes) else spelled(each) for each in swaps]
    at_ms = 0 if one.config.event_clock else T0_MS
    return one.apply(batch_of(messages, one.next_offset), at_ms if now_ms is None else now_ms)


def counted(effects: Effects) -> dict[str, int]:
    """The counters that are not 0."""
    return {name: value for name, value in effects.counters.items() if value}


def narrow(one: Shard, key: str = "t") -> WindowStats:
    """A token in the narrowest window."""
    stats = one.stats(key)
    assert stats is not None
    return stats[0]


def restored(one: Shard) -> Shard:
    """The same shard, in its next epoch, through the bytes of a checkpoint."""
    delta = one.snapshot().encode()
    assert delta.full
    checkpoint = Checkpoint(delta.header, delta.buckets, (delta.tokens,))
    return Shard.restore(one.config, checkpoint, one.epoch + 1)


def state(one: Shard) -> tuple[object, ...]:
    """Everything a later record can depend on, whatever the layout of the tables."""
    draft = one.snapshot()
    buckets = {}
    for number, blob in draft.buckets.encode().items():
        used, cell_count, stale = np.frombuffer(blob, np.uint32, 3).tolist()
        fingerprints = np.frombuffer(blob, np.uint64, used, 12).tolist()
        states = np.frombuffer(blob, np.uint32, used, len(blob) - 4 * used).tolist()
        pairs = dict(zip(fingerprints, states, strict=True))  # of a pair's entries the last counts
        assert len(pairs) == used - stale
        sums = [
            one.windows.buckets.token_sums(token, number, number + 1)[1].tobytes()
            for token in range(one.tokens.count)
        ]
        buckets[number] = (pairs, cell_count > 0, sums)
    count = one.tokens.count
    return (
        _header(draft.header), buckets, one.tokens.keys, one.tokens.symbols,
        one.windows.rolling[:count].tobytes(), one.counters, one.reasons,
    )  # fmt: skip


def _header(header: object) -> tuple[object, ...]:
    return tuple(
        getattr(header, name)
        for name in header.__struct_fields__  # type: ignore[attr-defined] # a msgspec Struct
        if name not in {"revision", "epoch"}
    )
