"""When to come back, as servers write it."""

import pytest

from swapstats.adapters.sources.evm.rpc_errors import (
    RpcError,
    RpcRateLimited,
    RpcRefused,
    RpcTimeout,
    RpcUnreachable,
    retry_ms,
)
from swapstats.errors import Transient


@pytest.mark.parametrize(
    ("header", "expected_ms"),
    [
        (None, 1_000),
        ("3", 3_000),
        ("0", 1_000),
        ("-5", 1_000),
        ("1e9", 1_000),
        ("100000000000000000000", 300_000),
        ("Thu, 01 Jan 1970 00:00:50 GMT", 40_000),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 1_000),
        ("Thu, 99 Jan 1970 00:00:01 GMT", 1_000),
    ],
)
def test_when_to_come_back_is_read_within_reason(header: str | None, expected_ms: int) -> None:
    assert retry_ms(header, 10.0) == expected_ms


def test_all_are_worth_another_try() -> None:
    assert issubclass(RpcError, Transient)
    assert issubclass(RpcTimeout, RpcUnreachable)
    assert RpcRateLimited("wait", 7).retry_after_ms == 7
    assert (RpcRefused("no", -1, "reverted").code, RpcRefused("no").said) == (-1, "")
