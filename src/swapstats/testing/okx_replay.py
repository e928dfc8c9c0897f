"""OKX's side of a played exchange, by its documentation: `trades-all` and `history-trades`."""

import gzip
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from swapstats.adapters.sources.exchange.okx.parse import parse_frame
from swapstats.adapters.sources.exchange.venue import Market, VenueTrade
from swapstats.testing.exchange_replay import Answer, Question, Recorded
from swapstats.testing.made_trades import zeros_after

PAGE_MAX = 100
TOO_MANY_REQUESTS = 429

_recorded_trades = re.compile(rb'[0-9.]+: (\{"arg":\{"channel":"trades",.*"data".*\})').fullmatch


class _Channel(msgspec.Struct):
    channel: str
    instId: str  # noqa: N815 - OKX's spelling


class _Command(msgspec.Struct):
    op: str
    args: list[_Channel]


class OkxConversation:
    """One connection: asked for channels by a command, and kept alive by the text `ping`.

    Args:
        known: instruments there are.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self._known = set(known)
        self._markets: set[str] = set()

    @property
    def markets(self) -> set[str]:
        """The markets it has asked for so far."""
        return self._markets

    def hear(self, text: str) -> list[str]:
        """Take a ping, or a subscription; each channel is answered by itself."""
        if text == "ping":
            return ["pong"]
        answers = []
        for asked in msgspec.json.decode(text, type=_Command).args:
            if asked.channel != "trades-all" or asked.instId not in self._known:
                answers.append(
                    '{"event":"error","code":"60018","msg":"Wrong URL or channel:'
                    f'{asked.channel},instId:{asked.instId} doesn\'t exist","connId":"a4d3ae55"}}'
                )
                continue
            self._markets.add(asked.instId)
            answers.append(
                '{"event":"subscribe","arg":{"channel":"trades-all",'
                f'"instId":"{asked.instId}"}},"connId":"a4d3ae55"}}'
            )
        return answers

    def frames(self, trades: Sequence[Recorded]) -> list[str]:
        """One frame for each trade, as documented."""
        return [
            f'{{"arg":{{"channel":"trades-all","instId":"{one.trade.market}"}},'
            f'"data":[{one.payload}]}}'
            for one in trades
        ]


class OkxDialect:
    """OKX's server.

    Args:
        markets: its spot instruments.
        busy_every: every so many requests one is refused, with status 200; 0 = none.
    """

    def __init__(self, markets: Iterable[Market], *, busy_every: int = 0) -> None:
        self._markets = {market.symbol: market for market in markets}
        self._busy_every = busy_every
        self._asked = 0

    def connect(self, path: str, query: Mapping[str, str]) -> OkxConversation:  # noqa: ARG002 - the port's
        """Begin a conversation on a new connection."""
        return OkxConversation(self._markets if path == "/ws/v5/business" else ())

    def answer(self, question: Question, history: Mapping[str, Sequence[Recorded]]) -> Answer:
        """Answer `instruments` and `history-trades`, newest first below an id."""
        self._asked += 1
        if self._busy_every and self._asked % self._busy_every == 0:
            return Answer(b'{"code":"50011","msg":"Too Many Requests","data":[]}')
        if question.path == "/api/v5/public/instruments":
            return _answer([_instrument(market) for market in self._markets.values()])
        instrument = question.query.get("instId", "")
        if question.path != "/api/v5/market/history-trades" or instrument not in self._markets:
            return Answer(b'{"code":"51001","msg":"Instrument ID doesn\'t exist.","data":[]}')
        rows = [
            one.trade
            for one in reversed(history.get(instrument, ()))
            if one.trade.order < int(question.query.get("after", 1 << 63))
        ]
        count = min(int(question.query.get("limit", PAGE_MAX)), PAGE_MAX)
        return _answer([_row(trade) for trade in rows[:count]])


def okx_recording(trades: Iterable[VenueTrade]) -> list[Recorded]:
    """Trades as `trades-all` would bring them."""
    return [Recorded(trade, json.dumps({**_row(trade), "source": "0"})) for trade in trades]


def read_trades(path: Path) -> list[Recorded]:
    """Read the trades of a recorded connection, as they came: channel `trades`, one by one."""
    found = []
    for line in gzip.decompress(path.read_bytes()).splitlines():
        if (frame := _recorded_trades(line)) is not None:
            rows = json.loads(frame[1])["data"]
            for trade, row in zip(parse_frame(frame[1]), rows, strict=True):
                found.append(Recorded(trade, json.dumps(row)))
    return found


def _instrument(market: Market) -> dict[str, str]:
    base, _, quote = market.symbol.partition("-")
    return {"instId": market.symbol, "instType": "SPOT", "baseCcy": base, "quoteCcy": quote}


def _row(trade: VenueTrade) -> dict[str, str]:
    return {
        "instId": trade.market,
        "tradeId": trade.trade_id,
        "px": trade.price,
        "sz": zeros_after(trade.quantity, 8),
        "side": trade.side,
        "ts": str(trade.time_ms),
    }


def _answer(rows: object) -> Answer:
    return Answer(msgspec.json.encode({"code": "0", "msg": "", "data": rows}))
