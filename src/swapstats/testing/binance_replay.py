"""Binance's side of a played exchange, spot or USD-M, and recordings of its streams.

Run it to point a service at it:

    python -m swapstats.testing.binance_replay --market spot FILE...

with FILE as lines of `<local ns> <frame>`, `.gz`; `--now` moves them to the present.
"""

import argparse
import asyncio
import gzip
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from swapstats.adapters.sources.exchange.binance.parse import parse_frame
from swapstats.adapters.sources.exchange.venue import Market
from swapstats.testing.exchange_replay import Answer, Question, Recorded, ReplayExchange

PAGE_DEFAULT = 500
SPOT_PAGE_MAX = 1_000
USDM_PAGE_MAX = 500
UNAUTHORIZED = 401
BAD_REQUEST = 400
NOT_FOUND = 404
_TIMES: Final = re.compile(r'("[ET]": ?)(\d+)')


class _Command(msgspec.Struct):
    id: int
    method: str
    params: list[str] = []


class BinanceConversation:
    """One connection: combined streams by address, or single ones by command.

    Args:
        path: of the address.
        query: of the address.
    """

    def __init__(self, path: str, query: Mapping[str, str]) -> None:
        self._is_combined = path.endswith("/stream")
        self._markets = _markets_of(query.get("streams", "").split("/"))

    @property
    def markets(self) -> set[str]:
        """The markets it has asked for so far."""
        return self._markets

    def hear(self, text: str) -> list[str]:
        """Take a command."""
        command = msgspec.json.decode(text, type=_Command)
        if command.method == "SUBSCRIBE":
            self._markets |= _markets_of(command.params)
        return [f'{{"result":null,"id":{command.id}}}']

    def frames(self, trades: Sequence[Recorded]) -> list[str]:
        """One frame for each trade: Binance has no batches."""
        if not self._is_combined:
            return [one.payload for one in trades]
        return [
            f'{{"stream":"{one.trade.market.lower()}@trade","data":{one.payload}}}'
            for one in trades
        ]


class BinanceDialect:
    """Binance's server.

    Args:
        markets: what its list of markets tells.
        is_usdm: USD-M futures: history by id is for holders of a key, whatever the key.
        exchange_info: the list of markets as it is to be answered; made from `markets` if None.
    """

    def __init__(
        self,
        markets: Iterable[Market],
        *,
        is_usdm: bool = False,
        exchange_info: bytes | None = None,
    ) -> None:
        self._markets = {market.symbol: market for market in markets}
        self._is_usdm = is_usdm
        self._exchange_info = exchange_info

    def connect(self, path: str, query: Mapping[str, str]) -> BinanceConversation:
        """Begin a conversation on a new connection."""
        return BinanceConversation(path, query)

    def answer(self, question: Question, history: Mapping[str, Sequence[Recorded]]) -> Answer:
        """Answer `exchangeInfo`, `trades` and `historicalTrades`."""
        name = question.path.rpartition("/")[2]
        if name == "exchangeInfo":
            return self._info(question)
        if name not in {"trades", "historicalTrades"}:
            return Answer(b"{}", NOT_FOUND)
        rows = history.get(question.query["symbol"], ())
        count = int(question.query.get("limit", PAGE_DEFAULT))
        if name == "historicalTrades":
            if self._is_usdm and not question.headers.get("X-MBX-APIKEY"):
                return Answer(b'{"code":-2014,"msg":"API-key format invalid."}', UNAUTHORIZED)
            count = min(count, USDM_PAGE_MAX if self._is_usdm else SPOT_PAGE_MAX)
            if "fromId" in question.query:
                first = int(question.query["fromId"])
                return _page([one for one in rows if one.trade.order >= first][:count])
        return _page(rows[-min(count, SPOT_PAGE_MAX) :])

    def _info(self, question: Question) -> Answer:
        if self._exchange_info is not None:
            return Answer(self._exchange_info)
        wanted = list(self._markets)
        if "symbols" in question.query:
            wanted = msgspec.json.decode(question.query["symbols"], type=list[str])
        if not self._markets.keys() >= set(wanted):
            return Answer(b'{"code":-1121,"msg":"Invalid symbol."}', BAD_REQUEST)
        listed = [
            {
                "symbol": market.symbol,
                "baseAsset": market.symbol.removesuffix(market.quote),
                "quoteAsset": market.quote,
            }
            for market in (self._markets[symbol] for symbol in wanted)
        ]
        return Answer(msgspec.json.encode({"symbols": listed}))


def read_recordings(paths: Iterable[Path]) -> list[Recorded]:
    """Read the trades of recorded combined streams, in the order of their recorder's clock."""
    found: list[Recorded] = []
    for path in paths:
        for line in gzip.decompress(path.read_bytes()).decode().splitlines():
            local_ns, _, frame = line.partition(" ")
            stream, _, data = frame.partition(',"data":')
            if stream.endswith('@trade"'):
                (trade,) = parse_frame(frame)
                found.append(Recorded(trade, data[:-1], int(local_ns) // 1_000_000))
    return sorted(found, key=lambda one: one.at_ms)


def moved(recording: Sequence[Recorded], by_ms: int) -> list[Recorded]:
    """Move a recording in time: trades and frames alike."""

    def later(match: re.Match[str]) -> str:
        return f"{match[1]}{int(match[2]) + by_ms}"

    return [
        replace(
            one,
            trade=msgspec.structs.replace(one.trade, time_ms=one.trade.time_ms + by_ms),
            payload=_TIMES.sub(later, one.payload),
            at_ms=one.at_ms + by_ms,
        )
        for one in recording
    ]


def _markets_of(streams: Sequence[str]) -> set[str]:
    return {name.removesuffix("@trade").upper() for name in streams if name.endswith("@trade")}


def _page(rows: Sequence[Recorded]) -> Answer:
    listed = [
        {
            "id": one.trade.order,
            "price": one.trade.price,
            "qty": one.trade.quantity,
            "time": one.trade.time_ms,
            "isBuyerMaker": one.trade.side == "sell",
        }
        for one in rows
        if one.trade.is_public
    ]
    return Answer(msgspec.json.encode(listed))


async def _serve(given: argparse.Namespace) -> None:
    recording = read_recordings(given.files)
    if given.now:
        recording = moved(recording, int(time.time() * 1_000) - recording[0].trade.time_ms)
    symbols = sorted({one.trade.market for one in recording})
    markets = [Market(symbol, symbol.removesuffix("USDT"), "USDT") for symbol in symbols]
    dialect = BinanceDialect(markets, is_usdm=given.market == "usdm")
    exchange = ReplayExchange(dialect, recording, speed=given.speed)
    async with exchange.serving(given.port):
        print(f"stream {exchange.stream_url} rest {exchange.rest_url}", flush=True)  # noqa: T201
        await asyncio.Event().wait()


def main() -> None:
    """Serve recordings until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--market", choices=["spot", "usdm"], default="spot")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--now", action="store_true", help="as if it began now")
    parser.add_argument("--speed", type=float, default=1.0, help="times the recorded pace")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
