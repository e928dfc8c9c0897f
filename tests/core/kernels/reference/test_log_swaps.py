"""One swap of each layout by hand, of both forms."""

import json
from types import ModuleType

import pytest
from tests.core.kernels.test_log_swaps import written

from swapstats.core.kernels import log_swaps as compiled
from swapstats.core.kernels.log_swaps import CONCENTRATED, TURNED, V2
from swapstats.core.kernels.reference import log_swaps as plain

POOL, POOL_ID = "0x" + "0" * 39 + "7", "0x" + "0" * 63 + "3"
FIRST, SECOND = "0x" + "0" * 39 + "3", "0x" + "0" * 39 + "4"
PLACE = [2**60 - 1, "0x" + "0" * 63 + "5", "0x" + "0" * 63 + "6", 10**8]
PRICE = 2**97
"""A square root of 2."""


@pytest.mark.parametrize("form", [compiled, plain], ids=["kernel", "twin"])
@pytest.mark.parametrize(
    ("layout", "data", "told", "facts"),
    [
        (V2, [10, 0, 3, 8], None, [POOL, 7, -8, FIRST, None, None]),
        (V2, [10, 0, 3, 8], [2**256 - 1, 0], [POOL, 7, -8, FIRST, 2**256 - 1, 0]),
        (CONCENTRATED, [2**256 - 5, 7, PRICE, 1_001, 0], None, [POOL, -5, 7, FIRST, 500, 2_002]),
        (CONCENTRATED, [0, 0, 0, 1_001, 0], None, [POOL, 0, 0, FIRST, None, None]),
        (TURNED, [2**256 - 5, 7, PRICE, 9, 0, 1], None, [POOL_ID, 5, -7, SECOND, 4, 18]),
        (TURNED, [0, 7, PRICE, 9, 0, 2**24], None, None),
        (V2, [2**255, 0, 0, 1], None, None),
    ],
)
def test_swaps(
    form: ModuleType,
    layout: int,
    data: list[int],
    told: list[int] | None,
    facts: list[object] | None,
) -> None:
    found = written(form, layout, [3, 4], data, told)
    if facts is None:
        assert found is None
    else:
        assert found is not None
        assert json.loads(found) == ["v\u00e9", *facts, *PLACE]
