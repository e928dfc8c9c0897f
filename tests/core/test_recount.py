"""The brute-force recount: tables of fates, invariances, and a tiny sum of its own to match."""

import gzip
import json
import os
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import START_MS, conflict_free_streams, rngs, wire_swaps

from swapstats.core.recount import Recount
from swapstats.errors import SettingsError, UsageError
from swapstats.model.effects import COUNTER_NAMES
from swapstats.model.stats import WindowStats
from swapstats.model.window import WindowSpec
from swapstats.testing.wire_streams import (
    BAD_BYTES,
    StreamShape,
    WireSwap,
    conflicting,
    random_stream,
    respelled,
    shuffled,
    spelled,
)

STEP_MS = 5_000
SPEC = WindowSpec(STEP_MS, (10_000, 60_000))
GRACE_MS = 20_000
AHEAD_MS = 3_600_000
DATA = Path(os.environ.get("SWAPSTATS_DATA", Path(__file__).parents[3] / "shared/data")) / "wire"


def recount(
    late: str = "apply", clock: str = "wall", t_ms: int = START_MS, grace_ms: int = GRACE_MS
) -> Recount:
    return Recount(SPEC, grace_ms, late, AHEAD_MS, clock, t_ms)


def swap(number: int, at_ms: int, **changed: object) -> WireSwap:
    """An event `at_ms` after START_MS."""
    fields: dict[str, object] = {
        "event_id": f"e:{number}",
        "token_address": "t",
        "side": "buy",
        "amount_token": 10**18,
        "amount_usd": 2_000_000,
        "event_ms": START_MS + at_ms,
    }
    return WireSwap(**(fields | changed))  # type: ignore[arg-type] # a table row fits the fields


def feed(shard: Recount, *swaps: WireSwap, now_ms: int = 0) -> list[str]:
    return [shard.feed(spelled(one), START_MS, now_ms) for one in swaps]


def gone(number: int, at_ms: int, **changed: object) -> WireSwap:
    return swap(number, at_ms, removed=True, **changed)


def balanced(shard: Recount) -> bool:
    """Whether the counters add up as DESIGN says."""
    fates = sum(shard.counters[name] for name in COUNTER_NAMES if name not in ("ingested", "late"))
    return (
        shard.counters["ingested"] == fates
        and shard.counters["late"] <= shard.counters["applied"] + shard.counters["late_refused"]
        and sum(shard.reasons.values()) == shard.counters["dead_letters"]
    )


def tiny_sum(swaps: Iterable[WireSwap], t_ms: int) -> dict[str, dict[str, WindowStats]]:
    """The answer by two sets and a loop: conflict-free swaps only."""
    end_ms = t_ms // STEP_MS * STEP_MS + STEP_MS
    added = {(one.event_id, one.inclusion): one for one in swaps if not one.removed}
    taken = {(one.event_id, one.inclusion) for one in swaps if one.removed}
    answer: dict[str, dict[str, list[int]]] = {}
    for pair, one in added.items():
        if pair in taken or not end_ms - SPEC.widest_ms <= one.event_ms < end_ms:
            continue
        windows = answer.setdefault(one.token_key, {name: [0] * 8 for name in SPEC.names})
        for name, width_ms in zip(SPEC.names, SPEC.widths_ms, strict=True):
            if one.event_ms >= end_ms - width_ms:
                usd, is_buy = one.amount_usd or 0, one.side == "buy"
                row = [usd, one.amount_token, 1, is_buy, not is_buy, is_buy * usd]
                row += [(not is_buy) * usd, one.amount_usd is None]
                windows[name] = [a + b for a, b in zip(windows[name], row, strict=True)]
    return {
        key: {name: WindowStats(*row) for name, row in windows.items()}
        for key, windows in answer.items()
    }


# Tables of fates

B = 3 * 10**18
CASES = {
    "a swap and its repeats": [
        (swap(1, 0), "applied"),
        (swap(1, 0), "duplicates"),
        (swap(1, 0, token_symbol="S"), "duplicates"),
        (swap(2, 0), "applied"),
    ],
    "a removal takes back what was added": [
        (swap(1, 0), "applied"),
        (gone(1, 0), "removed"),
        (gone(1, 0), "duplicates"),
        (swap(1, 0), "duplicates"),
        (swap(1, 0, inclusion=1, amount_token=B), "applied"),
        (gone(1, 0), "duplicates"),
    ],
    "a removal that comes first waits for its add": [
        (gone(1, 0), "cancelled"),
        (gone(1, 0), "duplicates"),
        (swap(1, 0), "cancelled"),
        (swap(1, 0), "duplicates"),
        (gone(1, 0), "duplicates"),
    ],
    "the first stands": [
        (swap(1, 0), "applied"),
        (swap(1, 0, amount_token=B), "dead_letters"),
        (swap(1, 0, side="sell"), "dead_letters"),
        (swap(1, 0, amount_usd=None), "dead_letters"),
        (swap(1, 1), "dead_letters"),
        (swap(1, 0, chain_id=1), "dead_letters"),
        (gone(1, 0, amount_usd=0), "dead_letters"),
        (gone(1, 0), "removed"),
        (gone(1, 0, amount_token=B), "dead_letters"),
        (swap(1, 0, amount_token=B), "dead_letters"),
        (swap(1, 0), "duplicates"),
    ],
    "a waiting removal stands too": [
        (gone(1, 0), "cancelled"),
        (gone(1, 0, side="sell"), "dead_letters"),
        (swap(1, 0, side="sell"), "dead_letters"),
        (swap(1, 0), "cancelled"),
    ],
    "a pair lives in its bucket": [
        (swap(1, 0), "applied"),
        (swap(1, STEP_MS), "applied"),
        (gone(1, STEP_MS), "removed"),
    ],
    "too old": [
        (swap(1, -55_000), "applied"),
        (swap(2, -55_001), "too_old"),
        (gone(1, -55_000), "removed"),
        (gone(2, -55_001), "too_old"),
        (swap(2, -55_001, side="sell"), "too_old"),
    ],
    "late adds and removals": [
        (swap(1, 0), "applied"),
        (swap(2, -20_000), "applied"),
        (swap(3, -20_001), "applied"),
        (gone(3, -20_001), "removed"),
        (swap(3, -20_001), "duplicates"),
    ],
}


@pytest.mark.parametrize("clock", ["wall", "event"])
@pytest.mark.parametrize("name", list(CASES))
def test_fates(name: str, clock: str) -> None:
    shard = recount(clock=clock)
    case = CASES[name]
    assert feed(shard, *(one for one, _ in case)) == [fate for _, fate in case]
    assert balanced(shard)
    assert shard.reasons == ({"conflict": n} if (n := shard.counters["dead_letters"]) else {})


@pytest.mark.parametrize("late", ["drop", "divert"])
def test_late_adds_are_refused_and_not_registered(late: str) -> None:
    shard = recount(late)
    case = [
        (swap(1, 0), "applied"),
        (swap(2, -20_000), "applied"),
        (swap(3, -20_001), "late_refused"),
        (swap(3, -20_001), "late_refused"),
        (gone(3, -20_001), "cancelled"),
        (swap(3, -20_001, side="sell"), "late_refused"),
        (swap(4, -55_001), "too_old"),
    ]
    assert feed(shard, *(one for one, _ in case)) == [fate for _, fate in case]
    assert (shard.counters["late"], shard.counters["late_refused"]) == (3, 3)
    assert balanced(shard)


def test_late_counts_only_what_was_applied() -> None:
    shard = recount()
    late = swap(2, -30_000)
    fates = feed(shard, swap(1, 0), late, late, gone(3, -30_000), swap(3, -30_000))
    assert fates == ["applied", "applied", "duplicates", "cancelled", "cancelled"]
    assert shard.counters["late"] == 1


def test_lateness_follows_adds_and_conflicts_but_no_removals_and_no_dead_letters() -> None:
    shard = recount(grace_ms=0, late="drop")
    assert feed(shard, gone(1, 30_000), swap(2, 10_000)) == ["cancelled", "applied"]
    assert shard.newest_ms == START_MS + 10_000
    far = swap(3, AHEAD_MS + 1)
    assert feed(shard, far, swap(4, 10_000)) == ["dead_letters", "applied"]
    assert shard.reasons == {"too_far_ahead": 1}
    conflict = swap(2, 10_001, side="sell")
    assert feed(shard, conflict, swap(5, 10_000)) == ["dead_letters", "late_refused"]
    old = recount(grace_ms=0, late="drop")
    assert feed(old, swap(1, -60_000), swap(2, -60_001)) == ["too_old", "too_old"]
    assert old.newest_ms == START_MS - 60_000


def test_bad_messages_change_nothing_but_the_counts() -> None:
    shard = recount(clock="event")
    feed(shard, swap(1, 0))
    before = shard.windows()
    for reason, messages in BAD_BYTES.items():
        assert {shard.feed(message, START_MS) for message in messages} == {"dead_letters"}
        assert shard.reasons[reason] == len(messages)
    assert (shard.windows(), shard.t_ms, len(shard)) == (before, START_MS, 1)
    assert balanced(shard)


# T and the windows


def trades(shard: Recount, t_ms: int | None = None) -> tuple[int, ...]:
    return tuple(stats.trades for row in shard.windows(t_ms).values() for stats in row.values())


@pytest.mark.parametrize(
    ("at_ms", "expected"),
    [
        (4_999, (1, 1)),  # the last millisecond before the end
        (5_000, ()),  # not yet
        (-5_000, (1, 1)),
        (-5_001, (0, 1)),
        (-55_000, (0, 1)),
        (-55_001, ()),  # too old
    ],
)
def test_edges_of_the_windows(at_ms: int, expected: tuple[int, ...]) -> None:
    shard = recount()
    feed(shard, swap(1, at_ms))
    assert trades(shard) == expected


def test_not_yet_counts_from_the_moment_its_bucket_enters() -> None:
    shard = recount()
    assert feed(shard, swap(1, 12_000)) == ["applied"]
    assert shard.t_ms == START_MS
    assert trades(shard, START_MS + 9_999) == ()
    assert trades(shard, START_MS + 10_000) == (1, 1)
    shard.tick(START_MS + 10_000)
    assert trades(shard) == (1, 1)


def test_a_silent_token_empties_and_is_forgotten() -> None:
    shard = recount()
    feed(shard, swap(1, 0), gone(2, 0))
    shard.tick(START_MS + 10_000)
    assert trades(shard) == (0, 1)
    shard.tick(START_MS + 59_999)
    assert (trades(shard), len(shard)) == ((0, 1), 2)
    shard.tick(START_MS + 60_000)
    assert (trades(shard), len(shard)) == ((), 0)
    assert feed(shard, swap(1, 0)) == ["too_old"]
    assert trades(shard) == ()


def test_t_never_goes_back() -> None:
    shard = recount()
    shard.tick(START_MS - 1)
    feed(shard, swap(1, 0), now_ms=START_MS + 7_000)
    feed(shard, swap(2, 0), now_ms=START_MS + 6_000)
    assert (shard.t_ms, shard.end_ms) == (START_MS + 7_000, START_MS + 10_000)
    with pytest.raises(UsageError, match="Expected a moment at or after T"):
        shard.windows(START_MS)


def test_the_event_clock_follows_valid_adds_only() -> None:
    shard = recount(clock="event", t_ms=0)
    assert feed(shard, swap(1, 1_000)) == ["applied"]
    feed(shard, gone(2, 9_000), swap(2, 9_001), swap(1, 1_001), swap(3, AHEAD_MS + 1))
    assert (shard.t_ms, shard.reasons["conflict"]) == (START_MS + 1_000, 2)
    assert feed(shard, swap(2, 9_000)) == ["cancelled"]
    assert shard.t_ms == START_MS + 9_000
    shard.tick(START_MS + 9_500)
    assert shard.t_ms == START_MS + 9_500
    refuser = recount(clock="event", late="drop", t_ms=0, grace_ms=0)
    feed(refuser, swap(1, 1_000), swap(1, 1_003, side="sell"))
    assert (refuser.t_ms, refuser.newest_ms) == (START_MS + 1_000, START_MS + 1_003)
    assert feed(refuser, swap(2, 1_002)) == ["late_refused"]
    assert refuser.t_ms == START_MS + 1_002


def test_unknown_policy_and_clock_are_refused() -> None:
    with pytest.raises(SettingsError, match="Expected late as one of"):
        recount(late="ignore")
    with pytest.raises(SettingsError, match="Expected clock as one of"):
        recount(clock="moon")


def test_sums_are_exact_at_the_edges_of_the_contract() -> None:
    shard = recount()
    most = {"amount_token": 10**38 - 1, "amount_usd": 10**18 - 1}
    feed(shard, *(swap(number, 0, **most) for number in range(50)))
    feed(shard, swap(50, 0, side="sell", amount_usd=None), swap(51, 0, side="sell", amount_usd=7))
    stats = shard.windows()["t"]["10s"]
    usd, vol_token = 50 * (10**18 - 1), 50 * (10**38 - 1) + 2 * 10**18
    assert stats == WindowStats(usd + 7, vol_token, 52, 50, 2, usd, 7, 1)


# Invariances


@given(conflict_free_streams(), rngs(), st.sampled_from(("wall", "event")))
@settings(max_examples=150, deadline=None)
def test_order_and_repeats_and_spelling_do_not_matter(
    stream: list[WireSwap], rng: Random, clock: str
) -> None:
    """Windows equal the tiny sum at the same T, whatever the order."""
    newest_ms = max((one.event_ms for one in stream if not one.removed), default=START_MS)
    for messages in ([spelled(one) for one in stream], shuffled(rng, stream)):
        shard = recount(clock=clock, t_ms=0 if clock == "event" else newest_ms)
        for message in messages:
            shard.feed(message, newest_ms)
        shard.tick(newest_ms)
        assert balanced(shard)
        for t_ms in (newest_ms, newest_ms + 7_000, newest_ms + 70_000):
            assert shard.windows(t_ms) == tiny_sum(stream, t_ms)


@given(st.lists(wire_swaps(), max_size=30), rngs(), st.sampled_from(("apply", "drop")))
@settings(max_examples=150, deadline=None)
def test_forgetting_changes_no_result(swaps: list[WireSwap], rng: Random, late: str) -> None:
    """A recount whose widest window forgets nothing sees the same in the smaller windows."""
    wide = Recount(WindowSpec(STEP_MS, (10_000, 60_000, 86_400_000)), 0, late, None, "event", 0)
    narrow = Recount(SPEC, 0, late, None, "event", 0)
    for one in swaps:
        message = respelled(rng, one)
        fate = narrow.feed(message, START_MS)
        expected = wide.feed(message, START_MS)
        assert fate in (expected, "too_old")
        assert (narrow.t_ms, narrow.newest_ms) == (wide.t_ms, wide.newest_ms)
        kept = {
            key: {name: row[name] for name in SPEC.names} for key, row in wide.windows().items()
        }
        assert narrow.windows() == {key: row for key, row in kept.items() if row["1m"].trades}
    assert balanced(narrow)


@given(conflict_free_streams(), rngs())
@settings(max_examples=50, deadline=None)
def test_conflicts_change_nothing(stream: list[WireSwap], rng: Random) -> None:
    t_ms = max((one.event_ms for one in stream), default=START_MS)
    shard = recount(t_ms=t_ms)
    for one in stream:
        first = shard.feed(spelled(one), t_ms)
        again = shard.feed(spelled(conflicting(rng, one, STEP_MS)), t_ms)
        assert again == ("too_old" if first == "too_old" else "dead_letters")
    assert shard.windows() == tiny_sum(stream, t_ms)


def test_a_long_stream_holds_only_what_the_windows_need() -> None:
    shape = StreamShape(swaps=2_000, span_ms=3_600_000, late_share=0.0)
    stream = random_stream(Random(5), shape)
    shard = recount(clock="event", t_ms=0)
    held_max = 0
    for one in stream:
        shard.feed(spelled(one), one.event_ms)
        held_max = max(held_max, len(shard))
    assert held_max < 200
    assert shard.windows() == tiny_sum(stream, shard.t_ms)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data at {DATA}")
@pytest.mark.parametrize("path", sorted(DATA.glob("*.ndjson.gz")), ids=lambda path: path.name[:40])
def test_real_data_equals_a_sum_of_decimals(path: Path) -> None:
    lines = gzip.decompress(path.read_bytes()).splitlines()
    spec = WindowSpec(STEP_MS, (300_000, 3_600_000, 86_400_000))
    shard = Recount(spec, 120_000, "apply", None, "event", 0)
    assert {shard.feed(line, 0) for line in lines} <= {"applied", "duplicates"}
    rows = {row["event_id"]: row for row in map(json.loads, lines)}.values()
    assert shard.t_ms == max(row["event_time"] for row in rows)
    assert shard.counters["applied"] == len(rows)
    windows = shard.windows()
    for name, width_ms in zip(spec.names, spec.widths_ms, strict=True):
        inside = [r for r in rows if shard.end_ms - width_ms <= r["event_time"] < shard.end_ms]
        assert sum(token[name].trades for token in windows.values()) == len(inside)
        for scale, field, amount in (
            (6, "vol_usd", "amount_usd"),
            (18, "vol_token", "amount_token"),
        ):
            total = sum(getattr(token[name], field) for token in windows.values())
            assert total == sum(Decimal(row[amount]).scaleb(scale) for row in inside)
        buys = sum((row["side"] == "buy") for row in inside)
        assert sum(token[name].buy for token in windows.values()) == buys
