"""A log as nodes spell it."""

import msgspec
import pytest
from tests.core.evm.made_logs import POOL, v3_swap

from swapstats.core.evm.logs import EvmLog


def test_names_are_those_of_nodes_and_others_are_ignored() -> None:
    raw = v3_swap(1, -1, 2**96, 1, 0, index=9)
    assert "blockTimestamp" in raw
    log = msgspec.convert(raw, EvmLog)
    assert (log.address, log.log_index, log.removed) == (POOL, "0x9", False)
    assert log.block_hash == raw["blockHash"]
    assert log.transaction_hash == raw["transactionHash"]


def test_what_some_nodes_leave_out_may_be_absent() -> None:
    raw = v3_swap(1, -1, 2**96, 1, 0)
    del raw["removed"], raw["transactionIndex"]
    log = msgspec.convert(raw, EvmLog)
    assert (log.removed, log.transaction_index) == (False, None)


def test_a_log_of_no_block_yet_is_none() -> None:
    with pytest.raises(msgspec.ValidationError, match="null"):
        msgspec.convert(v3_swap(1, -1, 2**96, 1, 0) | {"blockNumber": None}, EvmLog)
