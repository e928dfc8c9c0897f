"""A list by hand, of both forms."""

import json
from types import ModuleType

import pytest
from tests.core.evm.made_logs import log, v2_swap, v2_sync, v3_swap
from tests.core.evm.spelled_answers import FOREIGN
from tests.core.kernels.log_scanning import begun, scanned
from tests.core.kernels.twins import readonly

from swapstats.core.kernels import log_scan as compiled
from swapstats.core.kernels.log_scan import AT, DONE, LOGS, MORE, SYNCS, UNSURE
from swapstats.core.kernels.log_scan import FOREIGN as FOREIGN_COUNT
from swapstats.core.kernels.reference import log_scan as plain

both = pytest.mark.parametrize("form", [compiled, plain], ids=["kernel", "twin"])


@both
def test_what_a_list_holds(form: ModuleType) -> None:
    sync, swap = v2_sync(11, 12, index=6), v2_swap(1, 0, 0, 2, index=7)
    removed = v3_swap(1, -1, 2**96, 5, 0) | {"removed": True}
    data = readonly(json.dumps([sync, swap, log([FOREIGN], []), removed]).encode())
    state = begun()
    found = scanned(form, data, state)
    assert (found["status"], found["swaps"], state[AT]) == (DONE, [1], len(data))
    assert (state[LOGS], state[SYNCS], state[FOREIGN_COUNT]) == (4, 1, 1)
    (written,) = json.loads(found["out"])
    assert written == [
        *("uniswap_v2", swap["address"], 1, -2, "0x" + swap["topics"][1][26:], 11, 12),
        *(18_937_382, swap["blockHash"], swap["transactionHash"], 7),
    ]
    ((number, begin, end),) = found["left"]
    assert (number, json.loads(data[begin:end].tobytes())) == (3, removed)
    (block,) = found["blocks"]
    assert data[block : block + 64].tobytes().decode() == swap["blockHash"][2:]


@both
def test_a_list_in_two_calls(form: ModuleType) -> None:
    """The reserves told in the first are those of the swap in the second."""
    logs = [v2_sync(11, 12, index=6), v2_swap(1, 0, 0, 2, index=7)]
    data = readonly(json.dumps(logs).encode())
    state = begun()
    first, second, third = (scanned(form, data, state, rows=1) for _ in range(3))
    assert [one["status"] for one in (first, second, third)] == [MORE, MORE, DONE]
    assert (first["swaps"], second["swaps"], third["swaps"]) == ([], [1], [])
    assert json.loads(second["out"])[0][5:7] == [11, 12]
    assert json.loads(third["out"]) == []


@both
def test_no_list(form: ModuleType) -> None:
    assert scanned(form, readonly(b'[{"a":}'), begun())["status"] == UNSURE
    assert scanned(form, readonly(b"[{}"), begun())["status"] == UNSURE
