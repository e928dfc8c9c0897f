import numpy as np

from swapstats.core.demo_market import SLICE_MS, DemoMarket
from swapstats.roles.bench.backlog import (
    REPEAT_EVERY,
    REPEAT_SLICES,
    ForetoldCounters,
    backlog,
)

BEGINS_MS = 1_770_000_000_000
MARKET = DemoMarket(3, tokens=40, rate=1_000)
SPAN_MS = 3 * REPEAT_SLICES * SLICE_MS


def test_a_backlog_is_the_market_and_repeats_of_it() -> None:
    slices = list(backlog(MARKET, BEGINS_MS, SPAN_MS))
    assert [at_ms for at_ms, _ in slices] == list(range(BEGINS_MS, BEGINS_MS + SPAN_MS, SLICE_MS))
    for number, (at_ms, messages) in enumerate(slices):
        fresh = MARKET.slice(at_ms)
        assert messages[: len(fresh)] == fresh
        before = MARKET.slice(at_ms - REPEAT_SLICES * SLICE_MS)
        expected = before[::REPEAT_EVERY] if number >= REPEAT_SLICES else []
        assert messages[len(fresh) :] == expected


def test_counters_are_foretold_by_partition() -> None:
    foretold = ForetoldCounters(2, 1_000, 3_600_000)
    for at_ms, messages in backlog(MARKET, BEGINS_MS, SPAN_MS):
        partitions = np.arange(len(messages), dtype=np.int32) % 2
        foretold.feed(messages, partitions, at_ms, BEGINS_MS)
    # What stands in one partition is no duplicate in the other.
    foretold.feed([b"{}"], np.zeros(1, dtype=np.int32), BEGINS_MS, BEGINS_MS)
    counters = foretold.counters
    assert counters["dead_letters"] == 1
    assert counters["late"] > 0
    assert counters["too_old"] == 0
    fates = ("applied", "duplicates", "removed", "cancelled", "late_refused", "dead_letters")
    assert counters["ingested"] == sum(counters[fate] for fate in fates)


def test_a_repeat_in_the_same_partition_is_a_duplicate() -> None:
    message = MARKET.slice(BEGINS_MS)[:1]
    foretold = ForetoldCounters(2, 1_000, 3_600_000)
    first, second = np.zeros(1, dtype=np.int32), np.ones(1, dtype=np.int32)
    for partitions in (first, first, second):
        foretold.feed(message, partitions, BEGINS_MS, BEGINS_MS)
    assert foretold.counters["applied"] == 2
    assert foretold.counters["duplicates"] == 1
