"""Columns: room for a batch, and keys read back from it."""

import numpy as np
from tests.core.kernels.batches import columns_of, swap

from swapstats.core.columns import Columns


def test_an_empty_batch_accepts_nothing() -> None:
    columns = Columns.empty(3, 10)
    assert columns.accepted.tolist() == [0, 0, 0]
    assert len(columns.keys) == 10
    assert {len(getattr(columns, name)) for name in ("usd", "lo", "hi", "event_ms", "check")} == {3}
    assert (columns.symbols, columns.refusals) == ({}, {})


def test_two_batches_share_nothing() -> None:
    first, second = Columns.empty(1, 1), Columns.empty(1, 1)
    first.refusals[0] = ("bad_side", "x")
    assert second.refusals == {}


def test_keys_of_fast_and_slow_rows() -> None:
    columns = columns_of(
        swap(1, token_address="a"),
        swap(2, chain_id=5, token_address="\u00fc"),
        swap(3, chain_id=7, token_address="b"),
    )
    assert [columns.key(row) for row in range(3)] == ["a", "5:\u00fc", "7:b"]


def test_types_are_those_of_the_kernels() -> None:
    columns = columns_of(swap(1))
    assert columns.fingerprint.dtype == columns.hi.dtype == np.uint64
    assert columns.check.dtype == np.uint32
    assert columns.usd.dtype == columns.event_ms.dtype == columns.key_start.dtype == np.int64
    assert not columns.keys.flags.writeable
