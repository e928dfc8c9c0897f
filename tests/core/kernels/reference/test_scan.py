"""One message by hand, column by column, of both forms."""

from typing import Any

import numpy as np
import pytest
from tests.core.kernels.batches import KEY
from tests.core.kernels.scanning import laid, row_of, scanned

from swapstats.core.kernels import scan as compiled
from swapstats.core.kernels.reference import scan as plain
from swapstats.core.kernels.reference.siphash import siphash

GOOD = (
    b'{"schema_version":1,"event_id":"e","inclusion":2,"chain_id":10,"token_address":"0xab",'
    b'"token_symbol":"AB","side":"buy","amount_token":"20.5","amount_usd":1.25,'
    b'"event_time":"2024-01-05T00:00:00.120Z","removed":true}'
)
LARGEST = (
    b'{"schema_version":1,"event_id":"e","token_address":"t","side":"sell","amount_token":'
    b'99999999999999999999.999999999999999999,"event_time":1704412800120}'
)
MESSAGES = [GOOD, b'{"schema_version":2}', LARGEST]


def sip(text: bytes) -> int:
    """SipHash-1-3 of a text that is padded and prefixed already."""
    return siphash(text, int(KEY.k0), int(KEY.k1), 1, 3)


def long(value: int) -> bytes:
    return value.to_bytes(8, "little")


@pytest.mark.parametrize("scan", [compiled.scan, plain.scan], ids=["kernel", "twin"])
def test_columns(scan: Any) -> None:
    data, bounds = laid(MESSAGES)
    left, columns = scanned(scan, data, bounds)
    assert left == 1
    assert columns.accepted.tolist() == [1, 0, 1]
    token, amount = sip(long(7) + b"10:0xab\0"), 20_500_000_000_000_000_000
    words = (token, 1, amount % (1 << 64), amount >> 64, 1_250_000, 1_704_412_800_120)
    assert row_of(columns, 0, data) == {
        "key": "10:0xab",
        "symbol": b"AB",
        "token_hash": token,
        "fingerprint": sip(long(1) + b"e" + bytes(7) + long(2)),
        "check": sip(b"".join(map(long, words))) % (1 << 30),
        "event_ms": 1_704_412_800_120,
        "side": 1,
        "removed": 1,
        "unpriced": 0,
        "usd": 1_250_000,
        "lo": amount % (1 << 64),
        "hi": amount >> 64,
    }
    last = row_of(columns, 2, data)
    assert (last["key"], last["symbol"]) == ("t", b"")
    assert (last["side"], last["removed"], last["unpriced"], last["usd"]) == (0, 0, 1, 0)
    assert int(columns.lo[2]) + (int(columns.hi[2]) << 64) == 10**38 - 1


@pytest.mark.parametrize("scan", [compiled.scan, plain.scan], ids=["kernel", "twin"])
def test_nothing_to_scan(scan: Any) -> None:
    left, columns = scanned(scan, *laid([]))
    assert (left, len(columns.accepted)) == (0, 0)
    left, columns = scanned(scan, *laid([b"", b""]))
    assert (left, int(np.count_nonzero(columns.accepted))) == (2, 0)
