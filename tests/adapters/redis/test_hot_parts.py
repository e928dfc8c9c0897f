from dataclasses import replace

import numpy as np
import pytest

from swapstats.adapters.redis.hot_parts import (
    PART_TOKENS_MAX,
    pack_numbers,
    parts_of,
    row_bytes,
    unpack_names,
    unpack_numbers,
    unpack_rows,
)
from swapstats.errors import StoreCorrupt
from swapstats.model.effects import TokenName
from swapstats.model.window import WindowSpec
from swapstats.testing.synthetic_updates import SyntheticUpdates

SPEC = WindowSpec(5_000, (300_000, 3_600_000))


def test_numbers_and_rows_come_back() -> None:
    synthetic = SyntheticUpdates(SPEC, tokens=50, wide=True)
    update = synthetic.update(0, 50)
    numbers = unpack_numbers(pack_numbers(update.token_ids))
    assert numbers.dtype == np.int32
    assert numbers.tolist() == update.token_ids.tolist()
    rows = unpack_rows(update.rows.tobytes(), 50, row_bytes(update))
    assert rows.tolist() == update.rows.tolist()


@pytest.mark.parametrize(("count", "size"), [(2, 160), (1, 80), (1, 161)])
def test_rows_of_another_size_are_found(count: int, size: int) -> None:
    with pytest.raises(StoreCorrupt, match="rows"):
        unpack_rows(bytes(160), count, size)


@pytest.mark.parametrize("packed", [None, b"", b"\xff", b"\x91\xa1a"])
def test_what_is_no_name_is_found(packed: bytes | None) -> None:
    with pytest.raises(StoreCorrupt, match="token 3"):
        unpack_names(np.array([3], dtype=np.int32), [packed])


def test_parts_are_bounded_and_there_is_always_one() -> None:
    synthetic = SyntheticUpdates(SPEC, tokens=2 * PART_TOKENS_MAX + 1)
    assert len(list(parts_of(synthetic.update_of(0, np.empty(0, dtype=np.int32))))) == 1
    update = next(iter(synthetic.everything()))
    parts = list(parts_of(update))
    assert len(parts) == 3
    assert max(map(len, parts)) < 2 << 20
    assert sum(map(len, parts)) > update.rows.nbytes
    quiet = replace(
        synthetic.update_of(0, np.empty(0, dtype=np.int32)),
        names=tuple(TokenName(at, str(at), None) for at in range(PART_TOKENS_MAX + 1)),
    )
    assert len(list(parts_of(quiet))) == 2
