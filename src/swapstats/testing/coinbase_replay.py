"""Coinbase's side of a played exchange, and recordings of its channel `matches`."""

import gzip
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from swapstats.adapters.sources.exchange.coinbase.parse import parse_frame
from swapstats.adapters.sources.exchange.venue import Market, VenueTrade
from swapstats.testing.exchange_replay import Answer, Question, Recorded
from swapstats.testing.made_trades import rfc3339, zeros_after

PAGE_MAX = 1_000
NOT_FOUND = 404

_recorded_match = re.compile(rb'[0-9.]+: (\{"type":"(?:last_)?match".*\})').fullmatch


class _Subscription(msgspec.Struct):
    type: str
    product_ids: list[str]
    channels: list[str]


class CoinbaseConversation:
    """One connection: asked for products by a frame; the last trade of each comes at once.

    Args:
        known: products there are.
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
        """Take a subscription; an unknown product refuses all of it."""
        asked = msgspec.json.decode(text, type=_Subscription)
        unknown = [product for product in asked.product_ids if product not in self._known]
        if asked.type != "subscribe" or asked.channels != ["matches"] or unknown:
            reason = f"{unknown[0] if unknown else asked.type} is not valid"
            return [_text({"type": "error", "message": "Failed to subscribe", "reason": reason})]
        self._markets |= set(asked.product_ids)
        channel = {"name": "matches", "product_ids": asked.product_ids}
        newest = {one.trade.market: one.payload for one in self._played()}
        return [
            _text({"type": "subscriptions", "channels": [channel]}),
            *(
                newest[product].replace('"type":"match"', '"type":"last_match"')
                for product in asked.product_ids
                if product in newest
            ),
        ]

    def frames(self, trades: Sequence[Recorded]) -> list[str]:
        """One frame for each trade: Coinbase has no batches."""
        return [one.payload for one in trades]


class CoinbaseDialect:
    """Coinbase's server.

    Args:
        markets: its products.

    Attributes:
        played: gives what was played so far; set it for the last trades to come at once.
    """

    def __init__(self, markets: Iterable[Market]) -> None:
        self._markets = {market.symbol: market for market in markets}
        self.played: Callable[[], Sequence[Recorded]] = tuple

    def connect(self, path: str, query: Mapping[str, str]) -> CoinbaseConversation:  # noqa: ARG002 - the port's
        """Begin a conversation on a new connection."""
        return CoinbaseConversation(self._markets, self.played)

    def answer(self, question: Question, history: Mapping[str, Sequence[Recorded]]) -> Answer:
        """Answer `products` and their `trades`, newest first."""
        _, name, *rest = question.path.split("/")
        if (name, rest) == ("products", []):
            return Answer(msgspec.json.encode([_product(each) for each in self._markets.values()]))
        if name != "products" or rest[1:] != ["trades"] or rest[0] not in self._markets:
            return Answer(b'{"message":"NotFound"}', NOT_FOUND)
        rows = [
            one.trade
            for one in reversed(history.get(rest[0], ()))
            if one.trade.order < int(question.query.get("after", 1 << 63))
        ]
        count = min(int(question.query.get("limit", PAGE_MAX)), PAGE_MAX)
        return Answer(msgspec.json.encode([_row(trade) for trade in rows[:count]]))


def coinbase_recording(trades: Iterable[VenueTrade]) -> list[Recorded]:
    """Trades as the channel `matches` would bring them, by Coinbase's documentation."""
    return [
        Recorded(
            trade,
            _text(
                {
                    "type": "match",
                    "trade_id": trade.order,
                    "maker_order_id": "ac928c66-ca53-498f-9c13-a110027a60e8",
                    "taker_order_id": "132fb6ae-456b-4654-b4e0-d681ac05cea1",
                    "side": _maker(trade),
                    "size": trade.quantity,
                    "price": trade.price,
                    "product_id": trade.market,
                    "sequence": trade.order * 7,
                    "time": rfc3339(trade.time_ms, 123),
                }
            ),
        )
        for trade in trades
    ]


def read_matches(path: Path) -> list[Recorded]:
    """Read the trades of a recorded connection, as they came."""
    found = []
    for line in gzip.decompress(path.read_bytes()).splitlines():
        if (match := _recorded_match(line)) is not None:
            (trade,) = parse_frame(match[1])
            payload = match[1].decode().replace('"type":"last_match"', '"type":"match"')
            found.append(Recorded(trade, payload))
    return found


def _product(market: Market) -> dict[str, str]:
    base, _, quote = market.symbol.partition("-")
    return {"id": market.symbol, "base_currency": base, "quote_currency": quote}


def _row(trade: VenueTrade) -> dict[str, object]:
    return {
        "trade_id": trade.order,
        "side": _maker(trade),
        "size": zeros_after(trade.quantity, 8),
        "price": zeros_after(trade.price, 8),
        "time": rfc3339(trade.time_ms, 123),
    }


def _maker(trade: VenueTrade) -> str:
    return "sell" if trade.side == "buy" else "buy"


def _text(message: object) -> str:
    return msgspec.json.encode(message).decode()
