"""Synthetic updates: the same for the same seed, and obeying what every statistic obeys."""

import numpy as np
import pytest

from swapstats.model.stats import from_row
from swapstats.model.window import WindowSpec
from swapstats.testing.synthetic_updates import SyntheticUpdates

SPEC = WindowSpec(5_000, (300_000, 3_600_000))


@pytest.mark.parametrize("wide", [False, True])
def test_rows_are_possible_statistics(wide: bool) -> None:
    source = SyntheticUpdates(SPEC, tokens=50, partitions=3, wide=wide)
    for update in source.stream(9, 10):
        assert update.rows.shape == (10, 2, 10)
        for row in update.rows.reshape(-1, 10):
            stats = from_row(row)
            assert 0 <= stats.buy <= stats.trades
            assert 0 <= stats.buy_usd <= stats.vol_usd
            assert 0 <= stats.unpriced <= stats.trades
            assert stats.vol_token >= 0


def test_the_seed_decides_everything() -> None:
    def texts(seed: int) -> list[str]:
        return [repr(one) for one in SyntheticUpdates(SPEC, seed=seed, wide=True).stream(9, 3)]

    assert texts(5) == texts(5)
    assert texts(5) != texts(6)


def test_each_token_is_named_once_and_everything_names_all() -> None:
    source = SyntheticUpdates(SPEC, tokens=101, partitions=4, odd_keys=True)
    updates = [*source.stream(20, 5), *source.everything()]
    keys = [name.key for update in updates for name in update.names]
    assert sorted(keys) == sorted(source.key(token) for token in range(101))
    assert len(set(keys)) == 101
    for partition in range(4):
        seqs = [update.seq for update in updates if update.partition == partition]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
        assert all(
            np.all(np.diff(update.token_ids) > 0)
            for update in updates
            if update.partition == partition
        )
