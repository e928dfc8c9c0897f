import json

from swapstats.core.plain_decode import Swap, decode_message
from swapstats.core.preprocess.wire_swap import ChainSwap, MarketSwap, write_swap

CHAIN = ChainSwap(
    1, 1, "0xaa", 7, 18, "0xbb", 2, True, "0xcc", "0xdd", "uniswap_v3", "buy", "1.5", None,
    1_700_000_000_000, "none",
)  # fmt: skip
MARKET = MarketSwap(
    1,
    "binance:BTCUSDT:5",
    "BTC",
    "BTC",
    "binance",
    "sell",
    "0.1",
    "5",
    1_700_000_000_000,
    "exchange",
)


def test_both_kinds_are_wire_v1() -> None:
    chain = decode_message(write_swap(CHAIN), 1_700_000_000_000, 0)
    assert isinstance(chain, Swap)
    assert (chain.event_id, chain.inclusion, chain.removed) == ("1:0xaa:7", 2, True)
    assert (chain.token_key, chain.amount_usd, chain.block_hash) == ("1:0xcc", None, "0xbb")
    market = decode_message(write_swap(MARKET), 1_700_000_000_000, 0)
    assert isinstance(market, Swap)
    assert (market.event_id, market.token_key) == ("binance:BTCUSDT:5", "BTC")
    assert market.amount_usd == 5_000_000


def test_a_price_that_is_missing_is_said_and_labels_that_are_missing_are_not() -> None:
    fields = json.loads(write_swap(CHAIN))
    assert fields["amount_usd"] is None
    assert not fields.keys() & {"token_symbol", "trader", "flags", "event_id"}
