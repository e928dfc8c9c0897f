"""One market whose trade ids tell nothing: what was seen is remembered by id. Pure.

Two connections carry it, so that the end of one misses nothing. Whenever a connection begins, the
newest page of history is compared with what was seen: an answer that reaches back to something
known has told everything since.
"""

from collections import OrderedDict

from swapstats.adapters.sources.exchange.gap import TOO_OLD, Gap, Hole, Step
from swapstats.adapters.sources.exchange.venue import Mark, VenueTrade

SEEN_IDS_MAX = 20_000


class OpaqueTrack:
    """Remembers the trades of one market.

    Args:
        market: symbol.
        last: the newest trade that went on, or None.
        seen: ids that went on before, oldest first.
        seen_ids_max: how many ids are remembered.

    Attributes:
        holes: what will not come; whoever tells it takes it out.
        repeats: trades that came again.
        postponed: always 0: nothing waits here.
    """

    def __init__(
        self,
        market: str,
        *,
        last: Mark | None,
        seen: tuple[str, ...] = (),
        seen_ids_max: int = SEEN_IDS_MAX,
    ) -> None:
        self._market = market
        self._last = last
        self._start_ms = last.time_ms if last is not None else None
        self._seen: OrderedDict[str, None] = OrderedDict.fromkeys(seen)
        self._seen_max = seen_ids_max
        self._joined: set[int] = set()
        self._compare_from: Mark | None = None
        self.holes: list[Hole] = []
        self.repeats = 0
        self.postponed = 0

    @property
    def last(self) -> Mark | None:
        """The newest trade that went on."""
        return self._last

    @property
    def gap(self) -> Gap | None:
        """What is to be compared with history, if anything is."""
        return Gap(self._compare_from, None) if self._compare_from is not None else None

    def newest_ids(self, count: int) -> tuple[str, ...]:
        """The ids that went on last, oldest first."""
        return tuple(self._seen)[-count:]

    def offer(self, trade: VenueTrade, connection: int, out: list[VenueTrade]) -> None:
        """Take a trade that came over a connection; see `SequenceTrack.offer`."""
        if connection not in self._joined:
            self._joined.add(connection)
            if self._last is not None and self._compare_from is None:
                self._compare_from = self._last
        if self._start_ms is None:
            self._start_ms = trade.time_ms
        self._go_on(trade, out)

    def left(self, connection: int) -> None:
        """Forget a connection that has ended."""
        self._joined.discard(connection)

    def fill(self, step: Step, out: list[VenueTrade]) -> None:
        """Compare a page of history with what was seen."""
        known = self._compare_from or self._last
        self._compare_from = None
        rows = sorted(step.trades, key=lambda row: row.time_ms)
        if not rows or known is None:
            return
        if rows[0].time_ms > known.time_ms:
            self.holes.append(Hole(self._market, known.order, rows[0].order, 0, TOO_OLD))
        for row in rows:
            if self._start_ms is not None and row.time_ms >= min(self._start_ms, known.time_ms):
                self._go_on(row, out)

    def give_up(self, reason: str, out: list[VenueTrade]) -> None:  # noqa: ARG002 - the port's
        """Go on without the comparison; nobody knows whether anything is missing."""
        if self._compare_from is not None:
            order = self._compare_from.order
            self.holes.append(Hole(self._market, order, order, 0, reason))
            self._compare_from = None

    def shorten(self, trades_max: int) -> None:
        """Nothing to do: one page is all that is asked for."""

    def _go_on(self, trade: VenueTrade, out: list[VenueTrade]) -> None:
        if trade.trade_id in self._seen:
            self.repeats += 1
            return
        self._seen[trade.trade_id] = None
        if len(self._seen) > self._seen_max:
            self._seen.popitem(last=False)
        if self._last is None or trade.time_ms >= self._last.time_ms:
            self._last = Mark.of(trade)
        if trade.is_public:
            out.append(trade)
