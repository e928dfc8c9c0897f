import numpy as np
import pytest
from tests.roles.test_archive_lane import records

from swapstats.core.batches import cut_batch, join_batches


def test_a_batch_is_cut_at_an_offset() -> None:
    batch = records(10, 20)
    head, rest = cut_batch(batch, 14)
    assert rest is not None
    assert head.next_offset == 14
    assert [head.message(at) for at in range(4)] == [batch.message(at) for at in range(4)]
    assert [rest.message(at) for at in range(6)] == [batch.message(at) for at in range(4, 10)]
    assert cut_batch(batch, 20) == (batch, None)
    with pytest.raises(ValueError, match="before offset 10"):
        cut_batch(batch, 10)


def test_batches_are_laid_end_to_end() -> None:
    whole = records(10, 20)
    head, rest = cut_batch(whole, 13)
    assert rest is not None
    middle, tail = cut_batch(rest, 18)
    assert tail is not None
    joined = join_batches([head, middle, tail])
    for name in ("offsets", "append_ms", "buffer", "bounds"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
    assert join_batches([tail]) is tail
    with pytest.raises(ValueError, match="none"):
        join_batches([])
