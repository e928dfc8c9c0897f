"""The shard against the brute-force recount, driven by a state machine: equal after every step.

Rules put messages into the next batch or hand the batch over; time passes, jumps, and shards are
saved, restored, and lost together with all that was not saved.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.core.kernels.batches import KEY, T0_MS, batch_of, cuts, swap
from tests.strategies import rngs

from swapstats.core.plain_decode import Swap, decode_message
from swapstats.core.recount import Recount
from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig
from swapstats.model.checkpoint import Checkpoint
from swapstats.model.effects import COUNTER_NAMES, Effects
from swapstats.model.stats import WindowStats
from swapstats.model.window import WindowSpec
from swapstats.testing.wire_streams import (
    AMOUNT_TOKEN_MAX,
    AMOUNT_USD_MAX,
    TOKENS,
    StreamShape,
    WireSwap,
    bad_message,
    conflicting,
    random_stream,
    respelled,
    shuffled,
)

STEP_MS = 1_000
SPEC = WindowSpec(STEP_MS, (5_000, 60_000, 20_000))
AHEAD_MS = 15_000
HELD = st.booleans()

ages_ms = st.one_of(
    st.integers(-4_000, 0),
    st.sampled_from((-999, -1_000, -4_001, -19_999, -20_000, -59_000, -59_001, -59_999, -60_000)),
    st.integers(-65_000, -4_000),
    st.integers(0, AHEAD_MS),
)
pauses_ms = st.sampled_from(
    (1, 100, 500, 999, 1_000, 1_001, 3_000, 4_000, 15_000, 25_000, 61_000, 40 * 86_400_000)
)
amounts = st.sampled_from((0, 1, 1 << 64, AMOUNT_TOKEN_MAX)) | st.integers(0, 10**24)
usds = st.sampled_from((None, 0, 1, AMOUNT_USD_MAX)) | st.integers(0, 10**9)


@dataclass(frozen=True, slots=True)
class Row:
    """One archive row: the record's offset, what it says, and its sign."""

    offset: int
    swap: Swap
    sign: int


@dataclass(slots=True)
class Saved:
    """What a checkpoint store holds, and the model as it was then."""

    checkpoint: Checkpoint
    model: Recount


class ShardMachine(RuleBasedStateMachine):
    """One shard, its model, its log, its archive and its checkpoint."""

    swaps: Any = Bundle("swaps")

    @initialize(
        event_clock=st.booleans(),
        late=st.sampled_from(("apply", "drop", "divert")),
        grace_ms=st.sampled_from((0, 2_000, 30_000)),
        tokens_max=st.sampled_from((1, 3, 1_000_000)),
    )
    def begin(self, event_clock: bool, late: str, grace_ms: int, tokens_max: int) -> None:
        ahead_ms = None if event_clock else AHEAD_MS
        self.config = ShardConfig(3, SPEC, KEY, grace_ms, late, ahead_ms, event_clock, tokens_max)
        self.model = Recount(SPEC, grace_ms, late, ahead_ms, self.config.clock, 0)
        self.shard = Shard(self.config, epoch=1)
        self.append_ms = T0_MS
        self.now_ms = 0 if event_clock else T0_MS
        self.count = 0
        self.log: list[tuple[bytes, int]] = []
        self.pending: list[bytes] = []
        self.archive: list[Row] = []
        self.seq = 0
        self.saved: Saved | None = None
        self.save()

    @property
    def base_ms(self) -> int:
        """What messages are early or late against."""
        return max(self.shard.t_ms, T0_MS)

    def put(self, message: bytes, held: bool) -> None:
        self.pending.append(message)
        if not held:
            self.flush()

    # Messages

    @rule(
        target=swaps, age_ms=ages_ms, token=st.sampled_from(TOKENS), amount=amounts, usd=usds,
        side=st.sampled_from(("buy", "sell")), removed=st.sampled_from((False, False, True)),
        rng=rngs(), held=HELD,
    )  # fmt: skip
    def new_event(
        self,
        age_ms: int,
        token: dict[str, object],
        amount: int,
        usd: int | None,
        side: str,
        removed: bool,
        rng: Random,
        held: bool,
    ) -> WireSwap:
        """An event, in time, late, too old or not yet; or its removal, which comes first."""
        self.count += 1
        fields = dict(token) | {
            "event_ms": self.base_ms + age_ms,
            "amount_token": amount,
            "amount_usd": usd,
            "side": side,
            "token_symbol": rng.choice((None, "SYM", "\u00fc")),
        }
        drawn = swap(self.count, 0, **fields)
        self.put(respelled(rng, replace(drawn, removed=removed)), held)
        return drawn

    @rule(drawn=swaps, rng=rngs(), held=HELD)
    def repeat(self, drawn: WireSwap, rng: Random, held: bool) -> None:
        """The add again, spelled differently; after its removal came first, the add."""
        self.put(respelled(rng, drawn), held)

    @rule(drawn=swaps, rng=rngs(), held=HELD)
    def remove(self, drawn: WireSwap, rng: Random, held: bool) -> None:
        self.put(respelled(rng, replace(drawn, removed=True)), held)

    @rule(target=swaps, drawn=swaps, amount=amounts, rng=rngs(), held=HELD)
    def include_again(self, drawn: WireSwap, amount: int, rng: Random, held: bool) -> WireSwap:
        again = replace(drawn, inclusion=drawn.inclusion + 1, amount_token=amount)
        self.put(respelled(rng, again), held)
        return again

    @rule(drawn=swaps, rng=rngs(), removed=st.booleans(), held=HELD)
    def conflict(self, drawn: WireSwap, rng: Random, removed: bool, held: bool) -> None:
        other = replace(conflicting(rng, drawn, STEP_MS), removed=removed)
        self.put(respelled(rng, other), held)

    @rule(rng=rngs(), held=HELD)
    def bad(self, rng: Random, held: bool) -> None:
        reason, message = bad_message(rng, self.base_ms, self.append_ms + AHEAD_MS)
        is_far_ahead = reason == "too_far_ahead" and self.config.max_ahead_ms is None
        if not is_far_ahead and len(message) < 10_000:
            self.put(message, held)

    @rule(rng=rngs(), swaps=st.integers(1, 15), span_ms=st.sampled_from((0, 3_000, 25_000, 70_000)))
    def burst(self, rng: Random, swaps: int, span_ms: int) -> None:
        """Adds, removals and re-inclusions of several events, repeated and out of order."""
        start_ms = self.base_ms - span_ms + rng.randint(-1_000, 1_000)
        shape = StreamShape(swaps=swaps, start_ms=start_ms, span_ms=span_ms, step_ms=STEP_MS)
        self.pending += shuffled(rng, random_stream(rng, shape))
        self.flush()

    # Time

    @rule(by_ms=pauses_ms)
    def pass_time(self, by_ms: int) -> None:
        """A moment, or a jump over several windows."""
        self.flush()
        self.append_ms += by_ms
        self.move(self.base_ms + by_ms)

    @rule(by_ms=st.integers(1, 100_000))
    def turn_the_clock_back(self, by_ms: int) -> None:
        """T stays where it is."""
        self.flush()
        before_ms = self.shard.t_ms
        self.move(before_ms - by_ms)
        assert self.shard.t_ms == before_ms

    def move(self, now_ms: int) -> None:
        if not self.config.event_clock:
            self.now_ms = now_ms
        self.note(self.shard.tick(now_ms), 0)
        self.model.tick(now_ms)

    # Batches

    @rule()
    def flush(self) -> None:
        if self.pending:
            first = len(self.log)
            self.log += [(message, self.append_ms) for message in self.pending]
            self.pending = []
            self.feed(first, len(self.log))

    def feed(self, first: int, end: int) -> None:
        """Hand records over as one batch; the model takes them one by one."""
        messages = [message for message, _ in self.log[first:end]]
        batch = batch_of(messages, first, partition=3)
        batch.append_ms[:] = [append_ms for _, append_ms in self.log[first:end]]
        before = dict(self.model.counters)
        effects = self.shard.apply(batch, self.now_ms)
        for message, append_ms in self.log[first:end]:
            self.model.feed(message, append_ms, self.now_ms)
        counted = {name: self.model.counters[name] - before[name] for name in COUNTER_NAMES}
        assert effects.counters == counted
        assert len(effects.dead_letters) == counted["dead_letters"]
        self.note(effects, first)

    def note(self, effects: Effects, first: int) -> None:
        """Carry out the effects."""
        assert effects.update.seq > self.seq
        self.seq = effects.update.seq
        rows = zip(effects.archive.index.tolist(), effects.archive.sign.tolist(), strict=True)
        for index, sign in rows:
            decoded = decode_message(self.log[first + index][0], 0, None)
            assert isinstance(decoded, Swap)
            self.archive.append(Row(first + index, decoded, sign))
        for letter in effects.dead_letters:
            assert letter.message == self.log[letter.offset][0]

    # Checkpoints

    @rule()
    def save(self) -> None:
        delta = self.shard.snapshot().encode()
        buckets: dict[int, bytes] = {}
        tokens: tuple[bytes, ...] = ()
        if not delta.full:
            assert self.saved is not None
            buckets, tokens = self.saved.checkpoint.buckets, self.saved.checkpoint.tokens
        held = {
            number: blob
            for number, blob in (buckets | delta.buckets).items()
            if number >= delta.header.min_bucket
        }
        checkpoint = Checkpoint(delta.header, held, (*tokens, delta.tokens))
        self.saved = Saved(checkpoint, copy.deepcopy(self.model))

    @rule()
    def restore(self) -> None:
        """Hand over in peace: everything is saved first."""
        self.save()
        assert self.saved is not None
        before = self.shard.live_tokens()
        self.shard = Shard.restore(self.config, self.saved.checkpoint, self.shard.epoch + 1)
        assert self.shard.live_tokens() == before

    @rule(rng=rngs())
    def lose(self, rng: Random) -> None:
        """Lose what was not saved, and read the records since again, cut in other ways."""
        assert self.saved is not None
        before, t_ms = self.model.windows(), self.shard.t_ms
        self.shard = Shard.restore(self.config, self.saved.checkpoint, self.shard.epoch + 1)
        self.model = copy.deepcopy(self.saved.model)
        first = self.shard.next_offset
        self.archive = [row for row in self.archive if row.offset < first]
        for start, end in cuts(rng, len(self.log) - first):
            self.feed(first + start, first + end)
        self.note(self.shard.tick(t_ms), 0)
        self.model.tick(t_ms)
        assert self.model.windows() == before

    # What holds after every step

    @invariant()
    def equal(self) -> None:
        windows = {key: tuple(found.values()) for key, found in self.model.windows().items()}
        assert self.shard.live_tokens() == windows
        assert self.shard.t_ms == self.model.t_ms
        assert self.shard.newest_ms == self.model.newest_ms
        assert self.shard.counters == self.model.counters
        assert self.shard.reasons == self.model.reasons
        assert self.shard.next_offset == len(self.log)

    @invariant()
    def counters_add_up(self) -> None:
        counters = self.shard.counters
        parts = set(COUNTER_NAMES) - {"ingested", "late"}
        assert counters["ingested"] == sum(counters[name] for name in parts) == len(self.log)
        assert counters["late"] <= counters["applied"] + counters["late_refused"]
        assert counters["dead_letters"] == sum(self.shard.reasons.values())

    @invariant()
    def archive_holds_the_same_trades(self) -> None:
        """The signed rows within a window add up to it."""
        end_ms = SPEC.end_ms(self.shard.t_ms)
        live = self.shard.live_tokens()
        for key in live:
            for stats, width_ms in zip(live[key], SPEC.widths_ms, strict=True):
                rows = [
                    row
                    for row in self.archive
                    if row.swap.token_key == key and end_ms - width_ms <= row.swap.event_ms < end_ms
                ]
                assert dict(signed_sum(rows)) == {
                    name: getattr(stats, name) for name in WindowStats.__slots__
                }


def signed_sum(rows: list[Row]) -> Iterator[tuple[str, int]]:
    """Sum archive rows by sign, field by field."""
    buys = [row for row in rows if row.swap.side == "buy"]
    sells = [row for row in rows if row.swap.side == "sell"]
    for name, some in (("vol_usd", rows), ("buy_usd", buys), ("sell_usd", sells)):
        yield name, sum(row.sign * (row.swap.amount_usd or 0) for row in some)
    for name, some in (("trades", rows), ("buy", buys), ("sell", sells)):
        yield name, sum(row.sign for row in some)
    yield "vol_token", sum(row.sign * row.swap.amount_token for row in rows)
    yield "unpriced", sum(row.sign for row in rows if row.swap.amount_usd is None)


_SETTINGS = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def test_shard_machine() -> None:
    run_state_machine_as_test(
        ShardMachine, settings=settings(_SETTINGS, max_examples=80, stateful_step_count=50)
    )


@pytest.mark.prove
@pytest.mark.timeout(3_600)
def test_shard_machine_for_long() -> None:
    run_state_machine_as_test(
        ShardMachine, settings=settings(_SETTINGS, max_examples=5_000, stateful_step_count=100)
    )
