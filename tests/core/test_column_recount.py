"""The recount by sorting against the recount by dictionaries: two ways to one answer."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import START_MS, conflict_free_streams, rngs, wire_swaps

from swapstats.core.column_recount import ColumnRecount
from swapstats.core.hash_key import HashKey
from swapstats.core.recount import Recount
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.model.stats import WindowStats
from swapstats.model.window import WindowSpec
from swapstats.testing.wire_streams import (
    AMOUNT_TOKEN_MAX,
    AMOUNT_USD_MAX,
    WireSwap,
    bad_message,
    conflicting,
    respelled,
    shuffled,
    spelled,
)

SPEC = WindowSpec(5_000, (300_000, 10_000, 60_000))
KEY = HashKey.of(b"count by columns")
MAX_AHEAD_MS = 30_000
GRACE_MS = 20_000
Stats = dict[str, tuple[WindowStats, ...]]


def batches(rng: Random, messages: list[bytes], append_ms: list[int]) -> list[RecordBatch]:
    """Cut messages into records, gaps between their offsets included."""
    found, at, offset = [], 0, rng.randrange(3)
    while at < len(messages):
        count = rng.randint(1, 12)
        block = MessageBlock.of(messages[at : at + count])
        offsets = offset + np.arange(len(block), dtype=np.int64)
        times = np.array(append_ms[at : at + count], dtype=np.int64)
        found.append(RecordBatch(0, offsets, times, block.buffer, block.bounds))
        at, offset = at + count, offset + len(block) + rng.randrange(2)
    return found


def by_columns(
    found: list[RecordBatch],
    t_ms: int,
    max_ahead_ms: int | None,
    late: str = "apply",
    key: HashKey = KEY,
) -> Stats:
    recount = ColumnRecount(SPEC, t_ms, key, max_ahead_ms, GRACE_MS, refuses_late=late != "apply")
    for batch in found:
        recount.feed(batch)
    return recount.windows()


def plainly(
    found: list[RecordBatch], t_ms: int, max_ahead_ms: int | None, late: str = "apply"
) -> Stats:
    recount = Recount(SPEC, GRACE_MS, late, max_ahead_ms, "wall", t_ms)
    for batch in found:
        for row in range(len(batch)):
            recount.feed(batch.message(row), int(batch.append_ms[row]))
    return {key: tuple(windows.values()) for key, windows in recount.windows().items()}


@settings(max_examples=150, deadline=None)
@given(
    swaps=conflict_free_streams(),
    extra=st.lists(wire_swaps(), max_size=15),
    rng=rngs(),
    t_ms=st.integers(START_MS - 20_000, START_MS + 700_000),
    max_ahead_ms=st.sampled_from((None, MAX_AHEAD_MS)),
    late=st.sampled_from(("apply", "drop", "divert")),
)
def test_both_say_the_same_of_any_stream(
    swaps: list[WireSwap],
    extra: list[WireSwap],
    rng: Random,
    t_ms: int,
    max_ahead_ms: int | None,
    late: str,
) -> None:
    messages = shuffled(rng, swaps)
    messages += [respelled(rng, swap) for swap in extra]
    messages += [spelled(conflicting(rng, swap, SPEC.step_ms)) for swap in swaps[:5]]
    messages += [bad_message(rng, START_MS, START_MS + 1_000)[1] for _ in range(3)]
    rng.shuffle(messages)
    append_ms = sorted(START_MS + rng.randint(-5_000, 130_000) for _ in messages)
    found = batches(rng, messages, append_ms)
    assert by_columns(found, t_ms, max_ahead_ms, late) == plainly(found, t_ms, max_ahead_ms, late)


def test_any_key_and_any_cut_give_the_same() -> None:
    rng = Random(7)
    messages = [respelled(rng, swap) for swap in _repeated(rng)]
    append_ms = [START_MS] * len(messages)
    one = by_columns(batches(Random(1), messages, append_ms), START_MS + 9_000, None)
    other_key = HashKey.of(b"another key with")
    other = by_columns(
        batches(Random(2), messages, append_ms), START_MS + 9_000, None, key=other_key
    )
    assert one == other != {}


def _repeated(rng: Random) -> list[WireSwap]:
    return [swap_of(n, START_MS + rng.randrange(9_000)) for n in range(30) for _ in range(2)]


def swap_of(number: int, event_ms: int, **fields: object) -> WireSwap:
    values: dict[str, object] = {
        "event_id": f"x:{number}",
        "token_address": f"T{number % 3}",
        "side": "buy",
        "amount_token": number,
        "amount_usd": number,
        "event_ms": event_ms,
    }
    return WireSwap(**(values | fields))  # type: ignore[arg-type] # made to fit


def test_sums_beyond_64_bits_are_exact() -> None:
    rng = Random(3)
    largest = {"amount_token": AMOUNT_TOKEN_MAX, "amount_usd": AMOUNT_USD_MAX, "token_address": "T"}
    count = 2_000
    messages = [spelled(swap_of(n, START_MS, **largest)) for n in range(count)]
    found = by_columns(batches(rng, messages, [START_MS] * count), START_MS, None)["T"][0]
    assert found.vol_token == count * AMOUNT_TOKEN_MAX
    assert found.vol_usd == count * AMOUNT_USD_MAX == found.buy_usd
    assert (found.trades, found.buy, found.sell) == (count, count, 0)


@pytest.mark.parametrize("widest_first", [True, False])
def test_only_what_the_windows_cover_counts(widest_first: bool) -> None:
    widths = (300_000, 10_000) if widest_first else (10_000, 300_000)
    end_ms = START_MS + 5_000
    edges = [end_ms - 300_001, end_ms - 300_000, end_ms - 10_001, end_ms - 10_000, end_ms - 1]
    messages = [spelled(swap_of(3 * n, ms)) for n, ms in enumerate([*edges, end_ms])]
    recount = ColumnRecount(WindowSpec(5_000, widths), START_MS, KEY, None, 0, refuses_late=False)
    for batch in batches(Random(1), messages, [START_MS] * len(messages)):
        recount.feed(batch)
    trades = dict(zip(widths, (stats.trades for stats in recount.windows()["T0"]), strict=True))
    assert trades == {300_000: 4, 10_000: 2}


def test_nothing_gives_nothing() -> None:
    assert by_columns([], START_MS, None) == {}
    bad = batches(Random(1), [b"bad"], [START_MS])
    assert by_columns(bad, START_MS, None) == {}
