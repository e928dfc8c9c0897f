from tests.adapters.embedded.test_candles import candle

from swapstats.adapters.memory.no_candles import NoCandles
from swapstats.model.writer import Writer

WRITER = Writer("raw/0", 1)


def test_nothing_is_kept() -> None:
    store = NoCandles()
    store.put([candle(1)], WRITER)
    assert store.scan("T", 0, 10) == []
    assert store.trim(10) == 0
    store.close()
