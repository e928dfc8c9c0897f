"""Bybit's side of a played exchange, by its documentation: `publicTrade` and `recent-trade`."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from swapstats.adapters.sources.exchange.venue import Market, VenueTrade
from swapstats.testing.exchange_replay import Answer, Question, Recorded
from swapstats.testing.made_trades import zeros_after

PAGE_MAX = 60
TOPICS_MAX = 10
FRAME_TRADES_MAX = 1_024

Loss = Callable[[int, Recorded], bool]
"""Whether a connection, by its number, never brings a trade."""


class _Command(msgspec.Struct):
    op: str
    args: list[str] = []


class BybitConversation:
    """One connection: asked for topics by commands, ten at a time.

    Args:
        known: symbols there are.
        is_lost: tells of a trade whether this connection never brings it.
    """

    def __init__(self, known: Iterable[str], is_lost: Callable[[Recorded], bool]) -> None:
        self._known = set(known)
        self._is_lost = is_lost
        self._markets: set[str] = set()

    @property
    def markets(self) -> set[str]:
        """The markets it has asked for so far."""
        return self._markets

    def hear(self, text: str) -> list[str]:
        """Take a ping, or a subscription; it is done as a whole or not at all."""
        command = msgspec.json.decode(text, type=_Command)
        if command.op == "ping":
            return ['{"success":true,"ret_msg":"pong","conn_id":"2324d924","op":"ping"}']
        symbols = [topic.removeprefix("publicTrade.") for topic in command.args]
        unknown = [symbol for symbol in symbols if symbol not in self._known]
        why = "args size >10" if len(symbols) > TOPICS_MAX else ""
        if unknown:
            why = f"Invalid symbol :[publicTrade.{unknown[0]}]"
        if not why:
            self._markets |= set(symbols)
        answer = {"success": not why, "ret_msg": why, "conn_id": "2324d924", "op": "subscribe"}
        return [json.dumps(answer)]

    def frames(self, trades: Sequence[Recorded]) -> list[str]:
        """Frames for the trades of each symbol, 1,024 in one at most."""
        by_symbol: dict[str, list[Recorded]] = {}
        for one in trades:
            if not self._is_lost(one):
                by_symbol.setdefault(one.trade.market, []).append(one)
        return [
            _frame(symbol, rows[at : at + FRAME_TRADES_MAX])
            for symbol, rows in by_symbol.items()
            for at in range(0, len(rows), FRAME_TRADES_MAX)
        ]


class BybitDialect:
    """Bybit's server.

    Args:
        markets: its spot instruments.
        busy_every: every so many requests one is refused, with status 200; 0 = none.
        loss: what single connections never bring.
    """

    def __init__(
        self,
        markets: Iterable[Market],
        *,
        busy_every: int = 0,
        loss: Loss = lambda _connection, _one: False,
    ) -> None:
        self._markets = {market.symbol: market for market in markets}
        self._busy_every = busy_every
        self._loss = loss
        self._asked = 0
        self._connections = 0

    def connect(self, path: str, query: Mapping[str, str]) -> BybitConversation:  # noqa: ARG002 - the port's
        """Begin a conversation on a new connection."""
        number = self._connections
        self._connections += 1
        known = self._markets if path == "/v5/public/spot" else ()
        return BybitConversation(known, lambda one: self._loss(number, one))

    def answer(self, question: Question, history: Mapping[str, Sequence[Recorded]]) -> Answer:
        """Answer `instruments-info` and `recent-trade`, the newest first."""
        self._asked += 1
        if self._busy_every and self._asked % self._busy_every == 0:
            return Answer(b'{"retCode":10006,"retMsg":"Too many visits!","result":{}}')
        name = question.path.removeprefix("/v5/market/")
        if name == "instruments-info":
            return _answer([_instrument(market) for market in self._markets.values()])
        symbol = question.query.get("symbol", "")
        if name != "recent-trade" or symbol not in self._markets:
            return Answer(b'{"retCode":10001,"retMsg":"Not supported symbols","result":{}}')
        count = min(int(question.query.get("limit", PAGE_MAX)), PAGE_MAX)
        rows = [one.trade for one in reversed(history.get(symbol, ()))]
        return _answer([_row(trade) for trade in rows[:count]])


def bybit_recording(trades: Iterable[VenueTrade]) -> list[Recorded]:
    """Trades as `publicTrade` would bring them."""
    return [
        Recorded(
            trade,
            json.dumps(
                {
                    "T": trade.time_ms,
                    "s": trade.market,
                    "S": trade.side.title(),
                    "v": trade.quantity,
                    "p": trade.price,
                    "i": trade.trade_id,
                    "BT": False,
                    "RPI": False,
                    "seq": trade.order // 3,
                }
            ),
        )
        for trade in trades
    ]


def _frame(symbol: str, trades: Sequence[Recorded]) -> str:
    data = ",".join(one.payload for one in trades)
    newest_ms = trades[-1].trade.time_ms
    return f'{{"topic":"publicTrade.{symbol}","type":"snapshot","ts":{newest_ms},"data":[{data}]}}'


def _instrument(market: Market) -> dict[str, str]:
    base = market.symbol.removesuffix(market.quote)
    return {"symbol": market.symbol, "baseCoin": base, "quoteCoin": market.quote}


def _row(trade: VenueTrade) -> dict[str, object]:
    return {
        "execId": trade.trade_id,
        "symbol": trade.market,
        "price": trade.price,
        "size": zeros_after(trade.quantity, 8),
        "side": trade.side.title(),
        "time": str(trade.time_ms),
        "isBlockTrade": False,
        "seq": str(trade.order // 3),
    }


def _answer(rows: object) -> Answer:
    result = {"category": "spot", "list": rows}
    return Answer(msgspec.json.encode({"retCode": 0, "retMsg": "OK", "result": result}))
