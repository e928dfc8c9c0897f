"""A session with the exchange, without the network: what frames mean and when to reconnect.

It is told the time and what happened; it never waits, connects or logs. What it notices about
missing trades is kept as figures and sentences for whoever asks.
"""

from collections import deque
from dataclasses import dataclass

import msgspec

from swapstats.adapters.sources.binance.parse import Market, parse_trade, to_wire
from swapstats.errors import Rejected

DAY_MS = 86_400_000
NOTES_MAX = 100

_Cursors = dict[str, int]


@dataclass(frozen=True, slots=True)
class Limits:
    """When a connection is given up, in milliseconds.

    Attributes:
        stall_ms: without any trade for so long, it is taken for dead.
        lifetime_ms: its age at which it is replaced; Binance cuts it off at 24 h.
        backoff_ms_min: first wait before another try.
        backoff_ms_max: longest wait.
    """

    stall_ms: int = 60_000
    lifetime_ms: int = DAY_MS - 3_600_000
    backoff_ms_min: int = 250
    backoff_ms_max: int = 30_000


@dataclass(slots=True)
class Counts:
    """What happened since the session began."""

    trades: int = 0
    repeats: int = 0
    gaps: int = 0
    missing: int = 0
    unreadable: int = 0
    connections: int = 0
    stalls: int = 0
    overflows: int = 0


class Session:
    """Reads frames, follows the trade ids of each symbol, and decides about reconnects.

    Args:
        markets: symbol -> market.
        position: where an earlier session stood, or None.
        limits: when a connection is given up.

    Raises:
        Rejected: the position is none of a Binance session.
    """

    def __init__(self, markets: dict[str, Market], position: str | None, limits: Limits) -> None:
        self._markets = markets
        self._limits = limits
        self._cursors = _cursors(position)
        self._connected_ms = 0
        self._last_trade_ms = 0
        self._failures = 0
        self._notes: deque[str] = deque(maxlen=NOTES_MAX)
        self.counts = Counts()

    @property
    def position(self) -> str:
        """The last trade id of each symbol, to resume from."""
        return msgspec.json.encode(self._cursors, order="sorted").decode()

    def connected(self, now_ms: int) -> None:
        """Note that a connection was made; `now_ms` is monotonic."""
        self.counts.connections += 1
        self._connected_ms = self._last_trade_ms = now_ms

    def read(self, frames: list[str]) -> list[bytes]:
        """Turn frames into wire v1, in order; what cannot be read is counted and noted."""
        messages = []
        for frame in frames:
            try:
                message = self._message(frame)
            except Rejected as error:
                self.counts.unreadable += 1
                self._notes.append(str(error))
                continue
            if message is not None:
                messages.append(message)
        if messages:
            self._failures = 0
            self.counts.trades += len(messages)
        return messages

    def _message(self, frame: str) -> bytes | None:
        trade = parse_trade(frame)
        if trade is None:
            return None
        market = self._markets.get(trade.s)
        if market is None:
            raise Rejected(f"Expected a subscribed symbol, was {trade.s!r}")
        message = to_wire(trade, market)
        self._follow(trade.s, trade.t)
        return message

    def data_came(self, now_ms: int) -> None:
        """Note that frames came at `now_ms` (monotonic)."""
        self._last_trade_ms = max(self._last_trade_ms, now_ms)

    def give_up_in_ms(self, now_ms: int) -> int:
        """How long the connection may still go on without news; 0 = give it up now."""
        stalled_ms = self._last_trade_ms + self._limits.stall_ms
        aged_ms = self._connected_ms + self._limits.lifetime_ms
        return max(0, min(stalled_ms, aged_ms) - now_ms)

    def is_planned_end(self, now_ms: int) -> bool:
        """Whether the connection is old enough to be replaced while it still works."""
        return now_ms >= self._connected_ms + self._limits.lifetime_ms

    def give_up_reason(self, now_ms: int) -> str:
        """Why the connection is given up, in words; counts a stall."""
        self._failures = 0  # it worked: a quiet market is no reason to wait longer and longer
        if self.is_planned_end(now_ms):
            return "its planned end came, before the exchange cuts it off"
        self.counts.stalls += 1
        return f"no trade came for {self._limits.stall_ms / 1_000:g} s"

    def overflowed(self) -> None:
        """Note that the connection was dropped because its queue was full."""
        self.counts.overflows += 1

    def backoff_ms(self, jitter: float) -> int:
        """How long to wait before the next try; doubles with each try that brought no trade.

        Args:
            jitter: 0 to 1, spreads clients that lost their connection together.
        """
        longest_ms = min(
            self._limits.backoff_ms_max, self._limits.backoff_ms_min << min(self._failures, 20)
        )
        self._failures += 1
        return int(longest_ms * (0.5 + 0.5 * jitter))

    def take_notes(self) -> list[str]:
        """What is worth a log line since the last call, at most NOTES_MAX sentences."""
        notes = list(self._notes)
        self._notes.clear()
        return notes

    def _follow(self, symbol: str, trade_id: int) -> None:
        """Compare an id with the last one. Nothing is dropped: repeats are for the windows."""
        last = self._cursors.get(symbol)
        if last is not None and trade_id <= last:
            self.counts.repeats += 1
            return
        if last is not None and trade_id > last + 1:
            missing = trade_id - last - 1
            self.counts.gaps += 1
            self.counts.missing += missing
            self._notes.append(
                f"Expected trade {last + 1} of {symbol}, was {trade_id}: {missing} are missing"
            )
        self._cursors[symbol] = trade_id


def _cursors(position: str | None) -> _Cursors:
    if position is None:
        return {}
    try:
        return msgspec.json.decode(position, type=_Cursors)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Rejected(
            f"Expected a position of a Binance session, was {position!r}: "
            f"start with an empty data directory"
        ) from error
