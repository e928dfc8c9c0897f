"""The shard's effects as values: fates, signs, dead letters, lateness, time.

Batches and restarts: `test_shard_restart.py`; against the brute-force recount:
`tests/simulation/test_shard_machine.py`.
"""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from tests.core.kernels.batches import T0_MS, cuts, swap
from tests.core.kernels.shards import (
    AHEAD_MS,
    STEP_MS,
    counted,
    feed,
    narrow,
    shard,
    state,
)

from swapstats.model.effects import COUNTER_NAMES
from swapstats.model.stats import WindowStats, from_row
from swapstats.testing.wire_streams import (
    StreamShape,
    WireSwap,
    bad_message,
    random_stream,
    shuffled,
    spelled,
)

PARTS = set(COUNTER_NAMES) - {"ingested", "late"}


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
    moves: list[tuple[WireSwap | bytes, int]] = [
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
    """It is not looked up, so it is no conflict; and a valid add moves T."""
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


def test_series_of_a_token() -> None:
    one = shard()
    feed(one, swap(1, -1_000), swap(2, -999), swap(3, 0))
    found = [(at_ms - T0_MS, stats.trades) for at_ms, stats in one.series("t", 5_000)]
    assert found == [(-1_000, 2), (0, 1)]
    assert one.series("unknown", 5_000) == []
