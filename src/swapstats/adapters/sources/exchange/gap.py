"""Gaps in what was seen of a market, holes that stay, and how pages of history close a gap. Pure.

    seen ... after | missing ... | before ... seen
                   ^ asked for   ^

History is asked for the gap only; whatever is at or beyond `before` comes over the connection.
An answer that reaches `before` has told everything: what it left out does not exist there.
"""

from dataclasses import dataclass, field

from swapstats.adapters.sources.exchange.venue import IdRule, Mark, Paging, VenueTrade

NOT_IN_HISTORY = "the exchange's history does not have them"
TOO_MANY = "more than are asked for"
TOO_OLD = "older than what the exchange still tells"


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of trades that may be missing.

    Attributes:
        after: the last trade before it.
        before: the first trade after it; None if none is known.
    """

    after: Mark
    before: Mark | None


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch of trades that will not come.

    Attributes:
        market: symbol.
        first: `order` of the first one, as far as known.
        last: `order` of the last one.
        missing: how many; 0 = nobody knows.
        reason: why, for people.
    """

    market: str
    first: int
    last: int
    missing: int
    reason: str


@dataclass(frozen=True, slots=True)
class Step:
    """What a page of history tells about a gap.

    Attributes:
        trades: those within the gap that may go on now, ascending.
        told_to: order up to which everything is told with them; None = nothing yet.
        is_done: nothing more is to be asked.
        is_late: the answer did not yet reach the gap's end: to be asked again, later.
        reason: why whatever is still missing will not come.
    """

    trades: list[VenueTrade] = field(default_factory=list)
    told_to: int | None = None
    is_done: bool = False
    is_late: bool = False
    reason: str = NOT_IN_HISTORY


class GapFill:
    """Walks through the pages of one gap.

    Args:
        gap: the gap.
        paging: which trades a page holds.
        id_rule: DENSE or ORDERED.
        trades_max: how many trades are taken at most, where ids do not tell their number.
    """

    def __init__(self, gap: Gap, paging: Paging, id_rule: IdRule, trades_max: int) -> None:
        self.after = gap.after
        self.before = gap.before
        self._gap = gap
        self._paging = paging
        self._is_dense = id_rule is IdRule.DENSE
        self._left = trades_max
        self._kept: dict[int, VenueTrade] = {}
        self._ceiling: int | None = None

    def take(self, page: list[VenueTrade]) -> Step:
        """Read the answer to a request for what is after `after` and before `before`."""
        rows = sorted(page, key=lambda row: row.order)
        if self._paging is Paging.FORWARD:
            return self._forward(rows)
        return self._backward(rows)

    def _forward(self, rows: list[VenueTrade]) -> Step:
        trades = self._within(rows)
        reached = rows[-1].order if rows else self.after.order
        if self._gap.before is None:
            return Step(trades, max(reached, self._gap.after.order), is_done=True)
        end = self._gap.before.order
        if reached >= self._needed(end):
            return Step(trades, end - 1, is_done=True)
        if not trades:
            return Step(is_late=True)
        self.after = Mark.of(trades[-1])
        self._left -= len(trades)
        if self._left <= 0:
            return Step(trades, end - 1, is_done=True, reason=TOO_MANY)
        return Step(trades, trades[-1].order)

    def _backward(self, rows: list[VenueTrade]) -> Step:
        for row in self._within(rows):
            self._kept[row.order] = row
        if self._ceiling is None:
            reached = rows[-1].order if rows else self._gap.after.order
            if self._gap.before is None:
                self._ceiling = max(reached, self._gap.after.order)
            elif reached < self._needed(self._gap.before.order):
                return Step(is_late=True)
            else:
                self._ceiling = self._gap.before.order - 1
        floor = rows[0] if rows else None
        bottom = self._gap.after.order + (1 if self._is_dense else 0)
        is_whole = floor is not None and floor.order <= bottom
        is_stuck = floor is None or (self.before is not None and floor.order >= self.before.order)
        if is_whole or is_stuck or self._paging is Paging.NEWEST or len(self._kept) >= self._left:
            reason = NOT_IN_HISTORY if is_whole else TOO_OLD
            if len(self._kept) >= self._left:
                reason = TOO_MANY
            kept = [self._kept[order] for order in sorted(self._kept)]
            return Step(kept, self._ceiling, is_done=True, reason=reason)
        assert floor is not None
        self.before = Mark.of(floor)
        return Step()

    def _within(self, rows: list[VenueTrade]) -> list[VenueTrade]:
        first = self._gap.after.order
        if self._gap.before is None:
            return [row for row in rows if row.order > first]
        end = self._gap.before.order
        return [row for row in rows if first < row.order < end]

    def _needed(self, end: int) -> int:
        """The order an answer must reach to have told everything before `end`."""
        return end - 1 if self._is_dense else end
