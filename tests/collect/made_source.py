"""A source of made-up trades in batches, that can be held and asked what became of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import msgspec

from swapstats.errors import Rejected
from swapstats.model.raw_event import ExchangeTrade
from swapstats.model.record import MessageBlock
from swapstats.ports.source import NO_NOTES, SourceBatch, SourceStatus
from swapstats.testing.raw_events import exchange_trade

SIZES = (2, 0, 3, 1)
TRADES = [exchange_trade("BTC", "USDT", "2", trade_id=str(at)) for at in range(sum(SIZES))]


def batches() -> list[SourceBatch]:
    """All batches; each says how many came before, as position and as a note."""
    found, done = [], 0
    for number, size in enumerate(SIZES, 1):
        messages = [msgspec.json.encode(trade) for trade in TRADES[done : done + size]]
        done += size
        notes: dict[str, str | None] = {f"batch {number}": str(done), f"batch {number - 1}": None}
        found.append(SourceBatch(MessageBlock.of(messages), str(number), notes))
    return found


class MadeSource:
    """Gives its batches from a position on, then ends, waits, or fails."""

    def __init__(self, then: str = "end") -> None:
        self.then = then
        self.opened: list[tuple[str | None, dict[str, str]]] = []
        self.is_open = False

    @property
    def name(self) -> str:
        return "made"

    def status(self) -> SourceStatus:
        return SourceStatus("live", "made up")

    async def open(
        self, position: str | None, notes: Mapping[str, str] = NO_NOTES
    ) -> AsyncIterator[SourceBatch]:
        self.opened.append((position, dict(notes)))
        self.is_open = True
        try:
            for batch in batches()[int(position or 0) :]:
                yield batch
            if self.then == "wait":
                await asyncio.Event().wait()
            if self.then == "fail":
                raise Rejected("Expected more, was all")
        finally:
            self.is_open = False


def ids(trades: list[ExchangeTrade]) -> list[int]:
    return [int(trade.trade_id) for trade in trades]
