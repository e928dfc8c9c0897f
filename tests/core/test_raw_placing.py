"""Which partition of the raw log a raw event belongs to."""

import msgspec
import pytest

from swapstats.core.raw_placing import EXCHANGES, place_raw_events, raw_key, raw_keys
from swapstats.model.raw_event import ExchangeTrade
from swapstats.model.record import MessageBlock


def trade(venue: str) -> bytes:
    return msgspec.json.encode(
        ExchangeTrade(
            venue=venue,
            market="BTCUSDT",
            trade_id="1",
            base="BTC",
            quote="USDT",
            price="1",
            quantity="1",
            side="buy",
            event_time=1,
        )
    )


SWAP = b'{"kind":"pool_swap","chain_id":8453,"venue":"uniswap_v2"}'


@pytest.mark.parametrize(
    ("message", "key"),
    [
        (SWAP, "8453"),
        (trade("binance-usdm"), EXCHANGES),
        (b'{"kind":"exchange_trade"}', None),
        (b"nonsense", None),
        (b"\xff\xfe", None),
        (b'{"chain_id":"1"}', None),
        (b"", None),
    ],
)
def test_a_chain_goes_by_its_id_and_exchanges_go_together(message: bytes, key: str | None) -> None:
    assert raw_key(message) == key
    assert raw_keys(MessageBlock.of([message]), 0) == [None if key is None else key.encode()]


def test_one_partition_takes_all() -> None:
    block = MessageBlock.of([SWAP, trade("okx"), b"nonsense"])
    assert place_raw_events(block, 1, 0).tolist() == [0, 0, 0]


def test_what_belongs_together_lies_together_and_nonsense_in_the_first() -> None:
    chains = [b'{"kind":"pool_swap","chain_id":%d}' % number for number in range(40)]
    block = MessageBlock.of([*chains, b"nonsense", *chains, trade("okx"), trade("kraken")])
    places = place_raw_events(block, 5, 0).tolist()
    assert places[:40] == places[41:81]
    assert places[40] == 0
    assert places[81] == places[82]
    assert set(places) == set(range(5))
