"""Markets of a generic source: from unified rows to raw events and a position. Pure.

A trade goes on once, by its id, in whatever order it comes.
"""

from collections import deque
from collections.abc import Mapping, Sequence

import msgspec

from swapstats.adapters.sources.exchange.gap import Step
from swapstats.adapters.sources.exchange.generic.unified import Unified, unified_trade
from swapstats.adapters.sources.exchange.opaque_track import OpaqueTrack
from swapstats.adapters.sources.exchange.position import (
    IDS_KEPT,
    read_position,
    write_position,
)
from swapstats.adapters.sources.exchange.venue import Market, VenueTrade
from swapstats.errors import Rejected
from swapstats.model.raw_event import ExchangeTrade
from swapstats.model.record import MessageBlock
from swapstats.ports.source import SourceBatch

STREAM = 0
"""Number of the only connection there is."""
REASONS_KEPT = 10

_encode = msgspec.json.Encoder().encode


class Book:
    """Follows all markets of a source.

    Args:
        venue: name of the venue in raw events and positions.
        markets: by symbol.
        position: where an earlier run stood, or None.
        waiting_rows_max: trades that may wait to be taken.

    Attributes:
        unreadable: rows that could not be read.
        left_out: rows that could not wait; asking again may bring them.
        reasons: why rows could not be read, the newest.

    Raises:
        Rejected: the position is another source's.
    """

    def __init__(
        self,
        venue: str,
        markets: Mapping[str, Market],
        position: str | None,
        waiting_rows_max: int,
    ) -> None:
        self._markets = markets
        self._position = read_position(position, venue)
        self._tracks = {
            symbol: OpaqueTrack(
                symbol,
                last=self._position.last.get(symbol),
                seen=self._position.seen.get(symbol, ()),
            )
            for symbol in markets
        }
        self._waiting_max = waiting_rows_max
        self._ready: list[VenueTrade] = []
        self._streamed: dict[str, int] = {}
        self._first_ms: dict[str, int] = {}
        self._brought: dict[str, int] = {}
        self.unreadable = 0
        self.left_out = 0
        self.reasons: deque[str] = deque(maxlen=REASONS_KEPT)

    def add(self, symbol: str, rows: Sequence[Unified], *, is_history: bool) -> bool:
        """Take rows of a market.

        Args:
            symbol: the market.
            rows: unified trades.
            is_history: they were asked for; else they came by themselves.

        Returns:
            False if there was no room for them.
        """
        if not self.has_room:
            self.left_out += len(rows)
            return False
        trades = self._read(symbol, rows)
        if trades:
            self._first_ms.setdefault(symbol, trades[0].time_ms)
        track = self._tracks[symbol]
        before = len(self._ready)
        if is_history and track.last is not None:
            track.fill(Step(trades, is_done=True), self._ready)
            self._brought[symbol] = self.brought_of(symbol) + len(self._ready) - before
            track.holes.clear()  # nobody knows whether there are any
        else:
            for trade in trades:
                track.offer(trade, STREAM, self._ready)
        if not is_history:
            self._streamed[symbol] = self._streamed.get(symbol, 0) + len(trades)
        return True

    @property
    def has_room(self) -> bool:
        """Whether more rows may wait."""
        return len(self._ready) < self._waiting_max

    def take(self) -> SourceBatch | None:
        """Take what is ready, with the position after it."""
        if not self._ready:
            return None
        messages = [self._message(trade) for trade in self._ready]
        self._ready.clear()
        for symbol, track in self._tracks.items():
            if track.last is not None:
                self._position.last[symbol] = track.last
                self._position.seen[symbol] = track.newest_ids(IDS_KEPT)
        return SourceBatch(MessageBlock.of(messages), write_position(self._position))

    def last_ms(self, symbol: str) -> int | None:
        """Time of the newest trade of a market, if one is known."""
        last = self._tracks[symbol].last
        return last.time_ms if last is not None else None

    def first_ms(self, symbol: str) -> int | None:
        """Time of the first trade of a market that came in this run, if any did."""
        return self._first_ms.get(symbol)

    def brought_of(self, symbol: str) -> int:
        """Trades of a market that asking again brought."""
        return self._brought.get(symbol, 0)

    def is_silent(self, symbol: str) -> bool:
        """Whether nothing came by itself since this was asked last."""
        return self._streamed.pop(symbol, 0) == 0

    def told(self) -> list[str]:
        """What went wrong so far, in words."""
        told = []
        if brought := sum(self._brought.values()):
            told.append(f"{brought} trades came by asking again only")
        if self.left_out:
            told.append(f"{self.left_out} trades had to be asked for again")
        if self.unreadable:
            told.append(f"{self.unreadable} trades could not be read ({self.reasons[-1]})")
        return told

    def _read(self, symbol: str, rows: Sequence[Unified]) -> list[VenueTrade]:
        trades = []
        for row in rows:
            try:
                trades.append(unified_trade(row, symbol))
            except Rejected as error:
                self.unreadable += 1
                self.reasons.append(str(error))
        return trades

    def _message(self, trade: VenueTrade) -> bytes:
        market = self._markets[trade.market]
        return _encode(
            ExchangeTrade(
                venue=self._position.venue,
                market=trade.market,
                trade_id=trade.trade_id,
                base=market.base,
                quote=market.quote,
                multiplier=market.multiplier,
                price=trade.price,
                quantity=trade.quantity,
                side=trade.side,
                event_time=trade.time_ms,
            )
        )
