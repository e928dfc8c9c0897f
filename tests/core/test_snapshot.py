"""Snapshots: what is in them, and that they stay as they were taken."""

from tests.core.kernels.batches import KEY, T0_MS, batch_of, swap

from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig
from swapstats.core.token_table import decode_names
from swapstats.model.checkpoint import CHECKPOINT_FORMAT
from swapstats.model.effects import TokenName
from swapstats.model.window import WindowSpec
from swapstats.testing.wire_streams import WireSwap, spelled

STEP_MS = 1_000
BUCKET = T0_MS // STEP_MS


def shard() -> Shard:
    return Shard(ShardConfig(2, WindowSpec(STEP_MS, (5_000, 60_000)), KEY), epoch=4)


def feed(one: Shard, *swaps: WireSwap) -> None:
    one.apply(batch_of([spelled(each) for each in swaps], one.next_offset, partition=2), T0_MS)


def test_the_first_is_full_and_the_next_hold_what_changed() -> None:
    one = shard()
    feed(one, swap(1, 0), swap(2, -5_000, token_address="u"))
    first = one.snapshot().encode()
    assert first.full
    assert set(first.buckets) == {BUCKET, BUCKET - 5}
    assert [name.key for name in decode_names(first.tokens)] == ["t", "u"]
    feed(one, swap(3, 1_000, token_symbol="T"))
    second = one.snapshot().encode()
    assert not second.full
    assert set(second.buckets) == {BUCKET + 1}
    assert decode_names(second.tokens) == [TokenName(0, "t", "T")]
    third = one.snapshot().encode()
    assert (third.buckets, third.tokens, third.full) == ({}, b"", False)
    assert [each.header.revision for each in (first, second, third)] == [1, 2, 3]


def test_the_header_says_what_the_state_is() -> None:
    one = shard()
    feed(one, swap(1, 0), swap(1, 0), swap(2, 500))
    header = one.snapshot().header
    assert (header.format, header.shard, header.epoch) == (CHECKPOINT_FORMAT, 2, 4)
    assert (header.next_offset, header.token_count) == (3, 1)
    assert (header.t_ms, header.newest_ms) == (T0_MS, T0_MS + 500)
    assert header.min_bucket == BUCKET + 1 - 60
    assert (header.step_ms, header.widths_ms) == (STEP_MS, (5_000, 60_000))
    assert (header.key_id, header.clock) == (KEY.key_id, "wall")
    assert header.counters["duplicates"] == 1
    assert header.reasons == {}


def test_a_draft_is_encoded_as_it_was_taken() -> None:
    """It may be encoded in another thread while the shard goes on."""
    one = shard()
    feed(one, *(swap(number, 0, token_address=f"t{number}") for number in range(20)))
    draft = one.snapshot()
    written = draft.encode()
    feed(one, *(swap(number, 0, token_address=f"t{number}", removed=True) for number in range(20)))
    feed(one, *(swap(100 + number, 0, token_address=f"u{number}") for number in range(40)))
    one.tick(T0_MS + 500_000)
    again = draft.encode()
    assert again.buckets == written.buckets
    assert again.tokens == written.tokens
    assert again.header == written.header
    assert written.header.counters["removed"] == 0


def test_a_draft_stays_as_it_was_while_quiet_buckets_are_sealed() -> None:
    """Eight tokens fill their cells exactly: there is no spare room to be cut off."""
    one = shard()
    feed(one, *(swap(number, 0, token_address=f"t{number}") for number in range(8)))
    draft = one.snapshot()
    written = draft.encode()
    for number in range(100):
        feed(one, swap(1_000 + number, 3_000))
    feed(one, *(swap(100 + number, 0, token_address=f"t{number}") for number in range(8)))
    assert draft.encode().buckets == written.buckets


def test_taking_a_snapshot_copies_no_bucket() -> None:
    one = shard()
    feed(one, swap(1, 0))
    first, second = one.snapshot(), one.snapshot()
    assert len(first.buckets) == 1
    assert len(second.buckets) == 0
    assert first.buckets.words is second.buckets.words


def test_a_full_draft_larger_than_what_is_written_at_a_time() -> None:
    one = shard()
    feed(one, *(swap(n, -n % 60_000, token_address=f"t{n}") for n in range(30_000)))
    draft = one.snapshot()
    written = draft.encode().buckets
    assert list(written) == sorted(written)
    assert sum(map(len, written.values())) == 30_000 * (48 + 12) + 12 * len(written)
