"""How a client that comes back goes on, here or at another instance."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from swapstats.core.market import Market
from swapstats.core.merge_updates import merge_updates
from swapstats.core.patch import stream_name
from swapstats.core.resume import Resume, plan_resume
from swapstats.model.window import WindowSpec
from swapstats.testing.synthetic_updates import SyntheticUpdates

SPEC = WindowSpec(5_000, (300_000, 3_600_000))


def fed(count: int, origin: str = "") -> tuple[Market, SyntheticUpdates]:
    source = SyntheticUpdates(SPEC, tokens=5, seed=8)
    market = Market(SPEC, 1, origin=origin)
    market.apply(source.update(0, 5))
    for update in source.stream(count, 2):
        market.apply(update)
    return market, source


def test_a_known_base_is_the_version_the_client_holds() -> None:
    market, source = fed(5)
    market.apply(source.update_of(0, np.array([3], dtype=np.int32)))
    held = market.version(3)
    market.apply(source.update_of(0, np.array([3], dtype=np.int32)))
    assert plan_resume(market, 3, held.stream, held.seq) == Resume(held)


def test_another_life_partition_or_text_gets_a_snapshot() -> None:
    market, _ = fed(5)
    other, _ = fed(5, origin="another log")
    held = market.version(0)
    assert plan_resume(other, 0, held.stream, held.seq) == Resume()
    assert plan_resume(market, 0, stream_name(market.origin, 1, 1), held.seq) == Resume()
    assert plan_resume(market, 0, "nonsense", held.seq) == Resume()


def test_an_instance_that_is_behind_lets_the_client_wait() -> None:
    market, source = fed(5)
    place = market.place(0)
    stream = stream_name(market.origin, 0, 1)
    assert plan_resume(market, 0, stream, place.seq + 1) == Resume(wait=(1, place.seq + 1))
    newer = stream_name(market.origin, 0, 2)
    assert plan_resume(market, 0, newer, 7) == Resume(wait=(2, 7))
    market.apply(source.update(0, 5))
    assert plan_resume(market, 0, stream, place.seq + 1).wait is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 4), min_size=3, max_size=12))
def test_no_seq_and_no_moment_goes_back_at_an_instance_that_merged(
    seed: int, runs: list[int]
) -> None:
    updates = list(SyntheticUpdates(SPEC, tokens=4, seed=seed).stream(1 + sum(runs), 2))
    plain, merged = Market(SPEC, 1), Market(SPEC, 1)
    for market in (plain, merged):
        market.apply(updates[0])
    done = 1
    for run in runs:
        part = updates[done : done + run]
        done += run
        joined = part[0]
        for update in part[1:]:
            joined = merge_updates(joined, update)
        for update in part:
            plain.apply(update)
        merged.apply(joined)
        for here, there in ((plain, merged), (merged, plain)):
            for index in range(len(here)):
                held = here.version(index)
                other = there.by_key(held.key)
                assert other is not None
                plan = plan_resume(there, other, held.stream, held.seq)
                newest = there.version(other)
                assert plan.wait is None
                assert newest.seq >= held.seq
                assert newest.as_of_ms >= held.as_of_ms
                assert plan.base in (None, held)


def test_a_resume_in_an_epoch_that_is_over_goes_on_from_its_last_version() -> None:
    market, source = fed(3)
    held = market.version(0)
    update = source.update_of(0, np.array([1], dtype=np.int32))
    market.apply(replace(update, epoch=2, seq=(2 << 32) + 1))
    assert plan_resume(market, 0, held.stream, held.seq).base == held
