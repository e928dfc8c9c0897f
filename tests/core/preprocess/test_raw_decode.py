from typing import Any

import msgspec
import pytest

from swapstats.core.preprocess.raw_decode import decode_raw
from swapstats.core.preprocess.refusal import Refusal
from swapstats.testing.raw_events import USDC, WETH, exchange_trade, pool_swap

SWAP = pool_swap(WETH, USDC, (-5, 7), (1, 2))
TRADE = exchange_trade("BTC", "USDT", "1.5")


def reason(message: bytes) -> str:
    found = decode_raw(message)
    return found.reason if isinstance(found, Refusal) else ""


def changed(event: Any, **changes: Any) -> bytes:
    return msgspec.json.encode(msgspec.to_builtins(event) | changes)


def test_events_are_read_as_they_were_written() -> None:
    for event in (SWAP, TRADE):
        assert decode_raw(msgspec.json.encode(event)) == event


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b"[]", "bad_json"),
        (b"null", "bad_json"),
        (b'{"kind":"\xff"}', "bad_json"),
        (b"[" * 60_000, "bad_json"),
        (b'{"a":' * 10_000, "bad_json"),
        (b"{}", "unknown_kind"),
        (b'{"kind":"gossip"}', "unknown_kind"),
        (b'{"kind":7}', "unknown_kind"),
        (b'{"kind":"pool_swap"}', "bad_field"),
        (b'{"kind":"pool_swap","version":2}', "bad_version"),
        (b'{"kind":"pool_swap","version":"1"}', "bad_version"),
        (b"x" * 65_537, "too_large"),
    ],
)
def test_what_is_no_event_is_told_apart(message: bytes, wanted: str) -> None:
    assert reason(message) == wanted


@pytest.mark.parametrize(
    "changes",
    [
        {"block_hash": "0xABC"}, {"block_hash": ""}, {"tx_hash": "abc"},
        {"tx_hash": "0x" + "1" * 65}, {"block_number": -1}, {"log_index": 1 << 63},
        {"inclusion": -1}, {"event_time": 5}, {"amount0": "1.0"}, {"amount1": "1" * 79},
        {"amount0": "+1"}, {"amount0": " 1"}, {"amount0": 5}, {"trader": "bob"}, {"depth0": "-1"},
        {"depth1": "x"}, {"removed": 1}, {"event_time": 1 << 70}, {"log_index": 1.5},
    ],
)  # fmt: skip
def test_fields_of_swaps_that_break_their_format_are_refused(changes: dict[str, Any]) -> None:
    found = decode_raw(changed(SWAP, **changes))
    assert isinstance(found, Refusal)
    assert found.reason == "bad_field"
    assert next(iter(changes)) in found.detail


@pytest.mark.parametrize(
    "changes",
    [
        {"venue": "a:b"}, {"venue": ""}, {"base": "1:0xab"}, {"base": "A B"}, {"quote": ""},
        {"market": ""}, {"market": "a b"}, {"trade_id": ""}, {"side": "Buy"}, {"multiplier": 0},
        {"multiplier": 10**13}, {"event_time": -1}, {"price": 1.5}, {"base": "x" * 65},
    ],
)  # fmt: skip
def test_fields_of_trades_that_break_their_format_are_refused(changes: dict[str, Any]) -> None:
    found = decode_raw(changed(TRADE, **changes))
    assert isinstance(found, Refusal)
    assert found.reason == "bad_field"
    assert next(iter(changes)) in found.detail


def test_other_versions_of_whole_events_are_named_as_such() -> None:
    assert reason(changed(SWAP, version=2)) == "bad_version"
    assert reason(changed(TRADE, version=0)) == "bad_version"


def test_names_that_are_not_ascii_are_names() -> None:
    assert reason(changed(TRADE, base="币安人生", market="币安人生USDT")) == ""


def test_details_stay_short() -> None:
    found = decode_raw(changed(SWAP, amount0="x" * 60_000))
    assert isinstance(found, Refusal)
    assert len(found.detail) < 300
