"""One market whose trade ids are numbers: what was seen, what is missing, what goes on. Pure.

A trade goes on exactly once, in the order of ids. One that comes before others that are missing
waits for them; what more must wait than fits is left out and becomes part of the next gap.
"""

from bisect import insort

from swapstats.adapters.sources.exchange.gap import NOT_IN_HISTORY, TOO_MANY, Gap, Hole, Step
from swapstats.adapters.sources.exchange.venue import Mark, VenueTrade

WAITING_TRADES_MAX = 50_000
BEGUN_ANEW_MS = 3_600_000
"""A lower id that is so much newer is no repeat: the exchange has begun to count anew."""
BEGUN_ANEW = "the exchange began to count anew"


class SequenceTrack:
    """Follows the ids of one market.

    Args:
        market: symbol.
        is_dense: each id is one more than the last; else they only rise, and the first trade of
            each connection opens a gap.
        last: the last trade that went on, or None.
        waiting_trades_max: trades that may wait for others.

    Attributes:
        holes: what will not come; whoever tells it takes it out.
        repeats: trades that came again.
        postponed: trades that could not wait and were left to a later gap.
    """

    def __init__(
        self,
        market: str,
        *,
        is_dense: bool,
        last: Mark | None,
        waiting_trades_max: int = WAITING_TRADES_MAX,
    ) -> None:
        self._market = market
        self._is_dense = is_dense
        self._last: Mark | VenueTrade | None = last
        self._order = last.order if last is not None else -1
        self._waiting_max = waiting_trades_max
        self._waiting: dict[int, VenueTrade] = {}
        self._first_waiting: int | None = None
        self._joined: set[int] = set()
        self._joins: list[int] = []
        self._is_torn = False
        self.holes: list[Hole] = []
        self.repeats = 0
        self.postponed = 0

    @property
    def last(self) -> Mark | None:
        """The last trade that went on, or is known not to exist."""
        last = self._last
        return Mark.of(last) if isinstance(last, VenueTrade) else last

    @property
    def gap(self) -> Gap | None:
        """The first gap, if there is one."""
        start = self._joins[0] if self._joins else self._first_waiting
        if start is None or self.last is None:
            return None
        return Gap(self.last, Mark.of(self._waiting[start]))

    def offer(self, trade: VenueTrade, connection: int, out: list[VenueTrade]) -> None:
        """Take a trade that came over a connection.

        Args:
            trade: the trade.
            connection: number of the connection; a new one is a new number.
            out: gets what goes on.
        """
        if not self._is_dense:
            self._offer_ordered(trade, connection, out)
        elif trade.order == self._order + 1 or self._last is None:
            self._last = trade
            self._order = trade.order
            if trade.is_public:
                out.append(trade)
            if self._waiting:
                self._drain(self._order, NOT_IN_HISTORY, out)
        elif trade.order <= self._order:
            self._repeated(trade, self._last, out)
        else:
            self._wait(trade)

    def left(self, connection: int) -> None:
        """Forget a connection that has ended."""
        self._joined.discard(connection)

    def fill(self, step: Step, out: list[VenueTrade]) -> None:
        """Take what a page of history told."""
        for trade in step.trades:
            if trade.order > self._order:
                self._waiting.setdefault(trade.order, trade)
        if step.told_to is not None:
            if not self._is_dense and step.reason != NOT_IN_HISTORY:
                hole = Hole(self._market, self._order + 1, step.told_to, 0, step.reason)
                self.holes.append(hole)
            self._drain(step.told_to, step.reason, out)
        self._first_waiting = min(self._waiting, default=None) if self._is_dense else None

    def give_up(self, reason: str, out: list[VenueTrade]) -> None:
        """Go on without what the first gap still lacks; it becomes a hole."""
        if (gap := self.gap) is not None and gap.before is not None:
            self.fill(Step([], gap.before.order - 1, reason=reason), out)

    def shorten(self, trades_max: int) -> None:
        """Give up the older part of a gap that lacks more than `trades_max` trades."""
        gap = self.gap
        if not self._is_dense or gap is None or gap.before is None:
            return
        first = gap.before.order - trades_max
        if first > self._order + 1:
            self._skip_to(first - 1, TOO_MANY)

    def _offer_ordered(self, trade: VenueTrade, connection: int, out: list[VenueTrade]) -> None:
        is_new = connection not in self._joined
        self._joined.add(connection)
        if self._last is not None and trade.order <= self._order:
            self._repeated(trade, self._last, out)
            return
        if self._last is not None and (is_new or self._is_torn) and self._wait(trade):
            self._is_torn = False
            insort(self._joins, trade.order)
        elif self._joins:
            self._is_torn |= not self._wait(trade)
        else:
            self._go_on(trade, out)

    def _repeated(self, trade: VenueTrade, last: Mark | VenueTrade, out: list[VenueTrade]) -> None:
        if trade.time_ms < last.time_ms + BEGUN_ANEW_MS:
            self.repeats += 1
            return
        self.holes.append(Hole(self._market, trade.order, trade.order, 0, BEGUN_ANEW))
        self._waiting.clear()
        self._joins.clear()
        self._first_waiting = None
        self._go_on(trade, out)

    def _wait(self, trade: VenueTrade) -> bool:
        if trade.order in self._waiting:
            self.repeats += 1
            return True
        if len(self._waiting) >= self._waiting_max:
            self.postponed += 1
            return False
        self._waiting[trade.order] = trade
        if self._is_dense and (self._first_waiting is None or trade.order < self._first_waiting):
            self._first_waiting = trade.order
        return True

    def _drain(self, told_to: int, reason: str, out: list[VenueTrade]) -> None:
        """Let go on what nothing is missing before, with everything told up to `told_to`."""
        self._joins = [order for order in self._joins if order > told_to + 1]
        for order in sorted(self._waiting):
            if self._is_dense:
                self._skip_to(min(order - 1, told_to), reason)
                if order > self._order + 1:
                    break
            elif self._joins and order >= self._joins[0]:
                break
            trade = self._waiting.pop(order)
            if order > self._order:
                self._go_on(trade, out)
        if self._is_dense:
            if not self._waiting:
                self._skip_to(told_to, reason)
            self._first_waiting = min(self._waiting, default=None)

    def _skip_to(self, order: int, reason: str) -> None:
        missing = order - self._order
        if missing <= 0 or self._last is None:
            return
        self.holes.append(Hole(self._market, self._order + 1, order, missing, reason))
        self._last = Mark(order, str(order), self._last.time_ms)
        self._order = order

    def _go_on(self, trade: VenueTrade, out: list[VenueTrade]) -> None:
        self._last = trade
        self._order = trade.order
        if trade.is_public:
            out.append(trade)
