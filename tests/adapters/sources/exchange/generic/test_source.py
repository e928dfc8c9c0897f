"""The generic source: what a library drops is asked for again; what it cannot promise is told."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
import pytest

from swapstats.adapters.sources.exchange.generic.client import CcxtClient
from swapstats.adapters.sources.exchange.generic.source import GenericOptions, GenericSource
from swapstats.adapters.sources.exchange.generic.unified import Unified
from swapstats.adapters.sources.exchange.venue import Market
from swapstats.errors import Rejected, Transient
from swapstats.model.raw_event import ExchangeTrade
from swapstats.testing.coinbase_replay import CoinbaseDialect, coinbase_recording
from swapstats.testing.exchange_faults import ExchangeFault
from swapstats.testing.exchange_replay import ReplayExchange
from swapstats.testing.made_trades import made_trades

SYMBOL = "BTC/USDT"
QUICK = GenericOptions(
    ask_every_ms=20, stall_ms=200, backoff_ms_min=1, backoff_ms_max=50, waiting_rows_max=1_000
)
PAGE_MAX = 40
TIMEOUT_S = 30


class Library:
    """A library whose stream brings what a script says, and whose history is whole.

    Args:
        steps: for each call of `watch` the numbers of trades that happen until it answers, and
            what it answers: those it tells of, or an error; at the end it is silent for ever.
    """

    def __init__(self, steps: Sequence[tuple[int, Sequence[int] | BaseException]]) -> None:
        self._steps = list(steps)
        self.happened = 0
        self.closed = 0
        self.asked: list[int | None] = []

    async def markets(self) -> Mapping[str, Unified]:
        return {SYMBOL: {"base": "BTC", "quote": "USDT", "spot": True}}

    async def watch(self, symbol: str) -> Sequence[Unified]:
        assert symbol == SYMBOL
        await asyncio.sleep(0)
        if not self._steps:
            await asyncio.Event().wait()
        count, answer = self._steps.pop(0)
        self.happened += count
        if isinstance(answer, BaseException):
            raise answer
        return [row(number) for number in answer]

    async def fetch(self, symbol: str, since_ms: int | None) -> Sequence[Unified]:
        """The oldest trades since a time, a page of them at most; the newest without a time."""
        assert symbol == SYMBOL
        self.asked.append(since_ms)
        rows = [row(number) for number in range(self.happened)]
        if since_ms is None:
            return rows[-PAGE_MAX:]
        return [one for one in rows if one["timestamp"] >= since_ms][:PAGE_MAX]  # type: ignore[operator]

    async def close(self) -> None:
        self.closed += 1


def row(number: int) -> dict[str, object]:
    return {
        "id": f"t{number}", "timestamp": number * 1_000, "side": "buy", "price": "2.50",
        "amount": str(number), "symbol": SYMBOL,
    }  # fmt: skip


async def read(
    source: GenericSource, count: int, position: str | None = None
) -> tuple[list[ExchangeTrade], str]:
    found: list[ExchangeTrade] = []
    last = ""
    batches: Any = source.open(position)
    async with asyncio.timeout(TIMEOUT_S), aclosing(batches):
        async for batch in batches:
            found += [
                msgspec.json.decode(batch.block.message(index), type=ExchangeTrade)
                for index in range(len(batch.block))
            ]
            last = batch.position
            if len(found) >= count:
                break
    return found, last


async def test_what_the_stream_drops_is_asked_for_again() -> None:
    """Every third trade never comes by itself, and the last hundred do not, either."""
    steps: list[tuple[int, Sequence[int] | BaseException]] = [
        (3, [3 * n, 3 * n + 1]) for n in range(40)
    ]
    library = Library([*steps, (100, Transient("gone"))])
    source = GenericSource(library, "gate", [SYMBOL], QUICK)
    found, _ = await read(source, 220)
    assert sorted(found, key=lambda trade: int(trade.trade_id[1:])) == [
        ExchangeTrade(
            venue="generic-gate", market=SYMBOL, trade_id=f"t{n}", base="BTC", quote="USDT",
            price="2.5", quantity=str(n), side="buy", event_time=n * 1_000,
        )
        for n in range(220)
    ]  # fmt: skip
    assert source.name == "generic-gate"


async def test_its_status_says_what_it_cannot_promise() -> None:
    library = Library([(4, [0, 1])])
    source = GenericSource(library, "gate", [SYMBOL], QUICK)
    assert source.status().state == "connecting"
    await read(source, 4)
    status = source.status()
    assert status.state == "live"
    assert "Generic, best effort (ccxt): trades of BTC/USDT from gate" in status.detail
    assert "some may be missing without a word" in status.detail
    assert "2 trades came by asking again only" in status.detail


async def test_failures_do_not_end_it() -> None:
    library = Library(
        [
            (2, Transient("no network")),
            (2, Rejected("not today")),
            (2, asyncio.CancelledError()),
            (2, [6, 7]),
        ]
    )
    source = GenericSource(library, "gate", [SYMBOL], QUICK)
    found, _ = await read(source, 8)
    assert {trade.trade_id for trade in found} == {f"t{n}" for n in range(8)}


async def test_a_stream_that_brings_nothing_is_made_anew() -> None:
    """History brings trades, the stream does not: connections are closed while it goes on."""
    library = Library([(1, [0])])
    source = GenericSource(library, "gate", [SYMBOL], QUICK)
    batches: Any = source.open(None)
    async with asyncio.timeout(TIMEOUT_S), aclosing(batches):
        async for _ in batches:
            if library.closed:
                break
            library.happened += 5
    assert library.happened > 5


async def test_a_restart_goes_on_where_it_stopped() -> None:
    first, position = await read(
        GenericSource(Library([(50, range(50))]), "gate", [SYMBOL], QUICK), 50
    )
    library = Library([(200, [199])])
    library.happened = 50
    second, _ = await read(GenericSource(library, "gate", [SYMBOL], QUICK), 200, position)
    ids = [trade.trade_id for trade in [*first, *second]]
    assert sorted(ids, key=lambda text: int(text[1:])) == [f"t{n}" for n in range(250)]


async def test_symbols_that_cannot_be_read() -> None:
    for symbols in ([], ["A/B", "a/b"], [f"A{n}/B" for n in range(100)]):
        with pytest.raises(Rejected, match="symbols, each once"):
            GenericSource(Library([]), "gate", symbols)
    source = GenericSource(Library([]), "gate", ["NO/SUCH"])
    with pytest.raises(Rejected, match="'NO/SUCH'"):
        await read(source, 1)
    assert source.status().state == "failed"


async def test_ccxt_itself_against_a_played_exchange() -> None:
    """Skipped without ccxt. Its Coinbase with connections cut: in the end all came, once."""
    pytest.importorskip("ccxt", reason="ccxt is an extra: pip install 'swapstats[ccxt]'")
    recording = coinbase_recording(made_trades(7, ["BTC-USD"], 400))
    dialect = CoinbaseDialect([Market("BTC-USD", "BTC", "USD")])
    faults = [ExchangeFault("abort", 150, 50)]
    exchange = ReplayExchange(dialect, recording, faults, per_tick=2)
    market = {
        "id": "BTC-USD", "symbol": "BTC/USD", "base": "BTC", "quote": "USD", "baseId": "BTC",
        "quoteId": "USD", "type": "spot", "spot": True, "active": True, "limits": {},
        "precision": {"amount": "1e-8", "price": "0.01"},
    }  # fmt: skip
    async with exchange.serving():
        client = CcxtClient(
            "coinbaseexchange",
            {
                "urls": {"api": {"ws": exchange.stream_url, "public": exchange.rest_url}},
                "markets": {"BTC/USD": market},
                "enableRateLimit": False,
            },
        )
        found, _ = await read(
            GenericSource(client, "coinbaseexchange", ["BTC/USD"], QUICK), len(recording)
        )
    assert {
        (each.trade_id, each.price, each.quantity, each.side, each.event_time) for each in found
    } == {
        (each.trade_id, each.price, each.quantity, each.side, each.time_ms)
        for each in (one.trade for one in recording)
    }
    assert len(found) == len(recording)


@pytest.mark.parametrize(
    ("given", "shown"), [("btc/usdt", "BTC/USDT"), ("kBONK/USDT", "kBONK/USDT")]
)
async def test_capitals_of_a_symbol_are_kept(given: str, shown: str) -> None:
    class Mixed(Library):
        async def markets(self) -> Mapping[str, Unified]:
            return {shown: {"base": shown.partition("/")[0], "quote": "USDT", "spot": True}}

        async def watch(self, symbol: str) -> Sequence[Unified]:
            assert symbol == shown
            return [row(1) | {"symbol": shown}]

        async def fetch(self, symbol: str, since_ms: int | None) -> Sequence[Unified]:
            assert (symbol, since_ms is None or since_ms >= 0) == (shown, True)
            return []

    source = GenericSource(Mixed([]), "kucoin", [given], QUICK)
    found, _ = await read(source, 1)
    assert found[0].market == shown
