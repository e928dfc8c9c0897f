"""Raw events in, priced swaps out, within a program: the preprocessor without its logs.

Prices are made of what went before, in memory: a new one starts without any.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterable, Callable

import msgspec
import numpy as np

from swapstats.adapters.system_clock import SystemClock
from swapstats.collect.events import close
from swapstats.collect.swap import Swap
from swapstats.core.preprocess.preprocessor import Preprocessor
from swapstats.core.preprocess.refusal import Refusal
from swapstats.core.preprocess.rules import PriceRules
from swapstats.model.raw_event import PoolSwap, RawEvent
from swapstats.model.record import MessageBlock, RecordBatch

OnRefused = Callable[[RawEvent, Refusal], None]
"""Told of each event that becomes no swap, and why."""

_log = logging.getLogger("swapstats.collect")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Swap).decode


def log_refused(event: RawEvent, refusal: Refusal) -> None:
    """Log a refusal to `swapstats.collect`: a warning, unless the rules filter it on purpose."""
    place = (
        f"{event.chain_id}:{event.tx_hash}:{event.log_index}"
        if isinstance(event, PoolSwap)
        else f"{event.venue}:{event.market}:{event.trade_id}"
    )
    level = logging.WARNING if refusal.is_letter else logging.INFO
    _log.log(level, "%s became no swap, %s: %s", place, refusal.reason, refusal.detail)


class Pricer:
    """Prices events one by one.

    The same events in the same order give the same swaps, whenever that is.

    Args:
        rules: how they are priced and filtered; None = the defaults.
        on_refused: told of each event that becomes no swap.
    """

    def __init__(
        self,
        rules: PriceRules | None = None,
        *,
        on_refused: OnRefused = log_refused,
    ) -> None:
        self._preprocessor = Preprocessor(rules or PriceRules())
        self._on_refused = on_refused
        self._now_ms = SystemClock().wall_ms
        self._count = 0

    def price(self, event: RawEvent) -> Swap | None:
        """Price one event; None if it becomes no swap, and then `on_refused` was told."""
        block = MessageBlock.of([_encode(event)])
        offsets = np.array([self._count], dtype=np.int64)
        append_ms = np.array([self._now_ms()], dtype=np.int64)
        self._count += 1
        made = self._preprocessor.apply(
            RecordBatch(0, offsets, append_ms, block.buffer, block.bounds)
        )
        for refused in made.refused:
            self._on_refused(event, Refusal(refused.reason, refused.detail))
        return _decode(made.swaps[0]) if made.swaps else None


async def priced(
    events: AsyncIterable[RawEvent],
    rules: PriceRules | None = None,
    *,
    on_refused: OnRefused = log_refused,
) -> AsyncGenerator[Swap, None]:
    """Price events as they come; `events` is closed with it.

    Args:
        events: of `evm`, `exchange` or `merged`, or any others.
        rules: how they are priced and filtered; None = the defaults.
        on_refused: told of each event that becomes no swap.
    """
    pricer = Pricer(rules, on_refused=on_refused)
    try:
        async for event in events:
            swap = pricer.price(event)
            if swap is not None:
                yield swap
    finally:
        await close(events)
