"""ccxt behind the port: installed or not, what it raises becomes Transient or Rejected."""

import sys
from typing import Any

import pytest

from swapstats.adapters.sources.exchange.generic.client import CcxtClient
from swapstats.errors import Rejected, Transient, UsageError


def test_without_ccxt_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ccxt", None)
    monkeypatch.setitem(sys.modules, "ccxt.pro", None)
    with pytest.raises(UsageError, match=r"pip install 'swapstats\[ccxt\]'"):
        CcxtClient("gate")


class Exchange:
    """An exchange of a library that stands in for ccxt."""

    id = "gate"

    def __init__(self, config: dict[str, object]) -> None:
        self.config = config
        self.has: dict[str, bool] = {"watchTrades": True, "fetchTrades": True}
        self.raises: Exception | None = None
        self.asked: list[object] = []

    async def load_markets(self) -> dict[str, object]:
        return {"BTC/USDT": {"spot": True}}

    async def watch_trades(self, symbol: str) -> list[dict[str, object]]:
        if self.raises is not None:
            raise self.raises
        return [{"id": "1", "symbol": symbol}]

    async def fetch_trades(self, symbol: str, since: int | None) -> list[dict[str, object]]:
        self.asked.append((symbol, since))
        return [{"id": "2"}]

    async def close(self) -> None:
        self.asked.append("closed")


class Library:
    """A library that stands in for ccxt.pro."""

    exchanges = ("gate", "blind")

    class BaseError(Exception): ...

    class NetworkError(BaseError): ...

    gate = Exchange

    @staticmethod
    def blind(config: dict[str, object]) -> Exchange:
        exchange = Exchange(config)
        exchange.has["watchTrades"] = False
        return exchange


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> CcxtClient:
    monkeypatch.setitem(sys.modules, "ccxt", Library)
    monkeypatch.setitem(sys.modules, "ccxt.pro", Library)
    return CcxtClient("gate", {"proxy": "none"})


async def test_the_verbs(client: CcxtClient) -> None:
    exchange: Any = client._exchange
    assert exchange.config["number"] is str  # amounts as text, not as floats
    assert exchange.config["proxy"] == "none"
    assert await client.markets() == {"BTC/USDT": {"spot": True}}
    assert await client.watch("BTC/USDT") == [{"id": "1", "symbol": "BTC/USDT"}]
    assert await client.fetch("BTC/USDT", None) == [{"id": "2"}]
    await client.fetch("BTC/USDT", 5)
    await client.close()
    assert exchange.asked == [("BTC/USDT", None), ("BTC/USDT", 5), "closed"]
    exchange.has["fetchTrades"] = False
    with pytest.raises(Rejected, match="gate tells no past trades"):
        await client.fetch("BTC/USDT", 5)


@pytest.mark.parametrize(
    ("error", "becomes", "words"),
    [
        (Library.NetworkError("gone"), Transient, "NetworkError: gone"),
        (Library.BaseError("bad symbol"), Rejected, "BaseError: bad symbol"),
        (KeyError("odd"), Transient, "ccxt failed: KeyError: 'odd'"),
    ],
)
async def test_errors(
    client: CcxtClient, error: Exception, becomes: type[Exception], words: str
) -> None:
    exchange: Any = client._exchange
    exchange.raises = error
    with pytest.raises(becomes, match=words):
        await client.watch("BTC/USDT")


def test_exchanges_that_cannot_be_watched(client: CcxtClient) -> None:
    with pytest.raises(UsageError, match=r"ccxt.pro knows.*'nowhere'"):
        CcxtClient("nowhere")
    with pytest.raises(UsageError, match="can watch, was 'blind'"):
        CcxtClient("blind")


def test_ccxt_itself_gives_numbers_as_text() -> None:
    """Skipped without ccxt."""
    ccxt = pytest.importorskip("ccxt", reason="ccxt is an extra: pip install 'swapstats[ccxt]'")
    exchange: Any = CcxtClient("kraken")._exchange
    market = {"id": "XBTUSD", "symbol": "BTC/USD", "base": "BTC", "quote": "USD", "spot": True}
    row = ["30243.40000", "0.34507674", 1688669597.8277369, "b", "m", "", 61044952]
    trade = exchange.parse_trade(row, market)
    assert (trade["price"], trade["amount"]) == ("30243.40000", "0.34507674")
    assert issubclass(ccxt.NetworkError, ccxt.BaseError)
