from swapstats.adapters.memory.token_prices import MemoryTokenPrices
from swapstats.model.preprocessed import TokenPrice
from swapstats.model.writer import Writer

WRITER = Writer("raw/0", 1)


def test_beyond_the_bound_the_one_longest_unchanged_goes() -> None:
    prices = MemoryTokenPrices(tokens_max=2)
    for at, token in enumerate(("A", "B", "A", "C")):
        prices.put([TokenPrice(token=token, price_usd="1", source="pool", event_time=at)], WRITER)
    assert [prices.get(token) is not None for token in "ABC"] == [True, False, True]
