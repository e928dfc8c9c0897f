"""A swap as a program takes it: whose it is, and back to the wire without losing a digit."""

from decimal import Decimal

import msgspec
import pytest

from swapstats.collect.swap import Swap
from swapstats.core.plain_decode import decode_message

NOW_MS = 1_800_000_000_000
TRADE = (
    b'{"schema_version":1,"event_id":"binance:BTCUSDT:7","token_address":"BTC","token_symbol":"BTC",'
    b'"venue":"binance","side":"sell","amount_token":"0.00000001","amount_usd":"0.000620",'
    b'"event_time":1723161255342,"price_source":"exchange"}'
)
ON_CHAIN = (
    b'{"schema_version":1,"chain_id":1,"tx_hash":"0xaa","log_index":3,"block_number":9,'
    b'"block_hash":"0xbb","inclusion":2,"removed":true,"token_address":"0xcc","pool_address":"0xdd",'
    b'"venue":"uniswap_v3","side":"buy","amount_token":"12345678901234567890.000000000000000001",'
    b'"amount_usd":null,"event_time":1723161255342,"price_source":"none","trader":"0xee",'
    b'"flags":["both_ways"]}'
)


def swap_of(message: bytes) -> Swap:
    return msgspec.json.decode(message, type=Swap)


def test_a_trade_of_an_exchange() -> None:
    swap = swap_of(TRADE)
    assert (swap.event_id, swap.inclusion, swap.token) == ("binance:BTCUSDT:7", 0, "BTC")
    assert (swap.amount_token, swap.amount_usd) == (Decimal("1E-8"), Decimal("0.000620"))
    assert not swap.removed


def test_a_swap_of_a_chain() -> None:
    swap = swap_of(ON_CHAIN)
    assert (swap.event_id, swap.inclusion, swap.token) == ("1:0xaa:3", 2, "1:0xcc")
    assert str(swap.amount_token) == "12345678901234567890.000000000000000001"
    assert swap.amount_usd is None
    assert swap.removed
    assert swap.flags == ("both_ways",)
    assert hash(swap) == hash(swap_of(ON_CHAIN))


@pytest.mark.parametrize("message", [TRADE, ON_CHAIN])
def test_its_message_says_the_same(message: bytes) -> None:
    again = swap_of(message).wire()
    assert msgspec.json.decode(again) == msgspec.json.decode(message)
    assert decode_message(again, NOW_MS, 0) == decode_message(message, NOW_MS, 0)
