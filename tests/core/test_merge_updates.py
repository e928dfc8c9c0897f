"""Merged updates against the same updates applied one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapstats.core.market import Market
from swapstats.core.merge_updates import merge_updates
from swapstats.errors import InvariantBroken
from swapstats.model.effects import TokenName
from swapstats.model.window import WindowSpec
from swapstats.testing.synthetic_updates import SyntheticUpdates

SPEC = WindowSpec(5_000, (300_000, 3_600_000))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 8), st.integers(1, 12))
def test_a_merge_equals_applying_in_order(seed: int, count: int, changed: int) -> None:
    updates = list(SyntheticUpdates(SPEC, tokens=12, seed=seed).stream(count, changed))
    single, merged = Market(SPEC, 1), Market(SPEC, 1)
    for update in updates:
        single.apply(update)
    joined = updates[0]
    for update in updates[1:]:
        joined = merge_updates(joined, update)
    merged.apply(joined)
    assert len(merged) == len(single)
    for index in range(len(single)):
        other = merged.by_key(single.key(index))
        assert other is not None
        assert merged.current(other) == single.current(index)


def test_a_symbol_that_came_first_is_kept() -> None:
    source = SyntheticUpdates(SPEC, tokens=1)
    first, second = source.update(0, 1), source.update(0, 1)
    from dataclasses import replace

    second = replace(second, names=(TokenName(0, source.key(0), None),))
    assert merge_updates(first, second).names == first.names


def test_updates_out_of_order_or_of_two_partitions_are_a_bug() -> None:
    source = SyntheticUpdates(SPEC, tokens=4, partitions=2)
    first, second, other = source.update(0, 1), source.update(0, 1), source.update(1, 1)
    with pytest.raises(InvariantBroken):
        merge_updates(second, first)
    with pytest.raises(InvariantBroken):
        merge_updates(first, other)
    assert np.all(np.diff(merge_updates(first, second).token_ids) > 0)
