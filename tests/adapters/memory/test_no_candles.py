from tests.adapters.embedded.test_candles import candle

from swapstats.adapters.memory.no_candles import NoCandles


def test_nothing_is_kept() -> None:
    store = NoCandles()
    store.put([candle(1)])
    assert store.scan("T", 0, 10) == []
    assert store.trim(10) == 0
    store.close()
