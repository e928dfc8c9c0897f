"""The shard's effects as values: fates, signs, dead letters, sequence numbers, restarts.

`tests/simulation/test_shard_machine.py` holds it against the brute-force recount.
"""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from tests.core.kernels.batches import KEY, T0_MS, batch_of, cuts, swap

from swapstats.core.hash_key import HashKey
from swapstats.core.shard import Shard
from swapstats.core.shard_config import ShardConfig
from swapstats.errors import InvariantBroken, KeyMismatch
from swapstats.model.checkpoint import Checkpoint
from swapstats.model.effects import COUNTER_NAMES, Effects
from swapstats.model.stats import WindowStats, from_row
from swapstats.model.window import WindowSpec
from swapstats.testing.wire_streams import (
    StreamShape,
    WireSwap,
    bad_message,
    random_stream,
    respelled,
    shuffled,
    spelled,
)

STEP_MS = 1_000
SPEC = WindowSpec(STEP_MS, (5_000, 60_000))
AHEAD_MS = 3_600_000
PARTS = set(COUNTER_NAMES) - {"ingested", "late"}


def shard(late: str = "apply", event_clock: bool = False, grace_ms: int = 2_000) -> Shard:
    ahead_ms = None if event_clock else AHEAD_MS
    return Shard(ShardConfig(0, SPEC, KEY, grace_ms, late, ahead_ms, event_clock), epoch=1)


def feed(one: Shard, *swaps: WireSwap | bytes, now_ms: int | None = None) -> Effects:
    """Apply swaps as one batch; by the wall clock at T0_MS unless said otherwise."""
    messages = [each if isinstance(each, bytes) else spelled(each) for each in swaps]
    at_ms = 0 if one.config.event_clock else T0_MS
    return one.apply(batch_of(messages, one.next_offset), at_ms if now_ms is None else now_ms)


def counted(effects: Effects) -> dict[str, int]:
    return {name: value for name, value in effects.counters.items() if value}


def narrow(one: Shard, key: str = "t") -> WindowStats:
    stats = one.stats(key)
    assert stats is not None
    return stats[0]


def state(one: Shard) -> tuple[object, ...]:
    """Everything a later record can depend on, whatever the layout of the tables."""
    draft = Shard.snapshot(one)
    buckets = {}
    for bucket in draft.buckets:
        held = bucket.fingerprints != 0
        pairs = zip(bucket.fingerprints[held].tolist(), bucket.states[held].tolist(), strict=True)
        cells = bucket.cells[: bucket.cell_count].tobytes()
        buckets[bucket.number] = (sorted(pairs), bucket.cell_count, cells)
    count = one.tokens.count
    return (
        replace_revision(draft.header), buckets, one.tokens.keys, one.tokens.symbols,
        one.windows.rolling[:count].tobytes(), one.counters, one.reasons,
    )  # fmt: skip


def replace_revision(header: object) -> tuple[object, ...]:
    return tuple(
        getattr(header, name)
        for name in header.__struct_fields__  # type: ignore[attr-defined] # a msgspec Struct
        if name not in {"revision", "epoch"}
    )


def restored(one: Shard) -> Shard:
    delta = one.snapshot().encode()
    assert delta.full
    checkpoint = Checkpoint(delta.header, delta.buckets, (delta.tokens,))
    return Shard.restore(one.config, checkpoint, one.epoch + 1)


# One event


def test_an_add_is_archived_and_published() -> None:
    one = shard()
    effects = feed(one, swap(1, token_symbol="T"))
    assert counted(effects) == {"ingested": 1, "applied": 1}
    assert effects.archive.index.tolist() == [0]
    assert effects.archive.sign.tolist() == [1]
    assert effects.archive.late_index.tolist() == []
    update = effects.update
    assert (update.partition, update.epoch, update.offset) == (0, 1, 1)
    assert (update.t_ms, update.end_ms) == (T0_MS, T0_MS + STEP_MS)
    assert [(name.token_id, name.key, name.symbol) for name in update.names] == [(0, "t", "T")]
    assert update.token_ids.tolist() == [0]
    assert from_row(update.rows[0, 1]) == WindowStats(
        vol_usd=2_000_000, vol_token=10**18, trades=1, buy=1, buy_usd=2_000_000
    )


@pytest.mark.parametrize(
    ("swaps", "fates", "signs", "trades"),
    [
        ([swap(1), swap(1)], {"applied": 1, "duplicates": 1}, [1], 1),
        ([swap(1), swap(1, removed=True)], {"applied": 1, "removed": 1}, [1, -1], 0),
        (
            [swap(1), swap(1, removed=True), swap(1, removed=True), swap(1)],
            {"applied": 1, "removed": 1, "duplicates": 2},
            [1, -1],
            0,
        ),
        ([swap(1, removed=True)], {"cancelled": 1}, [], 0),
        ([swap(1, removed=True), swap(1)], {"cancelled": 2}, [], 0),
        ([swap(1), swap(1, inclusion=1)], {"applied": 2}, [1, 1], 2),
        (
            [swap(1), swap(1, removed=True), swap(1, inclusion=1, amount_token=5)],
            {"applied": 2, "removed": 1},
            [1, -1, 1],
            1,
        ),
        ([swap(1), swap(1, side="sell")], {"applied": 1, "dead_letters": 1}, [1], 1),
        ([swap(1), swap(1, removed=True, amount_usd=0)], {"applied": 1, "dead_letters": 1}, [1], 1),
    ],
)
def test_fates_and_signs(
    swaps: list[WireSwap], fates: dict[str, int], signs: list[int], trades: int
) -> None:
    whole, cut = shard(), shard()
    effects = feed(whole, *swaps)
    assert counted(effects) == fates | {"ingested": len(swaps)}
    assert effects.archive.sign.tolist() == signs
    found = [sign for each in swaps for sign in feed(cut, each).archive.sign.tolist()]
    assert found == signs
    assert narrow(whole).trades == narrow(cut).trades == trades
    assert state(whole) == state(cut)


def test_a_removal_takes_back_exactly_what_its_add_gave() -> None:
    one = shard()
    odd = swap(1, amount_token=10**38 - 1, amount_usd=10**18 - 1)
    feed(one, swap(2, side="sell", amount_usd=None), odd)
    before = narrow(one)
    feed(one, replace(odd, inclusion=3))
    feed(one, replace(odd, inclusion=3, removed=True))
    assert narrow(one) == before
    assert before.unpriced == 1


def test_a_re_inclusion_counts_with_its_own_amounts() -> None:
    one = shard()
    feed(one, swap(1), swap(1, removed=True), swap(1, inclusion=1, amount_usd=7))
    assert narrow(one).vol_usd == 7


# Bad messages


def test_dead_letters_keep_bytes_and_place() -> None:
    one = shard()
    feed(one, swap(1), swap(2))
    bad = [b"{", spelled(swap(3)), spelled(swap(1, side="sell")), b"\xff", spelled(swap(4))]
    effects = feed(one, *bad)
    assert [(letter.offset, letter.reason) for letter in effects.dead_letters] == [
        (2, "malformed_json"),
        (4, "conflict"),
        (5, "not_utf8"),
    ]
    assert [letter.message for letter in effects.dead_letters] == [bad[0], bad[2], bad[3]]
    assert all(letter.partition == 0 for letter in effects.dead_letters)
    assert all(letter.append_ms == T0_MS for letter in effects.dead_letters)
    assert all(letter.detail.startswith("Expected ") for letter in effects.dead_letters)
    assert counted(effects) == {"ingested": 5, "applied": 2, "dead_letters": 3}
    assert one.reasons == {"malformed_json": 1, "conflict": 1, "not_utf8": 1}


def test_one_bad_message_among_many_costs_only_itself() -> None:
    messages = [spelled(swap(number)) for number in range(500)]
    messages[250] = messages[250][:-2]
    one = shard()
    assert counted(feed(one, *messages)) == {"ingested": 500, "applied": 499, "dead_letters": 1}


@pytest.mark.parametrize("seed", range(4))
def test_counters_add_up(seed: int) -> None:
    print("seed", seed)
    rng = Random(seed)
    one = shard(late=rng.choice(("apply", "drop", "divert")), event_clock=seed % 2 == 0)
    messages = shuffled(rng, random_stream(rng, StreamShape(swaps=60, start_ms=T0_MS - 90_000)))
    messages += [bad_message(rng, T0_MS, T0_MS + AHEAD_MS)[1][:2_000] for _ in range(30)]
    rng.shuffle(messages)
    total = dict.fromkeys(COUNTER_NAMES, 0)
    for start, end in cuts(rng, len(messages)):
        effects = feed(one, *messages[start:end])
        counters = effects.counters
        assert counters["ingested"] == end - start == sum(counters[name] for name in PARTS)
        assert counters["late"] <= counters["applied"] + counters["late_refused"]
        assert counters["dead_letters"] == len(effects.dead_letters)
        assert len(effects.archive.index) == counters["applied"] + counters["removed"]
        total = {name: total[name] + counters[name] for name in COUNTER_NAMES}
    assert total == one.counters
    assert sum(one.reasons.values()) == total["dead_letters"]


# Late, too old, not yet


@pytest.mark.parametrize(
    ("late", "fates", "late_rows", "trades"),
    [
        ("apply", {"applied": 2, "late": 1}, [], 2),
        ("drop", {"applied": 1, "late": 1, "late_refused": 1}, [], 1),
        ("divert", {"applied": 1, "late": 1, "late_refused": 1}, [1], 1),
    ],
)
def test_late_policies(late: str, fates: dict[str, int], late_rows: list[int], trades: int) -> None:
    one = shard(late)
    effects = feed(one, swap(1, 0), swap(2, -2_001))
    assert counted(effects) == fates | {"ingested": 2}
    assert effects.archive.late_index.tolist() == late_rows
    assert narrow(one).trades == trades
    assert counted(feed(one, swap(3, -2_000))) == {"ingested": 1, "applied": 1}


@pytest.mark.parametrize("late", ["apply", "drop", "divert"])
def test_removals_are_never_refused_as_late(late: str) -> None:
    one = shard(late)
    feed(one, swap(1, -4_000), swap(2, 0))
    assert counted(feed(one, swap(1, -4_000, removed=True))) == {"ingested": 1, "removed": 1}


def test_a_backlog_is_not_late() -> None:
    """Lateness follows the stream: what comes in order after an outage is on time."""
    one = shard("drop")
    for at_ms in range(-50_000, 0, 1_000):
        assert counted(feed(one, swap(at_ms, at_ms))) == {"ingested": 1, "applied": 1}


def test_too_old_is_archived_apart_and_counts_nowhere() -> None:
    one = shard()
    effects = feed(one, swap(1, 0), swap(2, -59_001), swap(3, -59_000))
    assert counted(effects) == {"ingested": 3, "applied": 2, "too_old": 1, "late": 1}
    assert effects.archive.index.tolist() == [0, 2]
    assert effects.archive.late_index.tolist() == [1]
    assert one.stats("t") is not None
    assert (one.stats("t") or ())[1].trades == 2


@pytest.mark.parametrize("event_clock", [False, True])
def test_a_too_old_event_never_counts_not_even_until_the_next_newer_one(event_clock: bool) -> None:
    """Sums that expire only when a newer event comes would count it until then."""
    one = shard(event_clock=event_clock)
    feed(one, swap(1, 0))
    before = one.live_tokens()
    effects = feed(one, swap(2, -60_000), swap(2, -60_000, removed=True), swap(3, -86_400_000))
    assert counted(effects) == {"ingested": 3, "too_old": 3}
    assert effects.update.token_ids.tolist() == []
    assert effects.archive.index.tolist() == []
    assert one.live_tokens() == before
    feed(one, swap(4, 1))
    assert (one.stats("t") or ())[1].trades == 2


@pytest.mark.parametrize("event_clock", [False, True])
def test_an_event_that_leaves_while_its_batch_is_applied(event_clock: bool) -> None:
    """Old when it comes, too old only by an event behind it: it counts in no window after."""
    one = shard(event_clock=event_clock)
    feed(one, swap(1, -59_000), now_ms=0)
    effects = feed(one, swap(2, -58_999), swap(3, 1_000), swap(4, -58_001), swap(5, -57_999),
                   now_ms=0 if event_clock else T0_MS + 1_000)  # fmt: skip
    fates = {"ingested": 4, "applied": 3, "too_old": 1, "late": 1}
    if not event_clock:
        fates |= {"applied": 2, "too_old": 2}
    assert counted(effects) == fates
    assert (one.stats("t") or ())[1].trades == 2


def test_not_yet_is_held_and_enters_by_itself() -> None:
    one = shard()
    effects = feed(one, swap(1, 1_000), swap(2, 30_000))
    assert counted(effects) == {"ingested": 2, "applied": 2}
    assert effects.archive.sign.tolist() == [1, 1]
    assert effects.update.token_ids.tolist() == []
    assert one.live_tokens() == {}
    assert one.tick(T0_MS + 999).update.token_ids.tolist() == []
    assert one.tick(T0_MS + 1_000).update.token_ids.tolist() == [0]
    assert narrow(one).trades == 1


def test_too_far_ahead_goes_by_the_append_time() -> None:
    one = shard()
    effects = feed(one, swap(1, AHEAD_MS), swap(2, AHEAD_MS + 1), now_ms=T0_MS + 50_000)
    assert [letter.reason for letter in effects.dead_letters] == ["too_far_ahead"]
    by_events = shard(event_clock=True)
    assert counted(feed(by_events, swap(3, 20 * AHEAD_MS))) == {"ingested": 1, "applied": 1}


def test_t_by_the_event_clock() -> None:
    """Adds move it, also those removed later; removals and dead letters do not."""
    one = shard(event_clock=True)
    moves = [
        (swap(1, 1_000), 1_000),
        (swap(2, 9_000, removed=True), 1_000),
        (swap(1, 1_999, side="sell"), 1_000),
        (spelled(swap(3, 8_000))[:-1], 1_000),
        (swap(4, 5_000), 5_000),
        (swap(4, 5_000, removed=True), 5_000),
        (swap(5, 3_000), 5_000),
        (swap(2, 9_000), 9_000),
    ]
    for message, t_ms in moves:
        feed(one, message)
        assert one.t_ms == T0_MS + t_ms
    whole = shard(event_clock=True)
    feed(whole, *(message for message, _ in moves))
    assert whole.t_ms == one.t_ms


def test_a_refused_late_add_moves_t_whatever_its_pair_is() -> None:
    """It is neither looked up nor a dead letter; see the recount, which must say the same."""
    one = shard("drop", event_clock=True)
    feed(one, swap(1, 50_000, removed=True), swap(2, 100_000, removed=True))
    feed(one, swap(2, 100_000, side="sell"))
    assert one.t_ms == 0
    assert counted(feed(one, swap(1, 50_000, side="sell"))) == {
        "ingested": 1, "late": 1, "late_refused": 1
    }  # fmt: skip
    assert one.t_ms == T0_MS + 50_000


# Time


def test_a_silent_token_empties_by_itself_and_says_so() -> None:
    one = shard()
    feed(one, swap(1, 0), swap(2, 0, token_address="u"))
    effects = one.tick(T0_MS + 5_000)
    assert effects.update.token_ids.tolist() == [0, 1]
    assert [row[0] for row in map(list, one.live_tokens().values())] == [WindowStats()] * 2
    assert one.tick(T0_MS + 59_999).update.token_ids.tolist() == []
    assert one.tick(T0_MS + 60_000).update.token_ids.tolist() == [0, 1]
    assert one.live_tokens() == {}
    assert one.stats("t") == (WindowStats(), WindowStats())
    assert one.stats("never seen") is None


def test_t_never_goes_back() -> None:
    one = shard()
    one.tick(T0_MS + 10_000)
    assert one.tick(T0_MS).update.t_ms == T0_MS + 10_000
    assert feed(one, swap(1), now_ms=5).update.t_ms == T0_MS + 10_000


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
    messages += [bad_message(rng, T0_MS, T0_MS + AHEAD_MS)[1][:2_000] for _ in range(15)]
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


# What it can be asked


def test_whole_tells_every_token_also_silent_ones() -> None:
    one = shard()
    feed(one, swap(1, token_symbol="T"), swap(2, -30_000, token_address="u"))
    one.tick(T0_MS + 40_000)
    whole = one.whole()
    assert [(name.key, name.symbol) for name in whole.names] == [("t", "T"), ("u", None)]
    assert whole.token_ids.tolist() == [0, 1]
    assert [from_row(row[1]).trades for row in whole.rows] == [1, 0]


def test_updates_do_not_change_afterwards() -> None:
    one = shard()
    update = feed(one, swap(1)).update
    rows = update.rows.copy()
    feed(one, swap(2))
    one.tick(T0_MS + 60_000)
    np.testing.assert_array_equal(update.rows, rows)


def test_memory_counts_what_is_held() -> None:
    one = shard()
    feed(
        one,
        *(swap(number, number % 3 * 1_000, token_address=f"t{number % 5}") for number in range(90)),
    )
    memory = one.memory()
    assert (memory.pairs, memory.buckets, memory.tokens, memory.cells) == (90, 3, 5, 15)
    assert 90 * 12 <= memory.sets_bytes < memory.total_bytes
    one.tick(T0_MS + 10**9)
    assert (one.memory().pairs, one.memory().buckets, one.memory().tokens) == (0, 0, 5)


def test_series_of_a_token() -> None:
    one = shard()
    feed(one, swap(1, -1_000), swap(2, -999), swap(3, 0))
    found = [(at_ms - T0_MS, stats.trades) for at_ms, stats in one.series("t", 5_000)]
    assert found == [(-1_000, 2), (0, 1)]
    assert one.series("unknown", 5_000) == []
