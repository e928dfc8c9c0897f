"""Kraken's side of a played exchange, by its documentation: WebSocket v2 and `Trades`."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from swapstats.adapters.sources.exchange.kraken.parse import rest_pair
from swapstats.adapters.sources.exchange.plain_texts import rfc3339_ms
from swapstats.adapters.sources.exchange.venue import Market, VenueTrade
from swapstats.testing.exchange_replay import Answer, Question, Recorded
from swapstats.testing.made_trades import rfc3339, zeros_after

PAGE_MAX = 1_000
SNAPSHOT_TRADES = 50
NS_PER_S = 1_000_000_000


class _Params(msgspec.Struct):
    channel: str
    symbol: list[str]
    snapshot: bool = False


class _Command(msgspec.Struct):
    method: str
    params: _Params


class _Payload(msgspec.Struct):
    timestamp: str


class KrakenConversation:
    """One connection: asked for symbols by a command; the last trades of each come at once.

    Args:
        known: symbols there are.
        played: gives what was played so far.
    """

    def __init__(self, known: Iterable[str], played: Callable[[], Sequence[Recorded]]) -> None:
        self._known = set(known)
        self._played = played
        self._markets: set[str] = set()

    @property
    def markets(self) -> set[str]:
        """The markets it has asked for so far."""
        return self._markets

    def hear(self, text: str) -> list[str]:
        """Take a subscription; each symbol is answered by itself."""
        params = msgspec.json.decode(text, type=_Command).params
        answers = []
        for symbol in params.symbol:
            if symbol not in self._known:
                answers.append(
                    f'{{"error":"Currency pair not supported {symbol}","method":"subscribe",'
                    f'"success":false,"symbol":"{symbol}"}}'
                )
                continue
            self._markets.add(symbol)
            answers.append(
                '{"method":"subscribe","result":{"channel":"trade","snapshot":true,'
                f'"symbol":"{symbol}"}},"success":true}}'
            )
            last = [one for one in self._played() if one.trade.market == symbol]
            if params.snapshot and last:
                answers.append(_frame("snapshot", last[-SNAPSHOT_TRADES:]))
        return [*answers, '{"channel":"heartbeat"}']

    def frames(self, trades: Sequence[Recorded]) -> list[str]:
        """One frame for the trades of each symbol."""
        by_symbol: dict[str, list[Recorded]] = {}
        for one in trades:
            by_symbol.setdefault(one.trade.market, []).append(one)
        return [_frame("update", rows) for rows in by_symbol.values()]


class KrakenDialect:
    """Kraken's server.

    Args:
        markets: its pairs.
        busy_every: every so many requests one is refused, with status 200; 0 = none.

    Attributes:
        played: gives what was played so far; set it for the last trades to come at once.
    """

    def __init__(self, markets: Iterable[Market], *, busy_every: int = 0) -> None:
        self._symbols = {rest_pair(market.symbol): market.symbol for market in markets}
        self._busy_every = busy_every
        self._asked = 0
        self.played: Callable[[], Sequence[Recorded]] = tuple

    def connect(self, path: str, query: Mapping[str, str]) -> KrakenConversation:  # noqa: ARG002 - the port's
        """Begin a conversation on a new connection."""
        return KrakenConversation(self._symbols.values() if path == "/v2" else (), self.played)

    def answer(self, question: Question, history: Mapping[str, Sequence[Recorded]]) -> Answer:
        """Answer `AssetPairs` and `Trades`, oldest first after a time in nanoseconds."""
        self._asked += 1
        if self._busy_every and self._asked % self._busy_every == 0:
            return Answer(b'{"error":["EAPI:Rate limit exceeded"]}')
        name = question.path.removeprefix("/0/public/")
        if name == "AssetPairs":
            return _answer({pair: _pair(pair, symbol) for pair, symbol in self._symbols.items()})
        symbol = self._symbols.get(question.query.get("pair", ""))
        if name != "Trades" or symbol is None:
            return Answer(b'{"error":["EQuery:Unknown asset pair"]}')
        since_ns = int(question.query.get("since", 0))
        timed = [(_time_ns(one), one.trade) for one in history.get(symbol, ())]
        rows = [row for row in timed if row[0] > since_ns]
        rows = rows[: min(int(question.query.get("count", PAGE_MAX)), PAGE_MAX)]
        last = rows[-1][0] if rows else since_ns
        listed = [_row(time_ns, trade) for time_ns, trade in rows]
        return _answer({f"X{question.query['pair']}": listed, "last": str(last)})


def kraken_recording(trades: Iterable[VenueTrade]) -> list[Recorded]:
    """Trades as channel `trade` would bring them: within a millisecond, time still rises."""
    recording = []
    newest_ms = microseconds = 0
    for trade in trades:
        microseconds = microseconds + 1 if trade.time_ms == newest_ms else 0
        newest_ms = trade.time_ms
        recording.append(
            Recorded(
                trade,
                f'{{"symbol":"{trade.market}","side":"{trade.side}","price":{trade.price},'
                f'"qty":{trade.quantity},"ord_type":"limit","trade_id":{trade.order},'
                f'"timestamp":"{rfc3339(trade.time_ms, microseconds)}"}}',
            )
        )
    return recording


def _frame(kind: str, trades: Sequence[Recorded]) -> str:
    data = ",".join(one.payload for one in trades)
    return f'{{"channel":"trade","type":"{kind}","data":[{data}]}}'


def _time_ns(one: Recorded) -> int:
    text = msgspec.json.decode(one.payload, type=_Payload).timestamp
    return rfc3339_ms(text) * 1_000_000 + int(text[-4:-1]) * 1_000


def _row(time_ns: int, trade: VenueTrade) -> list[object]:
    seconds, rest = divmod(time_ns, NS_PER_S)
    time = msgspec.Raw(f"{seconds}.{rest:09d}".rstrip("0").encode() + b"0")
    price, volume = zeros_after(trade.price, 5), zeros_after(trade.quantity, 8)
    return [price, volume, time, trade.side[0], "l", "", trade.order]


def _pair(pair: str, symbol: str) -> dict[str, str]:
    quote = symbol.partition("/")[2]
    quote = "XBT" if quote == "BTC" else quote
    base = pair.removesuffix(quote)
    return {"altname": pair, "wsname": f"{base}/{quote}", "base": f"X{base}", "quote": f"Z{quote}"}


def _answer(result: object) -> Answer:
    return Answer(msgspec.json.encode({"error": [], "result": result}))
