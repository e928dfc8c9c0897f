"""What must not change a shard: how batches are cut, and checkpoints between them."""

from dataclasses import replace
from random import Random

import pytest
from tests.core.kernels.batches import T0_MS, batch_of, cuts, swap
from tests.core.kernels.shards import (
    AHEAD_MS,
    STEP_MS,
    counted,
    feed,
    restored,
    shard,
    state,
)

from swapstats.core.hash_key import HashKey
from swapstats.core.shard import Shard
from swapstats.errors import InvariantBroken, KeyMismatch
from swapstats.model.checkpoint import Checkpoint
from swapstats.model.window import WindowSpec
from swapstats.testing.wire_streams import (
    StreamShape,
    bad_message,
    random_stream,
    respelled,
    shuffled,
    spelled,
)


def bad(rng: Random, event_clock: bool) -> bytes | None:
    """A bad message; by the event clock nothing is too far ahead."""
    reason, message = bad_message(rng, T0_MS, T0_MS + AHEAD_MS)
    return None if event_clock and reason == "too_far_ahead" else message[:2_000]


# Batches


@pytest.mark.parametrize("event_clock", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_a_batch_boundary_never_changes_a_result(seed: int, event_clock: bool) -> None:
    """The same stream cut in all ways: equal state, archive and dead letters."""
    print("seed", seed)
    rng = Random(seed)
    start_ms = T0_MS - 100_000
    swaps = random_stream(rng, StreamShape(swaps=40, start_ms=start_ms, span_ms=130_000))
    messages = shuffled(rng, swaps)
    messages += [text for _ in range(15) if (text := bad(rng, event_clock)) is not None]
    messages += [spelled(replace(each, side="sell")) for each in swaps[:10]]
    rng.shuffle(messages)
    late = ("apply", "drop", "divert")[seed % 3]
    count = len(messages)
    ways = [[(0, count)], [(n, n + 1) for n in range(count)], *(cuts(rng, count) for _ in range(4))]
    results = []
    for way in ways:
        one = shard(late, event_clock, grace_ms=20_000)
        archive, dead = [], []
        for start, end in way:
            effects = feed(one, *messages[start:end])
            rows = zip(effects.archive.index, effects.archive.sign, strict=True)
            archive += [(start + int(index), int(sign)) for index, sign in rows]
            archive += [(start + int(index), 0) for index in effects.archive.late_index]
            dead += [(letter.offset, letter.reason) for letter in effects.dead_letters]
        results.append((state(one), sorted(archive), dead))
    assert results[0][2]
    for result in results[1:]:
        assert result == results[0]


def test_a_token_of_too_old_events_alone_is_unknown_however_batches_are_cut() -> None:
    whole, cut = shard(event_clock=True), shard(event_clock=True)
    swaps = (swap(1, 0), swap(2, -90_000, token_address="old"))
    feed(whole, *swaps)
    for each in swaps:
        feed(cut, each)
    assert whole.tokens.keys == cut.tokens.keys == ["t"]
    assert whole.stats("old") is None


def test_spelling_and_order_change_no_window() -> None:
    rng = Random(11)
    swaps = random_stream(rng, StreamShape(swaps=40, start_ms=T0_MS - 40_000, span_ms=40_000))
    results = set()
    for _ in range(5):
        one = shard()
        for start, end in cuts(rng, len(messages := shuffled(rng, swaps))):
            feed(one, *messages[start:end])
        results.add(repr(sorted(one.live_tokens().items())))
    assert len(results) == 1


@pytest.mark.parametrize(("first_offset", "partition", "count"), [(1, 0, 1), (2, 1, 1), (2, 0, 0)])
def test_records_of_another_place_are_refused(
    first_offset: int, partition: int, count: int
) -> None:
    one = shard()
    feed(one, swap(1), swap(2))
    batch = batch_of([spelled(swap(3))] * count, first_offset, partition=partition)
    with pytest.raises(InvariantBroken, match="Expected records"):
        one.apply(batch, T0_MS)
    assert one.next_offset == 2
    assert one.counters["ingested"] == 2


def test_offsets_may_have_gaps() -> None:
    one = shard()
    batch = batch_of([spelled(swap(1)), b"x"], 7)
    batch.offsets[1] = 19
    effects = one.apply(batch, T0_MS)
    assert effects.dead_letters[0].offset == 19
    assert (effects.update.offset, one.next_offset) == (20, 20)


# Completeness


def test_complete_since_by_the_wall_clock_is_the_first_append_time() -> None:
    one = shard()
    assert one.complete_since_ms == 0
    one.apply(batch_of([b"bad"], append_ms=T0_MS - 5), T0_MS)
    assert feed(one, swap(1, -7_000)).update.complete_since_ms == T0_MS - 5
    assert restored(one).complete_since_ms == T0_MS - 5


def test_complete_since_by_the_event_clock_is_the_first_event_time() -> None:
    one = shard(event_clock=True)
    feed(one, b"bad")
    assert one.complete_since_ms == 0
    feed(one, b"bad", swap(1, -3_000), swap(2, -9_000))
    feed(one, swap(3, -20_000))
    assert one.complete_since_ms == T0_MS - 3_000


def test_a_gap_is_told() -> None:
    one = shard()
    feed(one, swap(1))
    one.accept_gap(100, T0_MS + 5)
    assert one.tick(T0_MS).update.complete_since_ms == T0_MS + 5
    assert feed(one, swap(2)).update.offset == 101


# Restarts


def test_seq_grows_with_every_update_and_with_every_epoch() -> None:
    one = shard()
    found = [feed(one, swap(number)).update.seq for number in range(3)]
    found += [one.tick(T0_MS + 1).update.seq, one.whole().seq]
    other = restored(one)
    assert (other.epoch, other.revision) == (2, 1)
    found += [other.tick(T0_MS + 1).update.seq, feed(other, swap(9)).update.seq]
    assert found == sorted(set(found))
    assert found[-1] >> 32 == 2


@pytest.mark.parametrize("event_clock", [False, True])
def test_a_restored_shard_is_the_same_and_goes_on_alike(event_clock: bool) -> None:
    rng = Random(4)
    swaps = random_stream(rng, StreamShape(swaps=60, start_ms=T0_MS - 50_000))
    messages = [respelled(rng, each) for each in swaps]
    half = len(messages) // 2
    one, twin = shard(event_clock=event_clock), shard(event_clock=event_clock)
    feed(one, *messages[:half])
    feed(twin, *messages[:half])
    other = restored(one)
    assert other.live_tokens() == one.live_tokens()
    assert (other.next_offset, other.newest_ms, other.t_ms) == (half, one.newest_ms, one.t_ms)
    feed(other, *messages[half:])
    feed(twin, *messages[half:])
    assert other.live_tokens() == twin.live_tokens()
    assert other.counters == twin.counters
    assert (other.tokens.keys, other.tokens.symbols) == (twin.tokens.keys, twin.tokens.symbols)
    delta = other.snapshot().encode()
    assert not delta.full
    assert delta.header.revision == 2


def test_a_restored_shard_knows_its_duplicates_and_waiting_removals() -> None:
    one = shard()
    feed(one, swap(1), swap(2, removed=True), swap(3), swap(3, removed=True))
    other = restored(one)
    effects = feed(other, swap(1), swap(2), swap(3), swap(3, removed=True), swap(1, removed=True))
    assert counted(effects) == {"ingested": 5, "duplicates": 3, "cancelled": 1, "removed": 1}


def test_another_key_does_not_restore() -> None:
    delta = shard().snapshot().encode()
    config = replace(shard().config, key=HashKey.of(b"another key 16 b"))
    with pytest.raises(KeyMismatch):
        Shard.restore(config, Checkpoint(delta.header, {}, ()), 2)


def test_narrower_windows_restore_from_wider_ones() -> None:
    one = shard()
    feed(one, *(swap(number, -number * 700) for number in range(50)))
    delta = one.snapshot().encode()
    config = replace(one.config, spec=WindowSpec(STEP_MS, (10_000, 3_000)))
    other = Shard.restore(config, Checkpoint(delta.header, delta.buckets, (delta.tokens,)), 2)
    fresh = Shard(config, 1)
    feed(fresh, *(swap(number, -number * 700) for number in range(50)))
    assert other.live_tokens() == fresh.live_tokens()
