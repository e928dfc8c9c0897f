"""One market whose trade ids tell nothing: what was seen is remembered by id. Pure.

Two connections carry it, so that the end of one misses nothing. Whenever a connection begins, its
first trade is looked for elsewhere. If a connection that has been there all along brings it too,
nothing was missed. Else the newest page of history is compared with what was seen: one that holds
this trade and reaches back to something known has told everything in between.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from itertools import islice

from swapstats.adapters.sources.exchange.gap import TOO_OLD, Gap, Hole, Step
from swapstats.adapters.sources.exchange.venue import Mark, VenueTrade

SEEN_IDS_MAX = 20_000
NO_CONNECTION = -1
"""Who brought what history told, or an earlier run."""


def opaque_step(gap: Gap, page: Sequence[VenueTrade]) -> Step:
    """What the newest page tells about a gap: all of it, unless it is older than the gap's end."""
    end = gap.before
    is_late = end is not None and not any(
        row.trade_id == end.trade_id or row.time_ms > end.time_ms for row in page
    )
    return Step(list(page), is_done=not is_late, is_late=is_late)


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
        self._seen: OrderedDict[str, int] = OrderedDict.fromkeys(seen, NO_CONNECTION)
        self._seen_max = seen_ids_max
        self._newest: deque[str] = deque(seen, maxlen=seen_ids_max)
        self._joined: set[int] = set()
        self._gap: Gap | None = None
        self._witnesses: set[int] = set()
        self.holes: list[Hole] = []
        self.repeats = 0
        self.postponed = 0

    @property
    def last(self) -> Mark | None:
        """The newest trade that went on, or the one before a gap that is not closed yet."""
        return self._gap.after if self._gap is not None else self._last

    @property
    def gap(self) -> Gap | None:
        """What is to be compared with history, if anything is."""
        return self._gap

    def newest_ids(self, count: int) -> tuple[str, ...]:
        """The ids that went on last, as far as they may come again after `last`; oldest first."""
        ids = reversed(self._newest) if self._gap is None else reversed(self._seen)
        return tuple(islice(ids, count))[::-1]

    def offer(self, trade: VenueTrade, connection: int, out: list[VenueTrade]) -> None:
        """Take a trade that came over a connection; see `SequenceTrack.offer`."""
        if connection not in self._joined:
            self._join(trade, connection)
        elif connection in self._witnesses and self._ends_with(trade):
            self._close()
        if self._start_ms is None:
            self._start_ms = trade.time_ms
        self._go_on(trade, connection, out)

    def left(self, connection: int) -> None:
        """Forget a connection that has ended."""
        self._joined.discard(connection)
        self._witnesses.discard(connection)

    def fill(self, step: Step, out: list[VenueTrade]) -> None:
        """Compare a page of history with what was seen."""
        known = self._gap.after if self._gap is not None else self._last
        rows = sorted(step.trades, key=lambda row: row.time_ms)
        if rows and known is not None:
            self._compare(rows, known, is_late=step.is_late)
            for row in rows:
                if self._start_ms is not None and row.time_ms >= min(self._start_ms, known.time_ms):
                    self._go_on(row, NO_CONNECTION, out)
        if not step.is_late:
            self._close()

    def give_up(self, reason: str, out: list[VenueTrade]) -> None:  # noqa: ARG002 - the port's
        """Go on without the comparison; nobody knows whether anything is missing."""
        if self._gap is not None:
            order = self._gap.after.order
            self.holes.append(Hole(self._market, order, order, 0, reason))
            self._close()

    def shorten(self, trades_max: int) -> None:
        """Nothing to do: one page is all that is asked for."""

    def _join(self, trade: VenueTrade, connection: int) -> None:
        """Open a gap before the first trade of a connection, unless a witness has brought it.

        A gap that is open already grows: what came between may be missing as well.
        """
        others = set(self._joined)
        self._joined.add(connection)
        if self._last is None:
            return
        witnesses = others if self._gap is None else self._witnesses
        if self._seen.get(trade.trade_id, NO_CONNECTION) in witnesses:
            self._close()
            return
        self._gap = Gap(self._last if self._gap is None else self._gap.after, Mark.of(trade))
        self._witnesses = witnesses

    def _ends_with(self, trade: VenueTrade) -> bool:
        end = self._gap.before if self._gap is not None else None
        return end is not None and end.trade_id == trade.trade_id

    def _compare(self, rows: Sequence[VenueTrade], known: Mark, *, is_late: bool) -> None:
        """Look whether rows of history, the oldest first, reach back to what is known."""
        reaches = rows[0].time_ms < known.time_ms or any(
            row.trade_id == known.trade_id for row in rows
        )
        if is_late and reaches and self._gap is not None:
            self._gap = Gap(Mark.of(rows[-1]), self._gap.before)  # told so far
        elif not is_late and not reaches:
            self.holes.append(Hole(self._market, known.order, rows[0].order, 0, TOO_OLD))

    def _close(self) -> None:
        self._gap = None
        self._witnesses = set()

    def _go_on(self, trade: VenueTrade, connection: int, out: list[VenueTrade]) -> None:
        if trade.trade_id in self._seen:
            self.repeats += 1
            return
        self._seen[trade.trade_id] = connection
        if len(self._seen) > self._seen_max:
            self._seen.popitem(last=False)
        if self._last is None or trade.time_ms >= self._last.time_ms:
            if self._last is None or trade.time_ms > self._last.time_ms:
                self._newest.clear()
            self._newest.append(trade.trade_id)
            self._last = Mark.of(trade)
        if trade.is_public:
            out.append(trade)
