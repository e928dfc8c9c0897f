"""All markets of one source: from frames and pages to raw events and a position. Pure.

It is told the time and what came; it never waits, connects or logs. What is worth telling is kept
as counts, holes and sentences for whoever asks.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from swapstats.adapters.sources.exchange.gap import Gap, Hole, Step
from swapstats.adapters.sources.exchange.hole_notes import HOLES_KEPT, hole_note, read_holes
from swapstats.adapters.sources.exchange.opaque_track import OpaqueTrack
from swapstats.adapters.sources.exchange.options import Options
from swapstats.adapters.sources.exchange.position import (
    IDS_KEPT,
    Missing,
    read_position,
    write_position,
)
from swapstats.adapters.sources.exchange.pulse import Pulse
from swapstats.adapters.sources.exchange.track import SequenceTrack
from swapstats.adapters.sources.exchange.venue import IdRule, Market, Venue, VenueTrade
from swapstats.errors import Rejected
from swapstats.model.raw_event import ExchangeTrade
from swapstats.model.record import MessageBlock
from swapstats.ports.source import NO_NOTES, SourceBatch

NOTES_MAX = 100

_encode_into = msgspec.json.Encoder().encode_into


@dataclass(slots=True)
class Counts:
    """What happened since the source began.

    Attributes:
        trades: trades that went on.
        filled: those of them that history brought.
        gaps: gaps that were asked for.
        unreadable: frames that could not be read.
        connections: connections that were made.
        stalls: connections that were open and brought nothing although there was something.
        overflows: connections that were dropped because their frames were not taken.
    """

    trades: int = 0
    filled: int = 0
    gaps: int = 0
    unreadable: int = 0
    connections: int = 0
    stalls: int = 0
    overflows: int = 0


class Feed:
    """Follows all markets.

    Args:
        venue: the exchange.
        markets: what its symbols stand for.
        position: where an earlier feed stood, or None.
        options: bounds and spans.
        now_ms: monotonic time.
        notes: what an earlier feed noted: its holes.

    Attributes:
        counts: what happened.
        holes: the newest holes, those of earlier runs included, HOLES_KEPT at most.

    Raises:
        Rejected: position or notes are none of this venue.
    """

    def __init__(
        self,
        venue: Venue,
        markets: Mapping[str, Market],
        position: str | None,
        options: Options,
        now_ms: int,
        notes: Mapping[str, str] = NO_NOTES,
    ) -> None:
        self._venue = venue
        self._markets = markets
        self._position = read_position(position, venue.facts.name)
        self._tracks = {symbol: self._track(symbol, options) for symbol in markets}
        self._pulses = {symbol: Pulse(options.silence, now_ms) for symbol in markets}
        self._gapped: dict[str, int] = {}
        self._moved: set[str] = set()
        self._ready: list[VenueTrade] = []
        self._notes: deque[str] = deque(maxlen=NOTES_MAX)
        self.counts = Counts()
        self.holes: deque[Hole] = deque(read_holes(notes, self.missing.holes), HOLES_KEPT)
        self._hole_notes: dict[str, str | None] = {}

    @property
    def ready_count(self) -> int:
        """Trades that wait to be taken."""
        return len(self._ready)

    @property
    def missing(self) -> Missing:
        """Holes of all markets, those of earlier runs included."""
        found = self._position.missing.values()
        return Missing(sum(each.holes for each in found), sum(each.trades for each in found))

    @property
    def repeats(self) -> int:
        """Trades that came again and were dropped."""
        return sum(track.repeats for track in self._tracks.values())

    @property
    def postponed(self) -> int:
        """Trades that could not wait for missing ones and were left to history."""
        return sum(track.postponed for track in self._tracks.values())

    @property
    def gapped(self) -> Mapping[str, int]:
        """Markets with a gap, and when it was first seen."""
        return self._gapped

    def read(self, connection: int, frames: Sequence[str | bytes], now_ms: int) -> None:
        """Take frames of a connection, in order; what cannot be read is counted and noted."""
        came: dict[str, int] = {}
        tracks, ready, read = self._tracks, self._ready, self._venue.read
        for frame in frames:
            try:
                trades = read(frame)
            except Rejected as error:
                self._unreadable(str(error))
                continue
            for trade in trades:
                track = tracks.get(trade.market)
                if track is None:
                    self._unreadable(f"Expected a subscribed symbol, was {trade.market!r}")
                    continue
                track.offer(trade, connection, ready)
                came[trade.market] = came.get(trade.market, 0) + 1
        for market, count in came.items():
            self._pulses[market].beat(count, now_ms)
            self._look_at(market, now_ms)

    def connected(self, markets: Sequence[str], now_ms: int) -> None:
        """Note a new connection: what was missed before it is looked for soon."""
        self.counts.connections += 1
        for market in markets:
            self._pulses[market].soon(now_ms)

    def left(self, connection: int) -> None:
        """Note the end of a connection, after its last frame."""
        for track in self._tracks.values():
            track.left(connection)

    def gap(self, market: str) -> Gap | None:
        """The first gap of a market."""
        return self._tracks[market].gap

    def silent(self, now_ms: int) -> list[str]:
        """Markets that were silent for too long and have a place to ask from."""
        return [
            market
            for market, pulse in self._pulses.items()
            if pulse.look_ms <= now_ms and self._tracks[market].last is not None
        ]

    def open_end(self, market: str) -> Gap | None:
        """What may have come after the last trade of a market."""
        last = self._tracks[market].last
        return Gap(last, None) if last is not None else None

    def catches_up(self, market: str) -> bool:
        """Whether nothing came since a connection began, so that it is not to blame."""
        return self._pulses[market].catches_up

    def quiet(self, market: str, now_ms: int) -> None:
        """Note that a market is silent, not its connection."""
        self._pulses[market].quiet(now_ms)

    def look_again(self, market: str, now_ms: int) -> None:
        """Ask for another look at once: what came before the connection may not be all."""
        self._pulses[market].again(now_ms)

    def shorten(self, market: str, trades_max: int) -> None:
        """Give up what lies too far back."""
        self._tracks[market].shorten(trades_max)
        self._moved.add(market)
        self._take_holes(market)

    def fill(self, market: str, step: Step, now_ms: int) -> int:
        """Take what a page of history told.

        Returns:
            how many trades go on because of it, those that waited for it included.
        """
        before = len(self._ready)
        self._tracks[market].fill(step, self._ready)
        self.counts.filled += min(len(self._ready) - before, len(step.trades))
        self._look_at(market, now_ms)
        return len(self._ready) - before

    def give_up(self, market: str, reason: str, now_ms: int) -> None:
        """Go on without the first gap of a market."""
        self._tracks[market].give_up(reason, self._ready)
        self._look_at(market, now_ms)

    def take(self) -> SourceBatch | None:
        """Take what is ready, with the position after it."""
        if not self._ready:
            return None
        block = self._block()
        self.counts.trades += len(self._ready)
        self._ready.clear()
        notes, self._hole_notes = self._hole_notes, {}
        return SourceBatch(block, self._position_text(), notes)

    def take_notes(self) -> list[str]:
        """What is worth a log line since the last call, NOTES_MAX sentences at most."""
        notes = list(self._notes)
        self._notes.clear()
        return notes

    def _track(self, symbol: str, options: Options) -> SequenceTrack | OpaqueTrack:
        last = self._position.last.get(symbol)
        rule = self._venue.facts.id_rule
        if rule is IdRule.OPAQUE:
            seen = self._position.seen.get(symbol, ())
            return OpaqueTrack(symbol, last=last, seen=seen)
        return SequenceTrack(
            symbol,
            is_dense=rule is IdRule.DENSE,
            last=last,
            waiting_trades_max=options.waiting_trades_max,
        )

    def _block(self) -> MessageBlock:
        """Write what is ready as raw events, end to end."""
        venue, markets = self._position.venue, self._markets
        buffer = bytearray()
        bounds = [0]
        for trade in self._ready:
            market = markets[trade.market]
            raw = ExchangeTrade(
                venue=venue,
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
            _encode_into(raw, buffer, bounds[-1])
            bounds.append(len(buffer))
        return MessageBlock(np.frombuffer(buffer, dtype=np.uint8), np.array(bounds, dtype=np.int64))

    def _position_text(self) -> str:
        for symbol in self._moved:
            track = self._tracks[symbol]
            if (last := track.last) is not None:
                self._position.last[symbol] = last
            if isinstance(track, OpaqueTrack):
                self._position.seen[symbol] = track.newest_ids(IDS_KEPT)
        self._moved.clear()
        return write_position(self._position)

    def _look_at(self, market: str, now_ms: int) -> None:
        self._moved.add(market)
        if self._tracks[market].gap is None:
            self._gapped.pop(market, None)
        else:
            self._gapped.setdefault(market, now_ms)
        self._take_holes(market)

    def _take_holes(self, market: str) -> None:
        holes = self._tracks[market].holes
        if not holes:
            return
        total = self._position.missing.setdefault(market, Missing())
        for hole in holes:
            self._hole_notes.update(hole_note(hole, self.missing.holes))
            total.holes += 1
            total.trades += hole.missing
            self.holes.append(hole)
            count = str(hole.missing) if hole.missing else "an unknown number of"
            self._notes.append(
                f"Expected trades {hole.first} to {hole.last} of {market}, "
                f"was {count} missing: {hole.reason}"
            )
        holes.clear()

    def _unreadable(self, note: str) -> None:
        self.counts.unreadable += 1
        self._notes.append(note)
