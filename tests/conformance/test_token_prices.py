"""What every keeper of newest prices must do: the port's promises, on each adapter."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conformance.preprocess_stores import PRICES, Place, running_redis

from swapstats.errors import Fenced
from swapstats.model.preprocessed import TokenPrice
from swapstats.model.writer import Writer
from swapstats.ports.token_prices import TokenPrices

WRITER = Writer("raw/0", 1)

Open = Callable[[], TokenPrices]


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from running_redis(tmp_path_factory.mktemp("redis-prices"))


@pytest.fixture(params=PRICES)
def open_prices(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the test's prices; there may be more than one."""
    server = request.getfixturevalue("redis_url") if request.param == "redis" else ""
    with contextlib.ExitStack() as stack:

        def opened() -> TokenPrices:
            prices = PRICES[request.param](Place(tmp_path, server))
            return stack.enter_context(contextlib.closing(prices))

        yield opened


def price(token: str, price_usd: str, event_time: int, source: str = "pool") -> TokenPrice:
    return TokenPrice(token=token, price_usd=price_usd, source=source, event_time=event_time)


def test_the_newest_by_event_time_wins_in_any_order(open_prices: Open) -> None:
    prices = open_prices()
    assert prices.get("1:0xa") is None
    prices.put([price("1:0xa", "1.5", 10), price("B C", "0.000000000000000001", 5)], WRITER)
    prices.put([price("1:0xa", "9", 9)], WRITER)
    assert prices.get("1:0xa") == price("1:0xa", "1.5", 10)
    prices.put([price("1:0xa", "2", 11), price("1:0xa", "1", 3)], WRITER)
    assert prices.get("1:0xa") == price("1:0xa", "2", 11)
    assert open_prices().get("B C") == price("B C", "0.000000000000000001", 5)


def test_of_the_same_moment_the_last_wins(open_prices: Open) -> None:
    prices = open_prices()
    prices.put([price("T", "1", 10), price("T", "2", 10, "stable")], WRITER)
    assert prices.get("T") == price("T", "2", 10, "stable")


def test_no_price_deletes_unless_a_newer_one_is_known(open_prices: Open) -> None:
    prices = open_prices()
    prices.put([price("T", "1", 10)], WRITER)
    prices.put([price("T", "0", 9, "none")], WRITER)
    assert prices.get("T") == price("T", "1", 10)
    prices.put([price("T", "0", 10, "none"), price("U", "0", 1, "none")], WRITER)
    assert prices.get("T") is None
    assert prices.get("U") is None
    prices.put([], WRITER)
    prices.put([price("T", "3", 4)], WRITER)
    assert prices.get("T") == price("T", "3", 4)


def test_a_former_owner_is_refused_once_a_newer_one_has_put(open_prices: Open) -> None:
    old, new = open_prices(), open_prices()
    old.put([price("T", "1", 10)], Writer("raw/0", 4))
    new.put([price("T", "2", 10)], Writer("raw/0", 5))
    with pytest.raises(Fenced, match=r"epoch 5.*raw/0.*was 4"):
        old.put([price("T", "3", 11), price("U", "1", 1)], Writer("raw/0", 4))
    old.put([price("V", "1", 1)], Writer("raw/1", 1))
    assert [new.get(token) for token in "TUV"] == [price("T", "2", 10), None, price("V", "1", 1)]
